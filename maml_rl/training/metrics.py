"""The numbers of a meta-update. Every name is explained in docs/metrics.md."""

from dataclasses import dataclass

from maml_rl.metalearners.base import MetaState, Metrics

__all__ = ["Iteration", "Metrics"]


@dataclass(frozen=True)
class Iteration:
    """One meta-update in numbers.

    Args:
        metrics: what the config and the seed determine, to the bit.
        timings: what the machine had to do with it.
        state: what it left.
    """

    metrics: Metrics
    timings: Metrics
    state: MetaState

    @property
    def number(self) -> int:
        """Meta-updates so far, this one included."""
        return int(self.metrics["iteration"])

    @property
    def returns(self) -> tuple[float, ...]:
        """Mean return after 0, 1, … inner steps."""
        return tuple(float(value) for key, value in self.metrics.items() if key.startswith("return_"))
