import inspect
from typing import NamedTuple, get_args

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.advantages import (
    BLOCK,
    centre,
    discounted_returns,
    generalized_advantages,
    rewards_differ,
    standardize,
    step_mask,
    step_weights,
)
from maml_rl.config import MeanOver
from tests.builders import repeatable
from tests.oracles import advantages as oracle

fractions = st.floats(0, 1)
kinds_of_mean = st.sampled_from(get_args(MeanOver))


def normalize(advantages: Tensor, weights: Tensor, largest: Tensor | None = None) -> Tensor:
    centred, deviation = centre(advantages, weights, largest)
    return centred / deviation


class Recording(NamedTuple):
    rewards: NDArray[np.float64]
    values: NDArray[np.float64]
    last_values: NDArray[np.float64]
    lengths: list[int]


def record(lengths: list[int], seed: int) -> Recording:
    """Rewards are 0 behind an episode's end; values are not, and must not matter there."""
    rng = np.random.default_rng(seed)
    shape = (max(lengths), len(lengths))
    real = np.arange(shape[0])[:, None] < np.array(lengths)
    values = rng.standard_normal(shape)
    return Recording(rng.standard_normal(shape) * real, values, rng.standard_normal(len(lengths)), lengths)


recordings = st.builds(record, st.lists(st.integers(1, 7), min_size=1, max_size=4), st.integers(0, 2**32 - 1))


@repeatable
@given(recordings)
def test_mask_is_true_at_real_steps_only(recording: Recording):
    mask = step_mask(torch.tensor(recording.lengths), max(recording.lengths) + 2)
    for k, length in enumerate(recording.lengths):
        assert mask[:, k].tolist() == [True] * length + [False] * (len(mask) - length)


@repeatable
@given(recordings, kinds_of_mean)
def test_weighted_sum_is_a_mean_over_real_steps(recording: Recording, mean_over: MeanOver):
    weights = step_weights(torch.tensor(recording.lengths), max(recording.lengths), mean_over)
    mean, _ = oracle.moments(recording.values, recording.lengths, mean_over)
    assert (weights.numpy() * recording.values).sum() == pytest.approx(mean, abs=1e-6)
    assert weights.sum() == pytest.approx(1)


@repeatable
@given(recordings, fractions)
def test_discounted_returns(recording: Recording, gamma: float):
    returns = discounted_returns(torch.from_numpy(recording.rewards), gamma)
    expected = oracle.discounted_returns(recording.rewards, recording.lengths, gamma)
    np.testing.assert_allclose(returns, expected, rtol=1e-12, atol=1e-12)


def test_discounted_returns_of_known_rewards():
    returns = discounted_returns(torch.tensor([[1.0], [2.0], [4.0]]), 0.5)
    assert returns[:, 0].tolist() == [3.0, 4.0, 4.0]


@repeatable
@given(recordings, fractions, fractions, st.booleans())
def test_generalized_advantages(recording: Recording, gamma: float, gae_lambda: float, bootstrap: bool):
    rewards, values, last_values, lengths = recording
    advantages = generalized_advantages(
        torch.from_numpy(rewards),
        torch.from_numpy(values),
        torch.tensor(lengths),
        gamma,
        gae_lambda,
        torch.from_numpy(last_values) if bootstrap else None,
    )
    expected = oracle.generalized_advantages(
        rewards, values, lengths, gamma, gae_lambda, last_values if bootstrap else None
    )
    np.testing.assert_allclose(advantages, expected, rtol=1e-12, atol=1e-12)


@repeatable
@given(recordings, fractions)
def test_lambda_one_is_return_minus_value(recording: Recording, gamma: float):
    rewards, values = torch.from_numpy(recording.rewards), torch.from_numpy(recording.values)
    lengths = torch.tensor(recording.lengths)
    advantages = generalized_advantages(rewards, values, lengths, gamma, 1.0)
    difference = (discounted_returns(rewards, gamma) - values) * step_mask(lengths, len(rewards))
    torch.testing.assert_close(advantages, difference, rtol=1e-12, atol=1e-12)


@repeatable
@given(recordings, kinds_of_mean)
def test_normalize(recording: Recording, mean_over: MeanOver):
    lengths = recording.lengths
    _, std = oracle.moments(recording.values, lengths, mean_over)
    normalized = normalize(torch.from_numpy(recording.values), weights_of(lengths, mean_over)).numpy()
    if sum(lengths) == 1:
        assert not normalized.any()  # one step has no spread
        return
    assert std > 1e-3
    np.testing.assert_allclose(normalized, oracle.normalized(recording.values, lengths, mean_over), atol=1e-4)
    np.testing.assert_allclose(oracle.moments(normalized, lengths, mean_over), (0, 1), atol=1e-4)


def test_equal_advantages_normalize_to_zero():
    normalized = normalize(torch.full((7, 3), 100.0, dtype=torch.float64), weights_of([7, 3, 1]))
    assert normalized.abs().max() < 1e-4


