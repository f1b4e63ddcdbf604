"""Trials, credit over them, and windows of them, against plain loops."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from maml_rl.baseline import make_baseline
from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.metalearners.trials import Scopes, Sequences, Trials, trial_advantages
from maml_rl.metalearners.windows import cut, window_starts

LENGTHS = [[[2, 3], [1, 4]], [[3, 1], [2, 2]], [[1, 1], [4, 1]]]
"""Steps of the episodes, [round][task][trial]."""


def episodes(round_: int, task: int) -> BatchEpisodes:
    """Episodes whose numbers tell where they are from; what lies behind their ends is wrong."""
    lengths = LENGTHS[round_][task]
    horizon = max(lengths) + 1
    name = torch.full((horizon, 2), 1000.0 * round_ + 100 * task)
    name += torch.arange(2) * 10.0 + torch.arange(horizon)[:, None]
    observations = torch.stack([name, -name], dim=-1)
    data = EpisodeData(observations, name.long(), 0.01 * name, torch.tensor(lengths))
    return BatchEpisodes.from_data(data, 0.99)


ROUNDS = [[episodes(r, n) for n in range(2)] for r in range(3)]


def names(row: int) -> list[float]:
    """What a trial is to be, step by step."""
    task, trial = divmod(row, 2)
    lengths = [of_round[task][trial] for of_round in LENGTHS]
    return [1000.0 * r + 100 * task + 10 * trial + t for r, n in enumerate(lengths) for t in range(n)]


def test_a_trial_is_its_episodes_one_behind_the_other():
    trials = Trials.of(ROUNDS)
    assert (trials.num_tasks, trials.trials_per_task, trials.num_steps) == (2, 2, 7)
    for row in range(4):
        expected = names(row)
        padding = [0.0] * (7 - len(expected))
        assert trials.observations[row, :, 0].tolist() == expected + padding
        assert trials.actions[row].tolist() == expected + padding
        torch.testing.assert_close(trials.rewards[row], 0.01 * torch.tensor(expected + padding))
        assert int(trials.real[row].sum()) == len(expected)
        lengths = [of_round[row // 2][row % 2] for of_round in LENGTHS]
        assert trials.ends[row].nonzero()[:, 0].tolist() == (np.cumsum(lengths) - 1).tolist()
    weights = trials.weights("steps")
    torch.testing.assert_close(weights.view(2, -1).sum(1), torch.ones(2))
    assert (weights[:2][trials.real[:2]].unique()).numel() == 1
    torch.testing.assert_close(trials.weights("episodes").sum(1), torch.full((4,), 0.5))


def plain_advantages(
    rewards: Tensor, values: Tensor, ends: list[int], length: int, scopes: Scopes
) -> list[float]:
    """GAE by its definition, a sum of discounted errors, of one trial."""
    gamma, lam = 0.9, 0.7

    def last(t: int, scope: str) -> int:
        return length - 1 if scope == "trial" else min(end for end in ends if end >= t)

    def error(t: int) -> float:
        following = values[t + 1] if t < last(t, scopes.bootstrap) else 0.0
        return float(rewards[t] + gamma * following - values[t])

    return [
        sum((gamma * lam) ** (s - t) * error(s) for s in range(t, last(t, scopes.credit) + 1))
        for t in range(length)
    ]


@pytest.mark.parametrize("bootstrap", ["trial", "episode"])
@pytest.mark.parametrize("credit", ["trial", "episode"])
def test_credit_reaches_as_far_as_it_is_to(credit: Any, bootstrap: Any):
    trials = Trials.of(ROUNDS)
    generator = torch.Generator().manual_seed(0)
    rewards, values = (torch.randn(4, 7, generator=generator).double() * trials.real for _ in range(2))
    scopes = Scopes(credit, bootstrap)
    found = trial_advantages(rewards, values, trials.ends, 0.9, 0.7, scopes)
    for row in range(4):
        length = len(names(row))
        ends = trials.ends[row].nonzero()[:, 0].tolist()
        expected = plain_advantages(rewards[row], values[row], ends, length, scopes)
        np.testing.assert_allclose(found[row, :length], expected, rtol=1e-6)
        assert not found[row, length:].any()


def test_baselines_are_fitted_to_trials_or_to_the_episodes_of_each_round():
    trials, baseline = Trials.of(ROUNDS), make_baseline("none", 2)
    assert not trials.values_of_trials(baseline, 0.9).any()
    seen: list[EpisodeData] = []

    class Spy:
        def fit_data(self, data: EpisodeData, gamma: float) -> None:
            seen.append(data)

        def values(self, data: EpisodeData) -> Tensor:
            return data.rewards.double() + 1

        def last_values(self, data: EpisodeData) -> Tensor:
            raise AssertionError

    values = trials.values_of_trials(Spy(), 0.9)
    torch.testing.assert_close(values, (trials.rewards.double() + 1) * trials.real)
    (data,) = seen
    assert data.rewards.shape == (2, 7, 2)
    assert data.lengths.tolist() == [[6, 5], [7, 7]]
    seen.clear()
    values = trials.values_of_episodes(Spy(), 0.9)
    torch.testing.assert_close(values, (trials.rewards.double() + 1) * trials.real)
    assert [of_round.lengths.tolist() for of_round in seen] == LENGTHS


@pytest.mark.parametrize(("chunk", "overlap"), [(3, 0), (3, 1), (4, 2), (7, 0), (10, 3)])
def test_windows_count_every_step_once(chunk: int, overlap: int):
    trials = Trials.of(ROUNDS)
    number = torch.arange(1.0, 29).view(4, 7) * trials.real
    starts = window_starts(7, chunk, overlap)
    states = torch.arange(4.0)[:, None, None] * 100 + torch.tensor([float(s) for s in starts])[None, :, None]
    whole = Sequences(
        number[..., None], states[:, 0], number, number, number, number, torch.tensor([0, 0, 1, 1])
    )
    windows = cut(whole, states, starts, chunk)
    counted = windows.weights[windows.weights > 0].sort().values
    torch.testing.assert_close(counted, number[number > 0].sort().values)
    assert windows.inputs.shape[1] == chunk
    for row in range(len(windows.tasks)):
        first = windows.states[row, 0].item()
        trial, start = divmod(int(first), 100)
        expected = number[trial, start : start + chunk]
        torch.testing.assert_close(windows.inputs[row, : len(expected), 0], expected)
        assert windows.tasks[row] == trial // 2
        warm_up = windows.weights[row, : (overlap if start else 0)]
        assert not warm_up.any()
