import gymnasium as gym
import numpy as np
import pytest

import maml_rl.envs  # noqa: F401
from tests.envs.creating import create, create_vec
from tests.envs.ids import play_batch

every_size = pytest.mark.parametrize("k", [5, 10, 50])


@every_size
@pytest.mark.parametrize("kind", ["Bandit", "GaussianBandit"])
def test_one_pull_is_an_episode(kind: str, k: int):
    env = create(f"{kind}-K{k}-v0")
    assert env.action_space == gym.spaces.Discrete(k)
    first, _ = env.reset(seed=0)
    last, _, terminated, truncated, _ = env.step(np.int64(k - 1))
    assert first.tolist() == last.tolist() == [0.0]
    assert (terminated, truncated) == (True, False)


@every_size
@pytest.mark.parametrize("kind", ["Bandit", "GaussianBandit"])
def test_means_are_uniform(kind: str, k: int):
    env = create(f"{kind}-K{k}-v0")
    env.reset(seed=0)
    means = np.array([task["mean"] for task in env.unwrapped.sample_tasks(1000)])
    assert means.shape == (1000, k)
    assert 0 <= means.min() < 0.01
    assert 0.99 < means.max() <= 1
    assert means.mean() == pytest.approx(0.5, abs=0.02)
    assert means.std() == pytest.approx(12**-0.5, abs=0.01)
    assert abs(np.corrcoef(means[:, 0], means[:, 1])[0, 1]) < 0.15  # The arms of a task differ.


def test_certain_arms_pay_certainly():
    env = create("Bandit-K5-v0")
    env.unwrapped.reset_task({"mean": np.array([0.0, 1.0, 0.0, 1.0, 0.0])})
    for seed in range(20):
        for arm in range(5):
            env.reset(seed=seed)
            assert env.step(np.int64(arm))[1] == arm % 2


def test_bernoulli_arms_pay_their_mean_in_ones():
    mean = np.array([0.1, 0.5, 0.9, 0.3, 0.7])
    episodes = 4000
    batch = create_vec("Bandit-K5-v0", num_envs=5 * episodes)
    batch.reset_task([{"mean": mean}])
    arms = np.repeat(np.arange(5), episodes)
    _, rewards, terminated, _ = play_batch(batch, [0], arms[None])
    assert set(np.unique(rewards)) == {0.0, 1.0}
    assert terminated.all()
    np.testing.assert_allclose(rewards.reshape(5, episodes).mean(1), mean, atol=5 * 0.5 / episodes**0.5)


@pytest.mark.parametrize("std", [None, 0.25, 0.0])
def test_gaussian_arms_pay_normally(std: float | None):
    mean = np.array([0.1, 0.5, 0.9, 0.3, 0.7])
    episodes = 4000
    kwargs = {} if std is None else {"std": std}
    spread = 1.0 if std is None else std
    batch = create_vec("GaussianBandit-K5-v0", num_envs=5 * episodes, **kwargs)
    batch.reset_task([{"mean": mean}])
    arms = np.repeat(np.arange(5), episodes)
    _, rewards, _, _ = play_batch(batch, [0], arms[None])
    pays = rewards.reshape(5, episodes)
    np.testing.assert_allclose(pays.mean(1), mean, atol=5 * spread / episodes**0.5 + 1e-12)
    np.testing.assert_allclose(pays.std(1), spread, atol=0.05 * spread + 1e-12)


def test_a_noiseless_gaussian_arm_pays_its_mean():
    env = create("GaussianBandit-K10-v0", std=0.0)
    task = env.unwrapped.sample_tasks(1)[0]
    env.unwrapped.reset_task(task)
    for arm in range(10):
        env.reset(seed=arm)
        assert env.step(np.int64(arm))[1] == task["mean"][arm]
