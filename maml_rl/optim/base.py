"""The contract between the outer problem and those that solve it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, NamedTuple, Protocol, runtime_checkable

from jaxtyping import Float
from torch import Tensor

Tensors = Mapping[str, Tensor]
"""Tensors by name that an optimiser remembers from one update to the next."""


class Evaluation(NamedTuple):
    """The objective at some parameters: each task's, and the gradient of the mean."""

    losses: Float[Tensor, "N"]
    gradient: Float[Tensor, "P"]


class Comparison(NamedTuple):
    """New parameters beside the old ones: each task's objective and KL(old || new), in nats."""

    losses: Float[Tensor, "N"]
    kls: Float[Tensor, "N"]
    """KL of the adapted policies."""
    inner_kls: tuple[Float[Tensor, "N"], ...] = ()
    """KL of the policies before each inner step, where the objective depends on them."""


@runtime_checkable
class Problem(Protocol):
    """A function of theta that an update minimises: a mean over tasks, sampled at the old theta."""

    def at_old(self) -> Evaluation:
        """Return losses and gradient at the old theta."""
        ...

    def fisher_product(self, vector: Float[Tensor, "P"], fraction: float = 1.0) -> Float[Tensor, "P"]:
        """Return the Hessian of the mean KL(old || new) at the old theta, times ``vector``.

        Args:
            fraction: part of the samples to take the mean over.
        """
        ...

    def at(self, theta: Float[Tensor, "P"]) -> Evaluation:
        """Return losses and gradient at another theta."""
        ...

    def evaluate(self, theta: Float[Tensor, "P"]) -> Comparison:
        """Return each task's losses and KLs at another theta."""
        ...


@dataclass(frozen=True)
class Step:
    """The result of an optimiser's step.

    Args:
        theta: the new meta-parameters; if the step was not accepted the old ones, to the bit.
        memory: what the optimiser remembers.
        before: losses and gradient at the old theta.
        after: losses and KLs at the new theta.
        accepted: whether theta changed.
        details: what else there is to report.
    """

    theta: Float[Tensor, "P"]
    memory: Tensors
    before: Evaluation
    after: Comparison
    accepted: bool = True
    details: Mapping[str, float | int] = field(default_factory=dict)


@runtime_checkable
class OuterOptimizer(Protocol):
    """A rule that makes the next theta from a problem and the last one."""

    repeats_products: ClassVar[bool]
    """True if `Problem.fisher_product` is asked for often, so that what it needs is worth keeping."""

    def init(self, theta: Float[Tensor, "P"]) -> Tensors:
        """Return what the optimiser remembers before its first step."""
        ...

    def step(self, problem: Problem, theta: Float[Tensor, "P"], memory: Tensors) -> Step:
        """Take one step from the old theta.

        Raises:
            FloatingPointError: numbers are NaN or infinite; the message names the quantity and the tasks.
        """
        ...
