"""Environments from elsewhere: `GymTaskVectorEnv`, reached by way of `make_task_vector_env`."""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from maml_rl.envs import check_env, make_env, make_task_vector_env
from maml_rl.envs.adapter import GymTaskVectorEnv
from maml_rl.errors import UsageError
from tests.envs.creating import create, register
from tests.envs.ids import play_batch

LIMIT = 6


class Corridor(gym.Env[Any, Any]):
    """Walk from 0 to the task's length; now and then a step is twice as long."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gym.spaces.Discrete(2)
    closed = 0

    def __init__(self, longest: int = 9):
        self.longest = longest
        self.length = longest

    def sample_tasks(self, num_tasks: int) -> list[dict[str, Any]]:
        return [{"length": n} for n in self.np_random.integers(1, self.longest, num_tasks)]

    def reset_task(self, task: dict[str, Any]) -> None:
        self.length = task["length"]

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.position = 0
        return np.array([0.0], np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.position += (2 * int(action) - 1) * (1 + int(self.np_random.random() < 0.3))
        return (
            np.array([self.position], np.float32),
            -float(self.length - self.position),
            self.position >= self.length,
            False,
            {},
        )

    def close(self) -> None:
        type(self).closed += 1


@pytest.fixture
def corridor() -> Iterator[str]:
    register("Corridor-v0", entry_point=Corridor, max_episode_steps=LIMIT)
    yield "Corridor-v0"
    del gym.registry["Corridor-v0"]


def test_each_environment_ends_by_itself(corridor: str):
    batch = make_task_vector_env(corridor, None, 4)
    assert isinstance(batch, GymTaskVectorEnv)
    batch.reset_task([{"length": 1}, {"length": 50}])
    observations, _ = batch.reset(seed=[0, 1])
    np.testing.assert_array_equal(observations, np.zeros((4, 1), np.float32))
    _, rewards, terminated, truncated = play_batch(batch, [0, 1], np.ones((LIMIT + 2, 4), np.int64))
    assert terminated[:, :2].all()  # One step is enough, and they keep saying so.
    assert not truncated[:, :2].any()
    assert (rewards[1:, :2] == 0).all()
    assert not terminated[: LIMIT - 1, 2:].any()
    assert truncated[LIMIT - 1, 2:].all()
    assert not truncated[: LIMIT - 1, 2:].any()
    assert (rewards[:LIMIT, 2:] < 0).all()
    assert (rewards[LIMIT:] == 0).all()
    assert not batch.running.any()


def test_equals_single_environments_with_the_same_seeds(corridor: str):
    batch = make_task_vector_env(corridor, {"longest": 30}, 6)
    batch.reset_task([{"length": 4}, {"length": 30}])
    seeds = [np.random.default_rng(task_seed).integers(2**31, size=3) for task_seed in (8, 9)]
    observations, rewards, terminated, truncated = play_batch(batch, [8, 9], np.ones((LIMIT, 6), np.int64))
    for i, seed in enumerate(np.concatenate(seeds)):
        single = create(corridor, longest=30)
        single.unwrapped.reset_task({"length": 4 if i < 3 else 30})
        single.reset(seed=int(seed))
        for t in range(LIMIT):
            observation, reward, ended, cut, _ = single.step(1)
            assert (observations[t, i], rewards[t, i]) == (observation, reward)
            assert (terminated[t, i], truncated[t, i]) == (ended, cut)
            if ended or cut:
                break
    assert len({tuple(walk) for walk in observations[:, 3:, 0].T}) > 1  # The three episodes of a task differ.


def test_a_tasks_episodes_do_not_depend_on_its_company(corridor: str):
    actions = np.random.default_rng(0).integers(2, size=(LIMIT, 4))
    together = make_task_vector_env(corridor, None, 4)
    together.reset_task([{"length": 3}, {"length": 5}])
    alone = make_task_vector_env(corridor, None, 2)
    alone.reset_task([{"length": 5}])
    for whole, part in zip(
        play_batch(together, [1, 2], actions), play_batch(alone, [2], actions[:, 2:]), strict=True
    ):
        np.testing.assert_array_equal(whole[:, 2:], part)


def test_a_time_limit_can_be_given(corridor: str):
    batch = make_task_vector_env(corridor, {"max_episode_steps": 2}, 1)
    batch.reset_task([{"length": 50}])
    _, _, terminated, truncated = play_batch(batch, [0], np.ones((2, 1), np.int64))
    assert truncated[:, 0].tolist() == [False, True]
    assert not terminated.any()


def test_closing_closes_every_environment(corridor: str):
    batch = make_task_vector_env(corridor, None, 3)
    Corridor.closed = 0
    batch.close()
    assert Corridor.closed == 3


def test_adapted_navigation_equals_native_navigation():
    adapted = GymTaskVectorEnv([make_env("2DNavigation-v0", {"max_episode_steps": 40}) for _ in range(6)])
    native = make_task_vector_env("2DNavigation-v0", {"max_episode_steps": 40}, 6)
    assert not isinstance(native, GymTaskVectorEnv)
    assert adapted.single_observation_space == native.single_observation_space
    assert adapted.action_space == native.action_space
    tasks = [{"goal": np.array(goal)} for goal in ([0.2, 0.1], [-0.3, 0.4], [9.0, 9.0])]
    # Noisy walks straight to the goals: some get there, in different times.
    rng = np.random.default_rng(0)
    walks = np.sign([task["goal"] for task in tasks]) * 0.05
    actions = (np.repeat(walks, 2, axis=0) + 0.02 * rng.standard_normal((40, 6, 2))).astype(np.float32)
    actions[:, :2] = [0.1, 0.05]
    over = np.zeros(6, bool)
    for env in (adapted, native):
        env.reset_task(tasks)
    np.testing.assert_array_equal(adapted.reset(seed=1)[0], native.reset(seed=1)[0])
    for action in actions:
        ours, theirs = native.step(action), adapted.step(action)
        np.testing.assert_array_equal(ours[0][~over], theirs[0][~over])
        for mine, other in zip(ours[1:4], theirs[1:4], strict=True):
            np.testing.assert_array_equal(mine, other)
        over |= ours[2] | ours[3]
        np.testing.assert_array_equal(native.running, adapted.running)
        assert over[:2].all() == (native._elapsed >= 2)
    assert over.all()


class Shrinking(Corridor):
    """Forgets a number of its observation in the second step."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (3,), np.float32)

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self.steps = 0
        return np.zeros(3, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.steps += 1
        return np.full(3 if self.steps < 2 else 1, 7, np.float32), 0.0, False, False, {}


def test_an_observation_of_another_shape_is_not_stretched(monkeypatch: pytest.MonkeyPatch):
    creator = f"{__name__}:Shrinking"
    spec = EnvSpec("Shrinking-v0", creator, max_episode_steps=LIMIT, disable_env_checker=True)
    monkeypatch.setitem(gym.registry, "Shrinking-v0", spec)
    env = make_task_vector_env("Shrinking-v0", {}, 2)
    env.reset_task([{"length": 3}])
    env.reset(seed=1)
    env.step(np.zeros(2, np.int64))
    message = r"step\(\) returned an observation of shape \[1\], expected \[3\]"
    with pytest.raises(UsageError, match=message):
        env.step(np.zeros(2, np.int64))
    found = [finding.message for finding in check_env("Shrinking-v0") if finding.breaks]
    assert any("step() returned an observation of shape [1], its space is Box" in text for text in found)