def test_rounding_of_weights_does_not_shift_advantages_far_from_zero():
    advantages = torch.tensor([[1e6, 1e6], [1e6 + 1, 1e6], [1e6, 1e6]], dtype=torch.float64)
    lengths = [3, 3]
    normalized = normalize(advantages, weights_of(lengths))
    np.testing.assert_allclose(normalized, oracle.normalized(advantages.numpy(), lengths), atol=1e-6)


def test_tasks_side_by_side_equal_tasks_alone():
    recordings = [record([5, 2, 3], 0), record([1, 5, 4], 1)]
    rewards = torch.from_numpy(np.stack([r.rewards for r in recordings]))
    values = torch.from_numpy(np.stack([r.values for r in recordings]))
    last_values = torch.from_numpy(np.stack([r.last_values for r in recordings]))
    lengths = torch.tensor([r.lengths for r in recordings])
    for mean_over in get_args(MeanOver):
        weights = step_weights(lengths, 5, mean_over, torch.float64)
        together = generalized_advantages(rewards, values, lengths, 0.9, 0.8, last_values)
        for n in range(2):
            alone = generalized_advantages(rewards[n], values[n], lengths[n], 0.9, 0.8, last_values[n])
            own = normalize(alone, weights_of(recordings[n].lengths, mean_over))
            torch.testing.assert_close(normalize(together, weights)[n], own, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("mean_over", get_args(MeanOver))
def test_episodes_without_steps_do_not_count(mean_over: MeanOver):
    weights = step_weights(torch.tensor([2, 0]), 2, mean_over)
    assert weights.tolist() == [[0.5, 0.0], [0.5, 0.0]]


def test_nothing_else_can_be_averaged_over():
    # The tests' type checker would complain first.
    weigh = inspect.unwrap(step_weights)
    with pytest.raises(ValueError, match="expected 'episodes' or 'steps', got 'step'"):
        weigh(torch.tensor([2, 1]), 2, "step")


def weights_of(lengths: list[int], mean_over: MeanOver = "episodes") -> Tensor:
    return step_weights(torch.tensor(lengths), max(lengths), mean_over, torch.float64)


@pytest.mark.parametrize("horizon", [BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 7])
@pytest.mark.parametrize("gamma", [0.0, 0.9, 1.0])
def test_long_episodes_are_summed_block_by_block(horizon: int, gamma: float):
    rewards = torch.randn(2, horizon, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.zeros_like(rewards)
    following = torch.zeros(2, 3, dtype=torch.float64)
    for t in reversed(range(horizon)):
        expected[:, t] = following = rewards[:, t] + gamma * following
    torch.testing.assert_close(discounted_returns(rewards, gamma), expected, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("power", [-140, -40, -30, 30, 120])
def test_the_unit_of_rewards_does_not_matter(power: int):
    generator = torch.Generator().manual_seed(0)
    advantages = torch.randn(2, 5, 3, generator=generator, dtype=torch.float64)
    weights = step_weights(torch.full((2, 3), 5), 5, dtype=torch.float64)
    usual = normalize(advantages, weights, torch.full((2,), 10.0, dtype=torch.float64))
    largest = torch.full((2,), 10.0 * 2.0**power, dtype=torch.float64)
    scaled = normalize(advantages * 2.0**power, weights, largest)
    torch.testing.assert_close(scaled, usual, rtol=1e-6, atol=1e-6)


def test_rewards_differ_where_an_action_made_a_difference():
    rewards = torch.full((5, 4, 3), -1.0)
    rewards[1, 2, 0] = -1.0000001  # A rounding error.
    rewards[2, 3, 1] = -0.99
    rewards[3, :, 2] = 0.0  # It ended at once.
    rewards[4] = 0.0
    real = torch.ones_like(rewards, dtype=torch.bool)
    assert rewards_differ(rewards, real).tolist() == [False, False, True, True, False]
    # A single episode is compared with itself, up to its end.
    rewards[1, 2, 0] = rewards[2, 2:, 0] = 0.0
    real[2, 2:, 0] = False
    alone = rewards_differ(rewards[..., :1], real[..., :1])
    assert alone.tolist() == [False, True, False, False, False]


def test_what_is_nothing_beside_the_returns_is_none():
    """Which is what a baseline leaves that explains all returns."""
    generator = torch.Generator().manual_seed(0)
    rewards = 5 + torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)  # Of 12 steps.
    noise = torch.randn(2, 4, 3, generator=generator, dtype=torch.float64)
    weights = step_weights(torch.full((2, 3), 4), 4, dtype=torch.float64)
    noise[1] *= 1e-6
    for power in (-120, 0, 60):
        advantages, factor = standardize(noise * 2.0**power, weights, rewards * 2.0**power, 11)
        assert (advantages != 0).flatten(1).any(1).tolist() == [True, False]
        assert (factor != 0).tolist() == [True, False]
        torch.testing.assert_close(advantages[0], normalize(noise, weights)[0], rtol=1e-6, atol=1e-6)
        # As many features explain any returns, and what is left of them is small whatever it tells.
        assert (standardize(noise * 2.0**power, weights, rewards * 2.0**power, 12)[1] != 0).all()
