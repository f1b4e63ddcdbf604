"""A part of the steps: what `StackedEpisodes` keeps of them, and Fisher products that are means over it."""

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import count, takewhile
from math import ceil

import numpy as np
import pytest
import torch
from torch import Tensor

from maml_rl.adaptation import GradientStep
from maml_rl.config import Config, MeanOver
from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.losses import Loss, inner_loss, reinforce, surrogate
from maml_rl.metalearners.problem import TaskChunk
from maml_rl.policies.distributions import CategoricalLogits
from maml_rl.samplers import Recipe
from maml_rl.stacked import StackedEpisodes, StepOrder, stack_episodes
from maml_rl.training import Run, RunSettings
from tests.builders import both_families, make_policy, random_episodes, same_bits, stacked
from tests.oracles.maml import Episode

LENGTHS = ((4, 2, 1, 3, 2), (3, 5, 2, 1, 6), (1, 1, 1, 1, 1))
"""Of the K = 5 episodes of three tasks."""
fractions = pytest.mark.parametrize("fraction", [0.01, 0.2, 0.25, 0.5, 0.61, 1.0])


def recorded(lengths: Sequence[int], rng: np.random.Generator, mean_over: MeanOver) -> BatchEpisodes:
    """Episodes of one task; behind their ends is 0, as samplers leave it."""
    steps, episodes = max(lengths), len(lengths)
    real = np.arange(steps)[:, None] < np.array(lengths)

    def numbers(*shape: int) -> Tensor:
        drawn = rng.standard_normal((steps, episodes, *shape)) * real.reshape(
            steps, episodes, *(1 for _ in shape)
        )
        return torch.from_numpy(drawn)

    actions = torch.from_numpy(rng.integers(3, size=(steps, episodes)) * real)
    scale = torch.tensor(rng.uniform(0.5, 2.0), dtype=torch.float64)
    data = EpisodeData(numbers(2), actions, numbers(), torch.tensor(lengths), reward_scale=scale)
    return BatchEpisodes.from_data(data, 0.9, numbers(), mean_over=mean_over)


def batch_and_tasks(mean_over: MeanOver = "episodes") -> tuple[StackedEpisodes, list[BatchEpisodes]]:
    rng = np.random.default_rng(0)
    tasks = [recorded(lengths, rng, mean_over) for lengths in LENGTHS]
    batch = stack_episodes(tasks)
    old = CategoricalLogits(torch.from_numpy(rng.standard_normal((*batch.weights.shape, 3))))
    return batch._replace(old=old, weights=batch.weights.double()), tasks


def steps_of(batch: StackedEpisodes, task: int) -> dict[tuple[int, int], int]:
    """Where each real step stands, by time and episode."""
    order = batch.step_order
    episodes = order.lengths.shape[1]
    places = zip(order.places[task].tolist(), batch.weights[task].tolist(), strict=True)
    return {divmod(place, episodes): i for i, (place, weight) in enumerate(places) if weight > 0}


def first_lengths(lengths: Sequence[int], fraction: float) -> list[list[int]]:
    """Times of each episode, of the first ones."""
    return [list(range(length)) for length in lengths[: ceil(fraction * len(lengths))]]


def spread_times(lengths: Sequence[int], fraction: float) -> list[list[int]]:
    """Times of each episode, ``1 / fraction`` apart; those of episode k lie k steps earlier."""
    apart = 1 / Fraction(str(fraction))
    numbers = list(takewhile(lambda x: x < 100, (int(m * apart) for m in count())))
    return [
        [number - k for number in numbers if 0 <= number - k < length] for k, length in enumerate(lengths)
    ]


Part = Callable[[StackedEpisodes, float], StackedEpisodes]
Times = Callable[[Sequence[int], float], list[list[int]]]
WAYS: dict[str, tuple[Part, Times]] = {
    "steps": (StackedEpisodes.part, spread_times),
    "episodes": (StackedEpisodes.first_episodes, first_lengths),
}
each_way = pytest.mark.parametrize(("part_of", "times_of"), WAYS.values(), ids=WAYS)


