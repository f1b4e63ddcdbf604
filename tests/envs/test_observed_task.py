"""``observe_task``: the oracle's environments, which show their task."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from maml_rl.envs import TaskEnv, make_env, make_task_vector_env
from maml_rl.errors import UsageError
from tests.envs.ids import Array, one_of_each_kind, random_actions

KWARGS = {"observe_task": True}


def numbers(task: dict[str, Any]) -> Array:
    return np.array([x for key in sorted(task) for x in np.ravel(task[key])], np.float32)


@one_of_each_kind
def test_a_batch_shows_each_episode_its_task_and_is_otherwise_the_same(id: str):
    plain, shown = make_task_vector_env(id, {}, 6), make_task_vector_env(id, KWARGS, 6)
    with make_env(id) as env:
        env.reset(seed=0)
        tasks = env.unwrapped.sample_tasks(2)  # type: ignore[attr-defined]
    suffix = np.repeat([numbers(task) for task in tasks], 3, axis=0)
    for batch in (plain, shown):
        batch.reset_task(tasks)
    expected, _ = plain.reset(seed=[1, 2])
    observations, _ = shown.reset(seed=[1, 2])
    np.testing.assert_array_equal(observations, np.hstack([expected, suffix]))
    assert shown.running.all()
    rng = np.random.default_rng(0)
    for _ in range(5):
        actions = random_actions(shown.single_action_space, rng, 6)
        expected, *expected_rest = plain.step(actions)
        observations, *rest = shown.step(actions)
        np.testing.assert_array_equal(observations, np.hstack([expected, suffix]))
        assert observations.dtype == np.float32
        for theirs, ours in zip(expected_rest[:3], rest[:3], strict=True):
            np.testing.assert_array_equal(ours, theirs)
        np.testing.assert_array_equal(shown.running, plain.running)
    shown.close()
    plain.close()


def test_a_batch_shows_the_default_task_until_others_are_set():
    batch = make_task_vector_env("2DNavigation-v0", KWARGS, 4)
    observations, _ = batch.reset(seed=1)
    np.testing.assert_array_equal(observations, np.zeros((4, 4)))


class Corridor(TaskEnv[Array, Array]):
    """Has no batched version."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (1,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)

    def __init__(self) -> None:
        self.reset_task({"length": 3.0})

    def sample_tasks(self, num_tasks: int) -> list[dict[str, Any]]:
        return [{"length": 1.0 + i} for i in range(num_tasks)]

    def reset_task(self, task: dict[str, Any]) -> None:
        self.task = task

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Array, dict[str, Any]]:
        return np.zeros(1, np.float32), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        return np.ones(1, np.float32), 0.0, False, False, {}


def test_environments_that_step_in_a_loop_show_their_tasks_too():
    batch = make_task_vector_env(f"{__name__}:Corridor", KWARGS, 4)
    batch.reset_task([{"length": 5.0}, {"length": 7.0}])
    first, _ = batch.reset(seed=1)
    second, *_ = batch.step(np.zeros((4, 1), np.float32))
    np.testing.assert_array_equal(first, [[0, 5], [0, 5], [0, 7], [0, 7]])
    np.testing.assert_array_equal(second, [[1, 5], [1, 5], [1, 7], [1, 7]])


@one_of_each_kind
def test_a_single_environment_shows_the_task_it_was_given(id: str):
    with make_env(id, KWARGS) as env:
        env.reset(seed=0)
        (task,) = env.unwrapped.sample_tasks(1)  # type: ignore[attr-defined]
        env.unwrapped.reset_task(task)  # type: ignore[attr-defined]
        first, _ = env.reset(seed=1)
        second, *_ = env.step(env.action_space.sample())
        size = len(numbers(task))
        for observation in (first, second):
            np.testing.assert_array_equal(observation[-size:], numbers(task))
            assert observation.shape == env.observation_space.shape
            assert observation.dtype == env.observation_space.dtype == np.float32
        batch = make_task_vector_env(id, KWARGS, 2)
        assert batch.single_observation_space == env.observation_space
        batch.close()


class Secretive(gym.Env[Array, Array]):
    """Has tasks, and does not tell which."""

    observation_space = gym.spaces.Box(-1, 1, (2,), np.float32)
    action_space = gym.spaces.Box(-1, 1, (1,), np.float32)

    def sample_tasks(self, num_tasks: int) -> list[dict[str, Any]]:
        return [{}] * num_tasks

    def reset_task(self, task: dict[str, Any]) -> None: ...


class Image(Secretive):
    """Observes no vector."""

    task: dict[str, Any] = {"x": 0.0}
    observation_space = gym.spaces.Box(-1, 1, (2, 2), np.float32)


@pytest.mark.parametrize(
    ("name", "value", "complaint"),
    [
        ("2DNavigation-v0", 1, "observe_task: expected true or false, got 1"),
        ("Secretive", True, "expected a dict 'task' in environment 'Secretive' from the start"),
        ("Image", True, "expected a vector of observations, 'Image' has Box"),
    ],
)
def test_what_cannot_be_shown(name: str, value: object, complaint: str):
    name = name if "-" in name else f"{__name__}:{name}"
    with pytest.raises(UsageError, match=complaint):
        make_env(name, {"observe_task": value})
