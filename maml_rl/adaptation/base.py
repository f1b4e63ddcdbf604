"""The contract of inner loops."""

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation.names import after
from maml_rl.parameters import Layout
from maml_rl.policies.actor import Actor, FeedForwardActor
from maml_rl.policies.base import Policy
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.stacked import StackedEpisodes

CPU_CHUNK_STEPS = 4096
"""Steps to differentiate at once on a CPU: the activations of more would fall out of a core's cache."""


class AdaptationStep(ABC):
    """One step of adaptation of N tasks, linearised where it was taken."""

    pi: ActionDistribution
    """The policy before the step, at the step's episodes."""
    params: Float[Tensor, "N P"]
    """The parameters after the step."""
    gradient_norms: Float[Tensor, "N"]
    """The norm of each task's inner gradient."""

    @abstractmethod
    def jvp(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return how the parameters after the step change, given how those before it do."""

    @abstractmethod
    def vjp(
        self, vectors: Float[Tensor, "N P"], cotangent: Iterable[Tensor] | None = None
    ) -> Float[Tensor, "N P"]:
        """Return the gradient by the parameters before the step of a loss whose gradient after it is known.

        Args:
            vectors: the gradient by the parameters after the step.
            cotangent: the gradient by the numbers of `pi`, where the loss depends on them too.
        """


class Adaptation(ABC):
    """A rule that makes a task's parameters phi from the meta-parameters theta and the task's episodes.

    Workers, learner, tests and videos all adapt by `start` and `step`. Objects travel to worker processes.
    """

    policy: Policy
    """A template: its own parameters are the first theta, and do not matter afterwards."""
    needs_advantages: ClassVar[bool] = True
    """Whether steps or the learner look at the advantages of a round; workers compute them only then."""

    @property
    def layout(self) -> Layout:
        """The parts of theta."""
        return self.policy.layout

    def initial_theta(self) -> Float[Tensor, "P"]:
        """Return theta before the first update: the template's own parameters."""
        return self.policy.get_vector()

    def start(self, theta: Float[Tensor, "P"], num_tasks: int) -> Float[Tensor, "N P"]:
        """Return the parameters of tasks before the first step."""
        return theta.expand(num_tasks, -1)

    def actor(self, params: Float[Tensor, "N P"], episodes: int, before: Actor | None = None) -> Actor:
        """Return what acts in the tasks' next round of episodes: the policy, unless overridden.

        Args:
            episodes: of each task, side by side, K.
            before: the actor of the round before, if there was one.
        """
        return FeedForwardActor(self.policy, params)

    def round_name(self, step: int) -> str:
        """Return what pictures call the episodes after ``step`` adaptation steps."""
        return after(step)

    @abstractmethod
    def step_size(self, scale: float) -> float:
        """Return the size of a step that is ``scale`` times as long as usual; NaN if steps have none."""

    @abstractmethod
    def step(
        self, params: Float[Tensor, "N P"], batch: StackedEpisodes, scale: float = 1.0
    ) -> Float[Tensor, "N P"]:
        """Return the parameters after a step on episodes that ``params`` sampled; no graph is kept.

        Args:
            scale: length of the step over its usual one.
        """


class DifferentiableAdaptation(Adaptation):
    """An adaptation that outer steps differentiate through."""

    def learned(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return ``vectors`` with 0 for the parts of theta that outer steps leave as they are."""
        return vectors

    def part(self, batch: StackedEpisodes, fraction: float) -> StackedEpisodes:
        """Return a fraction of a train round's steps, from which the Jacobian of `step` can be estimated."""
        return batch.part(fraction)

    @abstractmethod
    def linearise(self, params: Float[Tensor, "N P"], batch: StackedEpisodes) -> AdaptationStep:
        """Return the step on episodes that ``params`` sampled, with its derivatives."""
