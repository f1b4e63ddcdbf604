"""The outer problem of a policy that remembers: an objective of sequences, differentiated through time."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int
from torch import Tensor

from maml_rl.errors import check_finite
from maml_rl.losses import mean, mean_entropy, mean_kl
from maml_rl.metalearners.chunks import ParallelMap
from maml_rl.metalearners.trials import Sequences
from maml_rl.optim.base import Comparison, Evaluation
from maml_rl.policies.autograd import AutogradLinearisation
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.policies.recurrent import RecurrentPolicy, Unrolled
from maml_rl.stacked import StackedEpisodes

CPU_ROWS = 128
"""Sequences to run side by side on a CPU: the states of many more would fall out of a core's cache."""
HINT = ": look for non-finite rewards or observations, or lower the learning rate"


@dataclass(frozen=True)
class SequenceLoss:
    """What is minimised: ``surrogate - c entropy + v (V - target)² / 2``, one number a sequence.

    Args:
        surrogate: of the policy, ``[B]``.
        entropy: its coefficient c.
        value: the critic's coefficient v.
    """

    surrogate: Callable[[ActionDistribution, StackedEpisodes], Float[Tensor, "B"]]
    entropy: float = 0.0
    value: float = 0.0

    def of_policy(self, pi: ActionDistribution, batch: StackedEpisodes) -> Float[Tensor, "B"]:
        """Return the part without the critic's."""
        loss = self.surrogate(pi, batch)
        return loss - self.entropy * mean_entropy(pi, batch) if self.entropy else loss

    def __call__(
        self, unrolled: Unrolled, batch: StackedEpisodes, targets: Float[Tensor, "B L"]
    ) -> Float[Tensor, "B"]:
        """Return each sequence's loss."""
        loss = self.of_policy(unrolled.pi, batch)
        if unrolled.values is None:
            return loss
        return loss + 0.5 * self.value * mean((unrolled.values - targets).square(), batch)