@fractions
@each_way
@pytest.mark.parametrize("mean_over", ["episodes", "steps"])
def test_steps_are_kept_in_order(part_of: Part, times_of: Times, fraction: float, mean_over: MeanOver):
    batch, tasks = batch_and_tasks(mean_over)
    part, rank = part_of(batch, fraction), 0
    for n, episodes in enumerate(tasks):
        lengths, times = LENGTHS[n], times_of(LENGTHS[n], fraction)
        expected = sorted((t, k) for k, of_episode in enumerate(times) for t in of_episode)
        share = {k: 1.0 if mean_over == "steps" else 1 / lengths[k] for k in range(len(lengths))}
        total = sum(share[k] for _, k in expected)
        where = steps_of(batch, n)
        assert (part.weights[n] > 0).sum() == len(expected) > 0
        for i, (t, k) in enumerate(expected):  # In the order of time, and of episodes within it.
            assert float(part.weights[n, i]) == pytest.approx(share[k] / total, rel=1e-6)
            assert torch.equal(part.observations[n, i], episodes.observations[t, k])
            assert part.actions[n, i] == episodes.actions[t, k]
            assert part.advantages[n, i] == episodes.advantages[t, k]
            assert torch.equal(part.old_policy.logits[n, i], batch.old_policy.logits[n, where[t, k]])
        rank = max(rank, len(expected))
    assert part.weights.shape[1] == part.observations.shape[1] == rank
    torch.testing.assert_close(part.weights.sum(1), torch.ones(3, dtype=torch.float64))


def test_tasks_whose_first_episodes_are_empty_have_some_step():
    batch = stack_episodes([recorded((0, 0, 1, 1), np.random.default_rng(0), "episodes")])
    assert batch.part(0.1).weights.tolist() == [[1.0]]


@fractions
def test_only_whole_episodes_say_how_steps_follow_one_another(fraction: float):
    batch, tasks = batch_and_tasks()
    whole = batch.first_episodes(fraction)
    assert not whole.step_order.rewards[whole.weights == 0].any()
    for n, episodes in enumerate(tasks):
        for (t, k), i in steps_of(whole, n).items():
            assert whole.step_order.rewards[n, i] == episodes.rewards[t, k]
    with pytest.raises(ValueError, match=r"is made by Loss\(value, of_whole_episodes=True\)$"):
        inner_loss("dice", 0.9)(batch.old_policy, batch.part(fraction))


def test_all_times_are_looked_at_equally_often():
    batch = stack_episodes([recorded((40,) * 8, np.random.default_rng(0), "episodes")])
    times = batch.step_order.places // 8
    part = batch._replace(advantages=times.float()).part(0.25)
    assert part.advantages[0].long().bincount().tolist() == [2] * 40


def dice_by_loops(
    batch: StackedEpisodes, tasks: list[BatchEpisodes], taken: int, logits: Tensor
) -> np.ndarray:
    """Loaded DiCE of each task's first episodes, a mean over episodes, away from the old policy."""
    losses = []
    for n, episodes in enumerate(tasks):
        index, loss = steps_of(batch, n), 0.0
        for k in range(taken):
            ratio = 1.0
            for t in range(LENGTHS[n][k]):
                action = int(episodes.actions[t, k])
                new, old = (x[n, index[t, k]].softmax(0) for x in (logits, batch.old_policy.logits))
                before, ratio = ratio, ratio * float(new[action] / old[action])
                loss -= float(episodes.advantages[t, k]) * (ratio - before) / (taken * LENGTHS[n][k])
        losses.append(loss)
    return np.array(losses)


@fractions
def test_losses_of_whole_episodes_take_the_first(fraction: float):
    batch, tasks = batch_and_tasks()
    change = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3)))
    logits = batch.old_policy.logits + batch.observations @ change
    part = inner_loss("dice", 0.9).part(batch, fraction)
    moved = CategoricalLogits(part.old_policy.logits + part.observations @ change)
    expected = dice_by_loops(batch, tasks, ceil(fraction * 5), logits)
    np.testing.assert_allclose(inner_loss("loaded-dice", 0.9)(moved, part), expected, rtol=1e-6)
    alone = stack_episodes([first_episodes(task, ceil(fraction * 5)) for task in tasks])
    alone = alone._replace(old=part.old_policy, weights=alone.weights.double())
    for name in ("dice", "loaded-dice"):
        loss = inner_loss(name, 0.9)
        assert torch.equal(loss.part(batch, fraction).weights, part.weights)
        torch.testing.assert_close(loss(moved, part), loss(moved, alone), rtol=1e-6, atol=1e-9)


def first_episodes(task: BatchEpisodes, number: int) -> BatchEpisodes:
    """As if no others had been sampled."""
    lengths = task.data.lengths[:number]
    steps = int(lengths.max())
    observations, actions, rewards = (x[:steps, :number] for x in task.data[:3])
    data = EpisodeData(observations, actions, rewards, lengths, reward_scale=task.data.reward_scale)
    return BatchEpisodes.from_data(data, 0.9, task.advantages[:steps, :number])


@each_way
def test_without_their_order_episodes_have_no_parts(part_of: Part, times_of: Times):
    with pytest.raises(ValueError, match=r"^the order of these steps is not known"):
        part_of(batch_and_tasks()[0]._replace(order=None), 0.5)


