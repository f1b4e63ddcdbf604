"""Numbers that went wrong are an error as soon as they are seen, which says what they are and whose."""

from torch import Tensor


def check_finite(name: str, values: Tensor, first_task: int = 0, hint: str = "") -> None:
    """Check a quantity of N tasks, ``[N, ...]``.

    Args:
        name: of the quantity, in the plural.
        first_task: the number of the first of them.
        hint: follows the message: when it was, or what to do.

    Raises:
        FloatingPointError: some numbers are NaN or infinite; the message names the tasks.
    """
    finite = values.isfinite().flatten(1).all(1) if values.dim() > 1 else values.isfinite()
    if not bool(finite.all()):
        tasks = [first_task + int(i) for i in (~finite).nonzero()]
        raise FloatingPointError(f"{name} are NaN or infinite in tasks {tasks}{hint}")