class TrialProblem:
    """`maml_rl.optim.base.Problem` of sequences, whose weights add up to 1 in each task.

    On a CPU a few sequences at a time are a thread's; what they answer is summed in their order, float64.

    Args:
        theta: the old meta-parameters, which sampled the sequences.
        parallel_map: see `maml_rl.metalearners.chunks.chunk_threads`.
        keep: whether what Fisher products need is kept, at a cost in memory.
    """

    def __init__(  # noqa: PLR0913
        self,
        policy: RecurrentPolicy,
        theta: Float[Tensor, "P"],
        sequences: Sequences,
        loss: SequenceLoss,
        parallel_map: ParallelMap,
        keep: bool = True,
    ):
        self._policy, self._theta, self._loss, self._keep = policy, theta, loss, keep
        self._sequences, self._map = sequences, parallel_map
        self._kept: dict[tuple[float, int], AutogradLinearisation] = {}
        self._moving = policy.layout.mask(policy.moving).to(theta)
        self.size = len(sequences.tasks)
        """Sequences."""
        self._num_tasks = int(sequences.tasks.max()) + 1
        old = self._map(lambda rows: self._unrolled(theta, rows).pi, row_chunks(self._all_rows))
        self._old = type(old[0])(*(torch.cat(parts) for parts in zip(*old, strict=True)))
        batch = self._batch(self._all_rows)
        self.losses_before = self._of_tasks(loss.of_policy(self._old, batch))
        """Each task's objective at the old theta, without the critic's part."""
        check_finite("surrogate losses", self.losses_before, hint=HINT)
        self.entropies = self._of_tasks(mean_entropy(self._old, batch))
        """Each task's entropy at the old theta, in nats."""

    def at_old(self) -> Evaluation:
        """Return losses and gradient at the old theta.

        Raises:
            FloatingPointError: the gradient is NaN or infinite; so too of the other questions.
        """
        return Evaluation(self.losses_before, self._checked(self.gradient(self._theta, self._all_rows)))

    def at(self, theta: Float[Tensor, "P"]) -> Evaluation:
        """Return losses and gradient at another theta."""
        gradient = self.gradient(theta, self._all_rows)
        return Evaluation(self.evaluate(theta).losses, self._checked(gradient))

    def gradient(self, theta: Float[Tensor, "P"], rows: Int[Tensor, "n"]) -> Float[Tensor, "P"]:
        """Return the gradient of the mean over the sequences ``rows``, float64."""

        def of_chunk(chunk: Tensor) -> Tensor:
            with torch.enable_grad():
                leaf = theta.detach().requires_grad_()
                unrolled = self._run(leaf, chunk)
                loss = self._loss(unrolled, self._batch(chunk), self._sequences.targets[chunk])
                return torch.autograd.grad(loss.sum(), leaf)[0]

        total = _sum(self._map(of_chunk, row_chunks(rows)))
        return total * self._moving / self._sequences.weights[rows].double().sum()

    def fisher_product(self, vector: Float[Tensor, "P"], fraction: float = 1.0) -> Float[Tensor, "P"]:
        """Return the Hessian of the mean KL(old || new) at the old theta, times ``vector``, through time.

        It is ``Jᵀ F J``, where ``F`` is the Fisher matrix of the distributions' own numbers and ``J`` their
        Jacobian by theta.

        Args:
            fraction: part of the sequences to take the mean over: every so many of them.
        """
        count = max(1, round(fraction * self.size))
        rows = torch.arange(count, device=vector.device) * self.size // count
        tangent = vector.to(self._theta.dtype)[None]

        def of_chunk(numbered: tuple[int, Tensor]) -> Tensor:
            number, chunk = numbered
            at = self._kept.get((fraction, number)) or self._linearised(chunk)
            if self._keep:
                self._kept[fraction, number] = at
            return at.vjp(at.pi.fisher(at.jvp(tangent), self._sequences.weights[chunk]))[0]

        total = _sum(self._map(of_chunk, enumerate(row_chunks(rows))))
        return self._checked(total / self._sequences.weights[rows].double().sum())

    def evaluate(self, theta: Float[Tensor, "P"]) -> Comparison:
        """Return each task's losses, without the critic's part, and KLs at another theta."""

        def of_chunk(chunk: Tensor) -> tuple[Tensor, Tensor]:
            pi, batch = self._unrolled(theta, chunk).pi, self._batch(chunk)
            return self._loss.of_policy(pi, batch), mean_kl(pi, batch)

        losses, kls = zip(*self._map(of_chunk, row_chunks(self._all_rows)), strict=True)
        return Comparison(self._of_tasks(torch.cat(losses)), self._of_tasks(torch.cat(kls)))

    @property
    def _all_rows(self) -> Int[Tensor, "B"]:
        return torch.arange(self.size, device=self._theta.device)

    def _batch(self, rows: Int[Tensor, "n"]) -> StackedEpisodes:
        batch = self._sequences.take(rows).stacked()
        return batch._replace(old=type(self._old)(*(x[rows] for x in self._old)))

    def _run(self, theta: Float[Tensor, "P"], rows: Int[Tensor, "n"]) -> Unrolled:
        inputs, states = self._sequences.inputs[rows], self._sequences.states[rows]
        return self._policy.unroll(self._policy.unflatten(theta), inputs, states)

    @torch.no_grad()
    def _unrolled(self, theta: Float[Tensor, "P"], rows: Int[Tensor, "n"]) -> Unrolled:
        return self._run(theta, rows)

    def _linearised(self, rows: Int[Tensor, "n"]) -> AutogradLinearisation:
        inputs, states = self._sequences.inputs[rows], self._sequences.states[rows]
        return self._policy.linearise_sequences(inputs, states, self._theta)

    def _of_tasks(self, of_sequences: Float[Tensor, "B"]) -> Float[Tensor, "N"]:
        sums = of_sequences.new_zeros(self._num_tasks, dtype=torch.float64)
        return sums.index_add(0, self._sequences.tasks, of_sequences.double()).to(of_sequences.dtype)

    def _checked(self, vector: Float[Tensor, "P"]) -> Float[Tensor, "P"]:
        if not bool(vector.isfinite().all()):
            raise FloatingPointError(f"gradients or Fisher-vector products are NaN or infinite{HINT}")
        return vector


def row_chunks(rows: Int[Tensor, "n"]) -> tuple[Tensor, ...]:
    """Return the numbers of sequences that are run side by side, a few on a CPU, elsewhere all."""
    return torch.split(rows, CPU_ROWS if rows.device.type == "cpu" else len(rows))


def _sum(vectors: Iterable[Tensor]) -> Float[Tensor, "P"]:
    """Return the sum in order, float64."""
    return torch.stack([vector.double() for vector in vectors]).sum(0)
