"""All of a task's adaptation, linearised: from theta to the action distributions of every round."""

from collections.abc import Iterable, Sequence

from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation.base import AdaptationStep, DifferentiableAdaptation
from maml_rl.losses import Round
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.stacked import StackedEpisodes


class Unrolled:
    """N tasks that adapt side by side from ``theta``, one step after each round but the last.

    Args:
        theta: the meta-parameters, in the precision of the episodes.
        batches: the rounds' episodes; the last ones are sampled after adaptation.
        path: parameters before each step and after the last, if they are not to follow from ``batches``.
    """

    def __init__(
        self,
        adaptation: DifferentiableAdaptation,
        theta: Float[Tensor, "P"],
        batches: Sequence[StackedEpisodes],
        path: Sequence[Float[Tensor, "N P"]] = (),
    ):
        *train, valid = batches
        self._adaptation = adaptation
        self.steps: list[AdaptationStep] = []
        self.path = [*path] or [adaptation.start(theta, valid.weights.shape[0])]
        """The parameters before each step and after the last, which are phi."""
        for i, batch in enumerate(train):
            self.steps.append(adaptation.linearise(self.path[i], batch))
            if not path:
                self.path.append(self.steps[-1].params)
        self._valid = adaptation.policy.linearise(valid.observations, self.path[-1])
        pis = [*(step.pi for step in self.steps), self._valid.pi]
        self.rounds = [Round(pi, batch) for pi, batch in zip(pis, batches, strict=True)]

    def jvp(self, vectors: Float[Tensor, "N P"]) -> ActionDistribution:
        """Return how the last round's distribution changes when theta does."""
        vectors = self._adaptation.learned(vectors)
        for step in self.steps:
            vectors = step.jvp(vectors)
        return self._valid.jvp(vectors)

    def vjp(self, cotangents: Sequence[Iterable[Tensor] | None]) -> Float[Tensor, "N P"]:
        """Return the gradient by theta of a loss whose gradient by each round's distribution is known.

        Args:
            cotangents: one per round, or that of the last alone; None where the loss does not depend on one.
        """
        *train, valid = cotangents
        train = train or [None] * len(self.steps)
        assert valid is not None
        vectors = self._valid.vjp(valid)
        for step, cotangent in zip(reversed(self.steps), reversed(train), strict=True):
            vectors = step.vjp(vectors, cotangent)
        return self._adaptation.learned(vectors)
