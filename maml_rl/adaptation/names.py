"""What tables and pictures call the episodes of a round."""


def after(step: int) -> str:
    """Return the name of those after that number of adaptation steps."""
    return f"after {step} step{'s' if step > 1 else ''}" if step else "before adaptation"


def episode(step: int) -> str:
    """Return the name of those of a trial that so many others came before."""
    return f"episode {step + 1} of a trial"
