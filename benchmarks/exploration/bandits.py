"""Strategies for Bernoulli bandits whose arms pay with probabilities uniform in [0, 1].

Each plays B bandits of k arms side by side for n pulls, and sees the pulls' outcomes alone.
"""

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Index = Callable[[Array, Array, int, np.random.Generator], Array]
"""From successes and failures ``[B, k]``, and the pulls so far, to a score ``[B, k]``: the best is pulled."""


def total_rewards(index: Index, means: Array, pulls: int, rng: np.random.Generator) -> Array:
    """Return the sum of rewards over ``pulls`` of each bandit, ``[B]``; ties are broken at random."""
    counts = np.zeros((2, *means.shape))
    bandits = np.arange(len(means))
    for t in range(pulls):
        scores = index(counts[1], counts[0], t, rng)
        best = scores == scores.max(1, keepdims=True)
        arms = (best * rng.random(means.shape)).argmax(1)
        outcomes = (rng.random(len(means)) < means[bandits, arms]).astype(int)
        np.add.at(counts, (outcomes, bandits, arms), 1)
    return counts[1].sum(1)


def uniformly(successes: Array, failures: Array, t: int, rng: np.random.Generator) -> Array:
    """Every arm alike."""
    return np.zeros_like(successes)


def thompson(successes: Array, failures: Array, t: int, rng: np.random.Generator) -> Array:
    """Thompson 1933: a draw from each arm's posterior, Beta(1 + successes, 1 + failures)."""
    return rng.beta(1 + successes, 1 + failures)


def ucb1(successes: Array, failures: Array, t: int, rng: np.random.Generator) -> Array:
    """Auer et al. 2002: mean plus ``sqrt(2 ln t / pulls)``; every arm once before."""
    pulls = successes + failures
    with np.errstate(divide="ignore", invalid="ignore"):
        scores = successes / pulls + np.sqrt(2 * np.log(max(t, 1)) / pulls)
    return np.where(pulls == 0, np.inf, scores)


def optimum(arms: int, pulls: int) -> float:
    """Return the expected total reward of the best strategy there is, by dynamic programming.

    A state is what each arm has paid, ``(successes, failures)``, in whatever order of arms. With 10 pulls
    there are thousands of them; with 100 they are out of reach.
    """

    @cache
    def value(arms: tuple[tuple[int, int], ...], left: int) -> float:
        if left == 0:
            return 0.0
        return max(pulled(arms, number, left) for number, arm in enumerate(arms) if arm not in arms[:number])

    def pulled(arms: tuple[tuple[int, int], ...], number: int, left: int) -> float:
        (successes, failures), rest = arms[number], arms[:number] + arms[number + 1 :]
        mean = (1 + successes) / (2 + successes + failures)
        paid, unpaid = ((successes + 1, failures), (successes, failures + 1))
        after = [value(tuple(sorted((*rest, arm))), left - 1) for arm in (paid, unpaid)]
        return mean * (1 + after[0]) + (1 - mean) * after[1]

    return value(((0, 0),) * arms, pulls)


def gittins(pulls: int) -> Index:
    """Gittins 1979: the arm of the largest index, discounted by ``1 - 1 / pulls`` a pull."""
    table = gittins_indices(pulls, 1 - 1 / pulls)

    def index(successes: Array, failures: Array, t: int, rng: np.random.Generator) -> Array:
        return table[successes.astype(int), failures.astype(int)]

    return index


def gittins_indices(pulls: int, discount: float, prices: int = 1000) -> Array:
    """Return the Gittins index after ``[successes, failures]`` of an arm under a uniform prior.

    It is the sure reward per pull for which one would as soon give the arm up (Whittle 1980). All sure
    rewards of a grid are solved side by side, backwards from arms pulled four times as often as any will
    be, as if those were known; between two of the grid, the index is interpolated.
    """
    price = (np.arange(prices) + 0.5) / prices
    retire = price / (1 - discount)
    known = 4 * pulls
    mean = _posterior_means(known)[:, None]
    value = np.maximum(mean / (1 - discount), retire)
    table = np.full((pulls + 1, pulls + 1), np.nan)
    for level in reversed(range(known)):
        mean = _posterior_means(level)[:, None]
        go_on = mean * (1 + discount * value[1:]) + (1 - mean) * discount * value[:-1]
        if level <= pulls:
            advantage = go_on - retire
            crossing = [np.interp(0.0, -row, price) for row in advantage]
            successes = np.arange(level + 1)
            table[successes, level - successes] = crossing
        value = np.maximum(go_on, retire)
    return table


def _posterior_means(pulls: int) -> Array:
    """Return the expected reward after 0, 1, … successes in ``pulls``."""
    return (1 + np.arange(pulls + 1)) / (2 + pulls)
