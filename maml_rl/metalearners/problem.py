"""The outer problem of one update: the objective after adaptation, as a function of theta."""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import DifferentiableAdaptation, Unrolled
from maml_rl.errors import check_finite
from maml_rl.losses import Objective, Round, mean_entropy, mean_kl
from maml_rl.metalearners.tasks import Answer, Tasks
from maml_rl.optim.base import Comparison, Evaluation
from maml_rl.stacked import StackedEpisodes

HINT = ": look for non-finite rewards or observations, or lower fast-lr"
HINT_ELSEWHERE = ": lower the size of the outer step, learning-rate or max-kl, or fast-lr"


class TaskChunk:
    """N tasks of a meta-batch, and what an outer step asks of them. Answers are per task.

    Args:
        theta: the old meta-parameters, which sampled the episodes.
        batches: the rounds' episodes.
        keep: whether what is linearised at the old theta is kept for further questions, at a cost in memory;
            the answers are the same to the bit.
    """

    def __init__(
        self,
        adaptation: DifferentiableAdaptation,
        theta: Float[Tensor, "P"],
        batches: Sequence[StackedEpisodes],
        objective: Objective,
        keep: bool,
    ):
        self._adaptation, self._objective = adaptation, objective
        self._batches = list(batches)
        self._theta, self._keep = theta, keep
        self.size, self._dtype = batches[-1].weights.shape[0], batches[-1].weights.dtype
        self._kept: Unrolled | None = None
        self._kept_part: Unrolled | None = None
        self._path: Sequence[Float[Tensor, "N P"]] = ()

    def at_old(
        self,
    ) -> tuple[Float[Tensor, "N"], Float[Tensor, "N P"], Float[Tensor, "N"], Float[Tensor, "N"]]:
        """Return each task's objective at the old theta, its gradient through adaptation, `[N, P]`, and more.

        That is the entropy after adaptation, in nats, and the norm of the inner gradients, mean over steps.
        """
        unrolled = self._unroll_old()
        losses, gradients = self._objective_at(unrolled)
        entropies = mean_entropy(*unrolled.rounds[-1])
        norms = [step.gradient_norms for step in unrolled.steps] or [torch.zeros_like(entropies)]
        return losses, gradients, entropies, torch.stack(norms).mean(0)

    def at(self, theta: Float[Tensor, "P"]) -> tuple[Float[Tensor, "N"], Float[Tensor, "N P"]]:
        """Return each task's objective at another theta, and its gradient."""
        self._know_old()
        return self._objective_at(self._unroll(theta))

    def fisher_product(self, vector: Float[Tensor, "P"], fraction: float = 1.0) -> Float[Tensor, "N P"]:
        """Return the Hessian of each task's KL(old || new) at the old theta, times ``vector``.

        At the old theta the gradient of the KL is zero, so its Hessian has no term with the second derivative
        of adaptation. It is ``Jᵀ F J``, where ``F`` is the Fisher matrix of the action distribution's own
        numbers and ``J`` their Jacobian by theta. No third derivative is taken.

        Args:
            fraction: part of the steps to take expectations over, in every round; adaptation has had all.
        """
        unrolled = self._unroll_old() if fraction == 1 else self._unroll_part(fraction)
        pi, batch = unrolled.rounds[-1]
        tangent = unrolled.jvp(vector.to(self._dtype).expand(self.size, -1))
        return unrolled.vjp([pi.fisher(tangent, batch.weights)])

    def evaluate(self, theta: Float[Tensor, "P"]) -> tuple[Float[Tensor, "N"], ...]:
        """Return each task's objective at another theta, and KL(old || new) of the rounds that it reads."""
        self._know_old()
        with torch.no_grad():
            rounds = self._rounds(theta.to(self._dtype))
            return self._objective(rounds), *(mean_kl(*each) for each in rounds)

    def _rounds(self, theta: Float[Tensor, "P"]) -> list[Round]:
        """Return the rounds that the objective reads, nothing linearised."""
        policy, rounds = self._adaptation.policy, []
        params = self._adaptation.start(theta, self.size)
        for step, batch in enumerate(self._batches, start=1):
            last = step == len(self._batches)
            if last or not self._objective.of_valid_alone:
                rounds.append(Round(policy.outputs(batch.observations, policy.unflatten(params)), batch))
            if not last:
                params = self._adaptation.step(params, batch)
        return rounds

    def _objective_at(self, unrolled: Unrolled) -> tuple[Float[Tensor, "N"], Float[Tensor, "N P"]]:
        rounds = unrolled.rounds[-1:] if self._objective.of_valid_alone else unrolled.rounds
        return self._objective(rounds), unrolled.vjp(self._objective.gradients(rounds))

    def _know_old(self) -> None:
        """Set each round's old policy, which stays what it was wherever theta moves."""
        if any(batch.old is None for batch in self._batches):
            self._unroll_old()

    def _unroll_old(self) -> Unrolled:
        unrolled = self._kept or self._unroll(self._theta)
        if any(batch.old is None for batch in self._batches):
            unrolled.rounds = [
                Round(pi, batch._replace(old=pi) if batch.old is None else batch)
                for pi, batch in unrolled.rounds
            ]
            self._batches = [batch for _, batch in unrolled.rounds]
        if self._keep:
            self._kept = unrolled
        return unrolled

    def _unroll_part(self, fraction: float) -> Unrolled:
        """Linearise at a part of the steps, along the path that all of them gave."""
        if self._kept_part is not None:
            return self._kept_part
        self._path = self._path or self._unroll_old().path  # Small beside what is linearised.
        *train, valid = self._batches
        parts = [*(self._adaptation.part(batch, fraction) for batch in train), valid.part(fraction)]
        unrolled = Unrolled(self._adaptation, self._theta.to(self._dtype), parts, self._path)
        if self._keep:
            self._kept, self._kept_part = None, unrolled  # The whole has answered its questions.
        return unrolled

    def _unroll(self, theta: Float[Tensor, "P"]) -> Unrolled:
        return Unrolled(self._adaptation, theta.to(self._dtype), self._batches)