def with_order(tasks: Sequence[Sequence[Episode]]) -> StackedEpisodes:
    """Float64 episodes side by side, one after the other, of which it is known how they follow."""
    batch, number = stacked(tasks), max(map(len, tasks))
    places = torch.zeros(batch.weights.shape, dtype=torch.long)
    lengths = torch.zeros(len(tasks), number, dtype=torch.long)
    for n, episodes in enumerate(tasks):
        each = [t * number + k for k, e in enumerate(episodes) for t in range(len(e.advantages))]
        places[n, : len(each)] = torch.tensor(each)
        lengths[n, : len(episodes)] = torch.tensor([len(e.advantages) for e in episodes])
    rewards = batch.advantages * (batch.weights > 0)
    scale = torch.ones(len(tasks), dtype=torch.float64)
    return batch._replace(order=StepOrder(rewards, places, lengths, scale))


def steps_twice(episodes: list[Episode]) -> list[Episode]:
    """Each step followed by itself."""
    return [Episode(*(x.repeat_interleave(2, 0) for x in episode)) for episode in episodes]


Repeat = Callable[[list[Episode]], list[Episode]]


def make_chunk(family: str, loss: Loss, repeat: Repeat = list, keep: bool = True) -> tuple[TaskChunk, Tensor]:
    """Two tasks with two inner steps, their episodes repeated in some way, and a vector."""
    policy, rng = make_policy(family), np.random.default_rng(3)
    rounds = [[repeat(random_episodes(policy, (4, 2), rng)) for _ in range(2)] for _ in range(3)]
    theta = policy.get_vector().double()
    adaptation = GradientStep(policy, loss, 0.3)
    chunk = TaskChunk(adaptation, theta, [with_order(tasks) for tasks in rounds], surrogate, keep)
    return chunk, torch.from_numpy(rng.standard_normal(theta.shape))


LOSSES: dict[str, tuple[Loss, Repeat]] = {
    "reinforce": (reinforce, steps_twice),
    "custom": (Loss(reinforce), steps_twice),
    "dice": (inner_loss("dice", 0.9), lambda episodes: [*steps_twice(episodes), *steps_twice(episodes)]),
}
each_loss = pytest.mark.parametrize(("loss", "repeat"), LOSSES.values(), ids=LOSSES)


@both_families
@each_loss
def test_the_whole_as_a_part_gives_the_same_products(family: str, loss: Loss, repeat: Repeat):
    chunk, vector = make_chunk(family, loss, repeat)
    whole = chunk.fisher_product(vector)
    part = chunk._unroll_part(1.0)
    pi, batch = part.rounds[-1]
    product = part.vjp([pi.fisher(part.jvp(vector.expand(chunk.size, -1)), batch.weights)])
    torch.testing.assert_close(product, whole, rtol=1e-10, atol=1e-12)


@both_families
@each_loss
def test_half_of_what_comes_twice_is_as_good_as_all(family: str, loss: Loss, repeat: Repeat):
    twice, vector = make_chunk(family, loss, repeat)
    once, _ = make_chunk(family, loss)
    whole = twice.fisher_product(vector)
    torch.testing.assert_close(twice.fisher_product(vector, 0.5), whole)
    assert (once.fisher_product(vector) - once.fisher_product(vector, 0.5)).abs().max() > 1e-4


@both_families
def test_what_is_kept_gives_the_same_bits(family: str):
    kept, vector = make_chunk(family, reinforce)
    anew, _ = make_chunk(family, reinforce, keep=False)
    for chunk in (kept, anew):
        chunk.at_old()
    for factor in (1.0, -2.0):
        products = [chunk.fisher_product(factor * vector, 0.25) for chunk in (kept, anew)]
        assert same_bits(*products)


def updated(fraction: float) -> tuple[Tensor, list[dict[str, float]]]:
    """Theta after three updates of MAML-TRPO, and what they reported."""
    sizes = {"meta_batch_size": 4, "fast_batch_size": 8, "num_steps": 1, "hidden_sizes": (8,)}
    env = {"env_name": "2DNavigation-v0", "env_kwargs": {"max_episode_steps": 10}}
    config = Config(metalearner="maml-trpo", fisher_fraction=fraction, **sizes, **env)
    reports = []
    with Run(config, RunSettings(seed=2)) as run:
        state = run.init()
        for i in range(3):
            tasks = run.sampler.sample_tasks(config.meta_batch_size, iteration=i)
            update = run.update(state, run.sampler.sample_async(tasks, state.theta, Recipe.of(config), i))
            state = update.state
            reports.append(dict(update.metrics))
    return state.theta, reports


def test_maml_trpo_accepts_steps_from_a_part_and_repeats():
    theta, reports = updated(0.25)
    assert all(report["accepted"] for report in reports)
    assert all(0 < report["kl"] <= 0.01 for report in reports)
    again, same = updated(0.25)
    assert same_bits(theta, again)
    assert reports == same
    whole, others = updated(1.0)
    assert all(report["accepted"] for report in others)
    assert not torch.equal(theta, whole)
