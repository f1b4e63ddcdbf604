"""Strategies for random tabular MDPs that last n episodes: B of them side by side.

Transitions are Dirichlet(1), mean rewards Normal(1, 1), rewards Normal(mean, 1), as in `TabularMDP-v0`.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.tabular_mdp import cumulative, next_state

Array = NDArray[np.float64]


@dataclass
class Experience:
    """What was seen so far: ``[B, S, A, S]`` transitions, and sums of rewards ``[B, S, A]``."""

    transitions: Array
    reward_sums: Array


Plan = Callable[[Experience, int, np.random.Generator], NDArray[np.int64]]
"""From experience and horizon H to actions ``[H, B, S]`` for the next episode."""


def total_rewards(
    plan: Plan, transitions: Array, rewards_mean: Array, episodes: int, horizon: int, rng: np.random.Generator
) -> Array:
    """Return the sum of rewards over all episodes of each MDP, ``[B]``; each episode starts in state 0."""
    num, states, actions = rewards_mean.shape
    experience = Experience(np.zeros((num, states, actions, states)), np.zeros((num, states, actions)))
    total = np.zeros(num)
    mdps, distributions = np.arange(num), cumulative(transitions)
    for _ in range(episodes):
        policy = plan(experience, horizon, rng)
        state = np.zeros(num, np.int64)
        for t in range(horizon):
            action = policy[t, mdps, state]
            here = (mdps, state, action)
            reward = rewards_mean[here] + rng.standard_normal(num)
            following = next_state(distributions[here], rng.random(num))
            experience.transitions[(*here, following)] += 1
            experience.reward_sums[here] += reward
            total += reward
            state = following
    return total


def uniformly(experience: Experience, horizon: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """Every action alike."""
    num, states, actions = experience.reward_sums.shape
    return rng.integers(actions, size=(horizon, num, states))


def posterior_sampling(experience: Experience, horizon: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """PSRL (Strens 2000; Osband et al. 2013): the best policy of an MDP drawn from the posterior."""
    counts, mean, std = posterior(experience)
    transitions = rng.standard_gamma(counts)
    rewards = mean + std * rng.standard_normal(mean.shape)
    return best_policy(transitions / transitions.sum(-1, keepdims=True), rewards, horizon)


def greedily(experience: Experience, horizon: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """The best policy of the posterior's mean."""
    counts, mean, _ = posterior(experience)
    return best_policy(counts / counts.sum(-1, keepdims=True), mean, horizon)


def posterior(experience: Experience) -> tuple[Array, Array, Array]:
    """Return Dirichlet counts ``[B, S, A, S]``, and mean and standard deviation of the rewards' means."""
    visits = experience.transitions.sum(-1)
    # Prior Normal(1, 1), noise of variance 1.
    return (
        1 + experience.transitions,
        (1 + experience.reward_sums) / (1 + visits),
        1 / np.sqrt(1 + visits),
    )


def best_policy(transitions: Array, rewards: Array, horizon: int) -> NDArray[np.int64]:
    """Return the actions ``[H, B, S]`` that maximise the expected sum of rewards of one episode."""
    value = np.zeros(rewards.shape[:2])
    plan = []
    for _ in range(horizon):
        q = rewards + np.einsum("bsax,bx->bsa", transitions, value)
        plan.append(q.argmax(-1))
        value = q.max(-1)
    return np.stack(plan[::-1])
