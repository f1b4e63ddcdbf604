"""A part of the episodes: what `StackedEpisodes.part` takes, and Fisher products that are means over it."""

from collections.abc import Sequence
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


@fractions
@pytest.mark.parametrize("mean_over", ["episodes", "steps"])
def test_the_first_episodes_are_kept_in_order(fraction: float, mean_over: MeanOver):
    batch, tasks = batch_and_tasks(mean_over)
    part = batch.part(fraction)
    taken = ceil(fraction * 5)
    for n, episodes in enumerate(tasks):
        lengths = LENGTHS[n][:taken]
        expected = [(t, k) for t in range(max(lengths)) for k, length in enumerate(lengths) if t < length]
        found = steps_of(part, n)
        assert list(found) == expected  # In the order of time, and of episodes within it.
        for (t, k), i in found.items():
            weight = 1 / sum(lengths) if mean_over == "steps" else 1 / (taken * lengths[k])
            assert float(part.weights[n, i]) == pytest.approx(weight, rel=1e-6)
            assert torch.equal(part.observations[n, i], episodes.observations[t, k])
            assert part.actions[n, i] == episodes.actions[t, k]
            assert part.advantages[n, i] == episodes.advantages[t, k]
            assert part.step_order.rewards[n, i] == episodes.rewards[t, k]
            assert torch.equal(
                part.old_policy.logits[n, i], batch.old_policy.logits[n, steps_of(batch, n)[t, k]]
            )


@fractions
def test_weights_sum_to_1_and_what_is_behind_has_none(fraction: float):
    part = batch_and_tasks()[0].part(fraction)
    torch.testing.assert_close(part.weights.sum(1), torch.ones(3, dtype=torch.float64))
    most = max(sum(lengths[: ceil(fraction * 5)]) for lengths in LENGTHS)
    assert part.weights.shape[1] == part.observations.shape[1] == most
    padding = part.weights == 0
    assert not part.step_order.rewards[padding].any()


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
def test_losses_of_whole_episodes_work_on_a_part(fraction: float):
    batch, tasks = batch_and_tasks()
    change = torch.from_numpy(np.random.default_rng(1).standard_normal((2, 3)))
    logits = batch.old_policy.logits + batch.observations @ change
    part = batch.part(fraction)
    moved = CategoricalLogits(part.old_policy.logits + part.observations @ change)
    expected = dice_by_loops(batch, tasks, ceil(fraction * 5), logits)
    np.testing.assert_allclose(inner_loss("loaded-dice", 0.9)(moved, part), expected, rtol=1e-6)
    alone = stack_episodes([first_episodes(task, ceil(fraction * 5)) for task in tasks])
    alone = alone._replace(old=part.old_policy, weights=alone.weights.double())
    for name in ("dice", "loaded-dice"):
        loss = inner_loss(name, 0.9)
        torch.testing.assert_close(loss(moved, part), loss(moved, alone), rtol=1e-6, atol=1e-9)


def first_episodes(task: BatchEpisodes, number: int) -> BatchEpisodes:
    """As if no others had been sampled."""
    lengths = task.data.lengths[:number]
    steps = int(lengths.max())
    observations, actions, rewards = (x[:steps, :number] for x in task.data[:3])
    data = EpisodeData(observations, actions, rewards, lengths, reward_scale=task.data.reward_scale)
    return BatchEpisodes.from_data(data, 0.9, task.advantages[:steps, :number])


def test_without_their_order_episodes_have_no_parts():
    with pytest.raises(ValueError, match=r"^these episodes do not say"):
        batch_and_tasks()[0]._replace(order=None).part(0.5)


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


def make_chunk(family: str, loss: Loss, repeats: int, keep: bool = True) -> tuple[TaskChunk, Tensor]:
    """Two tasks with two inner steps, their episodes ``repeats`` times, and a vector."""
    policy, rng = make_policy(family), np.random.default_rng(3)
    rounds = [[random_episodes(policy, (4, 2), rng) * repeats for _ in range(2)] for _ in range(3)]
    theta = policy.get_vector().double()
    adaptation = GradientStep(policy, loss, 0.3)
    chunk = TaskChunk(adaptation, theta, [with_order(tasks) for tasks in rounds], surrogate, keep)
    return chunk, torch.from_numpy(rng.standard_normal(theta.shape))


LOSSES: dict[str, Loss] = {"reinforce": reinforce, "dice": inner_loss("dice", 0.9)}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


@both_families
@each_loss
def test_the_whole_as_a_part_gives_the_same_products(family: str, loss: Loss):
    chunk, vector = make_chunk(family, loss, repeats=2)
    whole = chunk.fisher_product(vector)
    part = chunk._unroll_part(1.0)
    pi, batch = part.rounds[-1]
    product = part.vjp([pi.fisher(part.jvp(vector.expand(chunk.size, -1)), batch.weights)])
    torch.testing.assert_close(product, whole, rtol=1e-10, atol=1e-12)


@both_families
@each_loss
def test_half_of_episodes_that_come_twice_is_as_good_as_all(family: str, loss: Loss):
    twice, vector = make_chunk(family, loss, repeats=2)
    once, _ = make_chunk(family, loss, repeats=1)
    whole = twice.fisher_product(vector)
    torch.testing.assert_close(twice.fisher_product(vector, 0.5), whole)
    torch.testing.assert_close(once.fisher_product(vector), whole)
    assert (twice.fisher_product(vector, 0.5) - once.fisher_product(vector, 0.5)).abs().max() > 1e-4


@both_families
def test_what_is_kept_gives_the_same_bits(family: str):
    kept, vector = make_chunk(family, reinforce, repeats=2)
    anew, _ = make_chunk(family, reinforce, repeats=2, keep=False)
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