class MetaProblem:
    """`maml_rl.optim.base.Problem` of a meta-batch.

    Args:
        tasks: answer as a `TaskChunk` does.
    """

    def __init__(self, tasks: Tasks):
        self._tasks = tasks
        answer = tasks.ask("at_old")
        losses, self.entropies, self.inner_grad_norms = answer.numbers
        self._at_old = _evaluation(losses, answer)

    def at_old(self) -> Evaluation:
        """Return losses and gradient at the old theta.

        Raises:
            FloatingPointError: some are NaN or infinite; so too of the other questions.
        """
        return self._at_old

    def fisher_product(self, vector: Float[Tensor, "P"], fraction: float = 1.0) -> Float[Tensor, "P"]:
        """Return the Hessian of the valid round's mean KL(old || new) at the old theta, times ``vector``."""
        return self._tasks.ask("fisher_product", vector, fraction).mean("Fisher-vector products", HINT)

    def at(self, theta: Float[Tensor, "P"]) -> Evaluation:
        """Return losses and gradient at another theta."""
        answer = self._tasks.ask("at", theta)
        return _evaluation(answer.numbers[0], answer, HINT_ELSEWHERE)

    def evaluate(self, theta: Float[Tensor, "P"]) -> Comparison:
        """Return each task's losses and KLs at another theta."""
        losses, *inner, kls = self._tasks.ask("evaluate", theta).numbers
        return Comparison(losses, kls, tuple(inner))


def _evaluation(losses: Float[Tensor, "N"], answer: Answer, hint: str = HINT) -> Evaluation:
    check_finite("surrogate losses", losses, hint=hint)
    return Evaluation(losses, answer.mean("meta-gradients", hint))
