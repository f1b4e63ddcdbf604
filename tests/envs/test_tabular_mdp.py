import gymnasium as gym
import numpy as np
import pytest

import maml_rl.envs  # noqa: F401
from tests.envs.creating import create, create_vec
from tests.envs.ids import Array, play_batch


def permutations(num_states: int, num_actions: int, seed: int = 0) -> tuple[Array, Array]:
    """Deterministic transitions: where each action leads from each state, and the same as probabilities."""
    rng = np.random.default_rng(seed)
    successors = np.stack([rng.permutation(num_states) for _ in range(num_actions)], axis=1)
    return successors, np.eye(num_states)[successors]


def test_observes_the_state_one_hot_from_state_zero():
    env = create("TabularMDP-v0")
    successors, transitions = permutations(10, 5)
    env.unwrapped.reset_task({"transitions": transitions, "rewards_mean": np.zeros((10, 5))})
    rng = np.random.default_rng(1)
    for seed in range(5):
        observation, _ = env.reset(seed=seed)
        state = 0
        assert observation.tolist() == np.eye(10)[0].tolist()
        for t in range(10):
            action = rng.integers(5)
            observation, _, terminated, truncated, _ = env.step(action)
            state = successors[state, action]
            assert observation.tolist() == np.eye(10)[state].tolist()
            assert not terminated
            assert truncated == (t == 9)


def test_rewards_are_normal_about_the_mean_of_state_and_action():
    episodes = 4000
    successors, transitions = permutations(10, 5)
    means = np.random.default_rng(2).normal(1.0, 3.0, (10, 5))
    batch = create_vec("TabularMDP-v0", num_envs=episodes)
    batch.reset_task([{"transitions": transitions, "rewards_mean": means}])
    actions = [3, 1, 4, 0, 2, 2, 0, 1, 4, 3]
    _, rewards, _, truncated = play_batch(batch, [0], np.repeat([actions], episodes, 0).T)
    state, expected = 0, []
    for action in actions:
        expected.append(means[state, action])  # Paid for the state that is left.
        state = successors[state, action]
    np.testing.assert_allclose(rewards.mean(1), expected, atol=5 / episodes**0.5)
    np.testing.assert_allclose(rewards.std(1), 1.0, atol=0.06)
    assert np.abs(np.corrcoef(rewards)[np.triu_indices(10, 1)]).max() < 0.08  # Fresh noise at each step.
    assert truncated[-1].all()


def test_next_states_have_the_tasks_probabilities():
    episodes = 20_000
    env = create("TabularMDP-v0")
    env.reset(seed=3)
    task = env.unwrapped.sample_tasks(1)[0]
    task["transitions"][0, 2, [1, 9]] = 0.0  # Impossible ones, the last among them, must not happen.
    task["transitions"][0, 2] /= task["transitions"][0, 2].sum()
    batch = create_vec("TabularMDP-v0", num_envs=episodes)
    batch.reset_task([task])
    observations, _, _, _ = play_batch(batch, [0], np.full((1, episodes), 2))
    frequencies = observations[0].mean(0)
    np.testing.assert_allclose(frequencies, task["transitions"][0, 2], atol=5 * 0.5 / episodes**0.5)
    assert frequencies[1] == frequencies[9] == 0


def test_tasks_are_dirichlet_and_normal():
    env = create("TabularMDP-v0")
    env.reset(seed=0)
    tasks = env.unwrapped.sample_tasks(100)
    transitions = np.array([task["transitions"] for task in tasks])
    np.testing.assert_allclose(transitions.sum(-1), 1.0)
    assert transitions.min() >= 0
    # Dirichlet(1) over 10: mean 1/10, variance 9 / (10² 11).
    assert transitions.std() == pytest.approx((9 / 1100) ** 0.5, rel=0.02)
    means = np.array([task["rewards_mean"] for task in tasks])
    assert means.mean() == pytest.approx(1.0, abs=0.06)
    assert means.std() == pytest.approx(1.0, abs=0.05)


def test_sizes_are_keyword_arguments():
    env = create("TabularMDP-v0", num_states=4, num_actions=3)
    assert env.observation_space.shape == (4,)
    assert env.action_space == gym.spaces.Discrete(3)
    task = env.unwrapped.sample_tasks(1)[0]
    assert task["transitions"].shape == (4, 3, 4)
    batch = create_vec("TabularMDP-v0", num_envs=2, num_states=4, num_actions=3)
    batch.reset_task([task])
    observations, _, _, _ = play_batch(batch, [0], np.ones((1, 2), np.int64))
    assert observations.shape == (1, 2, 4)
