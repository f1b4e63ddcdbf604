"""What all gradient-based meta-learners share: waiting for episodes, and spreading chunks over threads."""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Protocol, TypedDict, TypeVar, runtime_checkable

import numpy as np
import torch
from numpy.typing import NDArray

from maml_rl.adaptation import CPU_CHUNK_STEPS
from maml_rl.episode import BatchEpisodes, StackedEpisodes, stack_episodes
from maml_rl.policies.base import Policy
from maml_rl.threads import one_intra_op_thread

S = TypeVar("S")
T = TypeVar("T")


@runtime_checkable
class EpisodesFuture(Protocol):
    """Anything whose ``result()`` is episodes: our futures, `concurrent.futures`, resolved asyncio ones."""

    def result(self) -> BatchEpisodes:
        """Return the episodes, waiting for them if need be."""
        ...


Episodes = EpisodesFuture | BatchEpisodes
Chunk = tuple[list[StackedEpisodes], StackedEpisodes]
"""Train episodes of each inner step, and valid episodes, of the same tasks."""


class StepResult(TypedDict):
    """What a meta-update did. Arrays hold one number per task, ``[N]``."""

    loss_before: NDArray[np.float32]
    """Surrogate loss at the old parameters."""
    kl_before: NDArray[np.float32]
    """KL(old || new) at the old parameters: 0."""
    loss_after: NDArray[np.float32]
    """Surrogate loss at the parameters that the update left."""
    kl_after: NDArray[np.float32]
    """KL(old || new), in nats, at the parameters that the update left."""
    accepted: bool
    """Whether the parameters changed; if not, they are the old ones to the bit."""
    kl: float
    """Mean of ``kl_after``."""
    improvement: float
    """By how much the mean surrogate loss fell."""
    backtracks: int
    """How often the line search shortened the step."""
    cg_residual: float
    """Norm of ``g - (F + damping) s`` after conjugate gradient."""
    grad_norm: float
    """Norm of the meta-gradient."""
    inner_grad_norm: float
    """Norm of the inner gradients, mean over inner steps and tasks; 0 without inner steps."""
    entropy: float
    """Of the adapted policies at the old parameters, in nats, mean over tasks."""


class GradientBasedMetaLearner:
    """A learner of initial parameters from which tasks adapt by gradient steps.

    Args:
        policy: its parameters are theta; it is moved to ``device`` and updated in place.
        device: where the updates are computed.
    """

    def __init__(self, policy: Policy, device: torch.device | str = "cpu"):
        self.device = torch.device(device)
        self.policy = policy.to(self.device)
        self.seconds_waiting = 0.0
        """How long the last update waited for episodes."""

    def chunks(self, train: Sequence[Sequence[Episodes]], valid: Sequence[Episodes]) -> Iterator[Chunk]:
        """Yield the tasks in order, a chunk as soon as its episodes are there.

        On a CPU a chunk has at most `CPU_CHUNK_STEPS` steps (or one task); elsewhere it is the
        whole meta-batch.

        Raises:
            ValueError: there are no tasks, or an inner step has train episodes of another number of them
                than ``valid``.
        """
        if not valid:
            raise ValueError("no tasks: an update needs episodes of at least one")
        for step, futures in enumerate(train):
            if len(futures) != len(valid):
                raise ValueError(
                    f"train episodes of step {step} are of {len(futures)} tasks, valid ones of {len(valid)}"
                )
        limit = CPU_CHUNK_STEPS if self.device.type == "cpu" else None
        self.seconds_waiting = 0.0
        pending: list[list[BatchEpisodes]] = []
        steps = 0
        for task in range(len(valid)):
            asked = time.perf_counter()
            episodes = [_resolve(futures[task]) for futures in (*train, valid)]
            self.seconds_waiting += time.perf_counter() - asked
            size = max(batch.num_steps for batch in episodes)
            if pending and limit is not None and steps + size > limit:
                yield self._stack(pending)
                pending, steps = [], 0
            pending.append(episodes)
            steps += size
        if pending:
            yield self._stack(pending)

    def _stack(self, tasks: list[list[BatchEpisodes]]) -> Chunk:
        *train, valid = (stack_episodes(batches, self.device) for batches in zip(*tasks, strict=True))
        return train, valid


@contextmanager
def chunk_threads() -> Iterator[Callable[[Callable[[S], T], Iterable[S]], list[T]]]:
    """Open as many threads as torch was using, and yield a ``map(function, items)`` over them.

    Each computes with one intra-op thread: a thread per chunk is faster than many threads in one
    matrix product of this size. Work starts as items come; the answers keep the items' order.
    """
    with (
        one_intra_op_thread() as threads,
        ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,)) as executor,
    ):

        def parallel_map(function: Callable[[S], T], items: Iterable[S]) -> list[T]:
            futures = [executor.submit(function, item) for item in items]
            return [future.result() for future in futures]

        yield parallel_map


def _resolve(episodes: Episodes) -> BatchEpisodes:
    return episodes if isinstance(episodes, BatchEpisodes) else episodes.result()
