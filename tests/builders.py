"""Small policies and hand-made episodes that several tests share."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from hypothesis import settings
from torch import Tensor

from maml_rl.adaptation import GradientStep
from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.losses import reinforce
from maml_rl.policies import CategoricalMLPPolicy, NormalMLPPolicy, Policy
from maml_rl.stacked import StackedEpisodes
from tests.oracles.maml import Episode, Network, Reference, Task

repeatable = settings(derandomize=True, deadline=None, max_examples=50)
"""Hypothesis draws the same examples each time, however busy the machine is."""

both_families = pytest.mark.parametrize("family", ["normal", "categorical"])
first_or_second_order = pytest.mark.parametrize("first_order", [False, True], ids=["second", "first"])

OBSERVATION_SIZE = 2
FAST_LRS = {"normal": 0.3, "categorical": 2.0}
"""Large enough for the second derivatives of the inner step to matter."""
RAGGED_LENGTHS = ((4, 2, 1), (3, 5))
"""Of the episodes of two tasks: K and T differ."""
THREE_TASKS = ((4, 2, 1), (3, 5), (6,))
Batches = tuple[list[list[BatchEpisodes]], list[BatchEpisodes]]
"""``[inner step][task]`` and ``[task]``."""


def make_policy(
    family: str,
    seed: int = 0,
    hidden_sizes: Sequence[int] = (3,),
    nonlinearity: Callable[[Tensor], Tensor] = torch.tanh,
) -> Policy:
    """Two action dimensions or three actions; all parameters random, biases and scales too."""
    make = {"normal": NormalMLPPolicy, "categorical": CategoricalMLPPolicy}[family]
    actions = {"normal": 2, "categorical": 3}[family]
    policy = make(OBSERVATION_SIZE, actions, hidden_sizes, nonlinearity)
    size = policy.get_vector().numel()
    policy.set_vector(0.5 * torch.randn(size, generator=torch.Generator().manual_seed(seed)))
    return policy


def random_episodes(policy: Policy, lengths: Sequence[int], rng: np.random.Generator) -> list[Episode]:
    """Actions that the policy might take; float64 numbers that float32 holds exactly."""

    def normal(*shape: int) -> Tensor:
        return torch.from_numpy(rng.standard_normal(shape, dtype=np.float32))

    def episode(length: int) -> Episode:
        observations = normal(length, OBSERVATION_SIZE)
        pi = policy.outputs(observations, policy.unflatten(policy.get_vector()))
        actions = pi.sample(torch.from_numpy(policy.noise(rng, (length,))))
        if actions.is_floating_point():
            actions = actions.double()
        return Episode(observations.double(), actions, normal(length).double())

    return [episode(length) for length in lengths]


def random_tasks(
    policy: Policy, inner_steps: int, seed: int = 0, lengths: Sequence[Sequence[int]] = RAGGED_LENGTHS
) -> list[Task]:
    """Tasks whose train episodes have the lengths of the valid ones, turned round."""
    rng = np.random.default_rng(seed)
    return [
        Task(
            [random_episodes(policy, of_task[::-1], rng) for _ in range(inner_steps)],
            random_episodes(policy, of_task, rng),
        )
        for of_task in lengths
    ]


def stacked(tasks: Sequence[Sequence[Episode]]) -> StackedEpisodes:
    """Float64; what stands behind a task's last step is rubbish that a weight of 0 must silence."""
    longest = max(sum(len(e.advantages) for e in episodes) for episodes in tasks)

    def joined(field: int, rubbish: float) -> Tensor:
        rows = []
        for episodes in tasks:
            steps = torch.cat([episode[field] for episode in episodes])
            padding = steps.new_full((longest - len(steps), *steps.shape[1:]), rubbish)
            rows.append(torch.cat([steps, padding]))
        return torch.stack(rows)

    weights = torch.zeros(len(tasks), longest, dtype=torch.float64)
    for n, episodes in enumerate(tasks):
        each = [1 / (len(episodes) * len(e.advantages)) for e in episodes for _ in e.advantages]
        weights[n, : len(each)] = torch.tensor(each, dtype=torch.float64)
    return StackedEpisodes(joined(0, 3.0), joined(1, 1), joined(2, 50.0), weights)


def batch(episodes: Sequence[Episode]) -> BatchEpisodes:
    """The episodes as a sampler makes them: time-major, float32, zero-padded."""

    def padded(tensors: list[Tensor]) -> Tensor:
        result = torch.nn.utils.rnn.pad_sequence(tensors)
        return result.float() if result.is_floating_point() else result

    observations, actions, advantages = (padded(list(field)) for field in zip(*episodes, strict=True))
    lengths = torch.tensor([len(e.advantages) for e in episodes])
    data = EpisodeData(observations, actions, torch.zeros_like(advantages), lengths)
    return BatchEpisodes.from_data(data, 0.99, advantages)


def to_batches(tasks: Sequence[Task]) -> Batches:
    """Train and valid episodes of the tasks, as a sampler makes them."""
    train = [[batch(episodes) for episodes in step] for step in zip(*(t.train for t in tasks), strict=True)]
    return train, [batch(task.valid) for task in tasks]


@dataclass(frozen=True)
class Problem:
    """One policy, its parameters in float64, and tasks, in the package's words and in the oracle's."""

    policy: Policy
    theta: Tensor
    tasks: list[Task]
    reference: Reference

    @property
    def train(self) -> list[StackedEpisodes]:
        return [stacked(episodes) for episodes in zip(*(t.train for t in self.tasks), strict=True)]

    @property
    def valid(self) -> StackedEpisodes:
        return stacked([task.valid for task in self.tasks])

    @property
    def batches(self) -> list[StackedEpisodes]:
        """Of every round."""
        return [*self.train, self.valid]

    @property
    def adaptation(self) -> GradientStep:
        return GradientStep(self.policy, reinforce, self.fast_lr, self.reference.first_order)

    @property
    def fast_lr(self) -> float:
        return self.reference.fast_lr

    def repeated(self, vector: Tensor) -> Tensor:
        return vector.expand(len(self.tasks), -1)


def make_problem(
    family: str,
    inner_steps: int,
    first_order: bool = False,
    lengths: Sequence[Sequence[int]] = RAGGED_LENGTHS,
    hidden_sizes: Sequence[int] = (3,),
    nonlinearity: Callable[[Tensor], Tensor] = torch.tanh,
) -> Problem:
    policy = make_policy(family, hidden_sizes=hidden_sizes, nonlinearity=nonlinearity)
    theta = policy.get_vector().double()
    tasks = random_tasks(policy, inner_steps, lengths=lengths)
    network = Network.like(policy, nonlinearity=nonlinearity)
    reference = Reference(network, theta, FAST_LRS[family], first_order)
    return Problem(policy, theta, tasks, reference)


def random_vectors(problem: Problem, seed: int = 1) -> Tensor:
    """One per task, ``[N, P]``."""
    generator = torch.Generator().manual_seed(seed)
    shape = (len(problem.tasks), problem.theta.numel())
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def same_bits(a: Tensor, b: Tensor) -> bool:
    """Whether two tensors hold the same bytes (so NaN equals itself, and -0 differs from 0)."""
    return a.dtype == b.dtype and a.shape == b.shape and a.numpy().tobytes() == b.numpy().tobytes()
