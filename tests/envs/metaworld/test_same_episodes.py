"""Episodes of the batch against the package's own, to the bit."""

from typing import Any

import numpy as np
import pytest

from maml_rl.envs import make_env, make_task_vector_env
from maml_rl.envs.metaworld.names import ENVIRONMENTS
from maml_rl.envs.metaworld.tasks import Benchmark
from maml_rl.errors import UsageError
from tests.envs.metaworld.package import assert_same, fresh_env, play, play_batch

TRAPS = ["basketball-v3", "bin-picking-v3", "pick-place-v3", "window-open-v3"]
"""The goal, or the pads' first places, are views of the physics; a reward remembers; the first observation is
of before the window was moved."""


def random_actions(*shape: int) -> np.ndarray:
    return np.random.default_rng(1).uniform(-1.5, 1.5, (*shape, 4)).astype(np.float32)


def tasks_of(name: str, number: int) -> list[dict[str, Any]]:
    return Benchmark(f"ML1-{name}").draw(np.random.default_rng(0), number, "train")


def compare(names: list[str], version: str, steps: int, times: int = 1) -> None:
    """Compare two tasks of each environment, with an episode of random and one of scripted actions each.

    Args:
        times: that the batch plays them; from the second time on, its resets are kept ones.
    """
    tasks = [task for name in names for task in tasks_of(name, 2)]
    actions = random_actions(steps, 2 * len(tasks))
    expected = []
    for number, task in enumerate(tasks):
        env = fresh_env(task["env"], version)
        for episode in range(2):
            row = 2 * number + episode
            expected.append(play(env, task, actions[:, row], task["env"] if episode else None))
        env.close()
    kwargs = {"reward_function_version": version}
    batch = make_task_vector_env("MetaWorld/ML45", kwargs, 2 * len(tasks))
    for _ in range(times):
        for ours, packages in zip(play_batch(batch, tasks, actions), expected, strict=True):
            assert_same(packages, ours)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_a_batch_of_several_environments_has_the_episodes_of_the_package(version: str) -> None:
    compare(TRAPS, version, steps=25, times=2)


def test_where_success_asks_for_a_grasp_the_grasp_is_looked_for() -> None:
    (task,) = tasks_of("stick-push-v3", 1)
    actions = random_actions(150, 1)
    expected = play(fresh_env("stick-push-v3"), task, actions[:, 0], "stick-push-v3")
    assert expected.successes.any()
    (ours,) = play_batch(make_task_vector_env("MetaWorld/ML1-stick-push-v3", {}, 1), [task], actions)
    assert_same(expected, ours)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_whole_episodes_are_those_of_the_package(name: str, version: str) -> None:
    compare([name], version, steps=500)


def test_the_single_environment_is_the_batch() -> None:
    tasks = tasks_of("pick-place-v3", 2)
    actions = random_actions(20, 2)
    batch = make_task_vector_env("MetaWorld/ML1-pick-place-v3", {}, 2)
    env = make_env("MetaWorld/ML1-pick-place-v3")
    for row, (task, episode) in enumerate(zip(tasks, play_batch(batch, tasks, actions), strict=True)):
        env.get_wrapper_attr("reset_task")(task)
        observation, _ = env.reset(seed=3)
        np.testing.assert_array_equal(observation, episode.observations[0])
        for step in range(20):
            observation, reward, terminated, truncated, info = env.step(actions[step, row])
            np.testing.assert_array_equal(observation, episode.observations[step + 1])
            assert (reward, info["success"]) == (episode.rewards[step], episode.successes[step])
            assert not terminated
            assert not truncated
    env.close()


def test_episodes_last_500_steps() -> None:
    batch = make_task_vector_env("MetaWorld/ML1-reach-v3", {}, 1)
    played = 0
    batch.reset_task(tasks_of("reach-v3", 1))
    batch.reset(seed=0)
    while batch.running.any():
        _, _, terminated, truncated, _ = batch.step(np.zeros((1, 4), np.float32))
        played += 1
    assert played == 500
    assert truncated.all()
    assert not terminated.any()


def test_the_single_environment_is_not_stepped_beyond_them() -> None:
    env = make_env("MetaWorld/ML1-reach-v3", {"max_episode_steps": 501})
    for _ in range(2):
        env.reset(seed=0)
        for _ in range(500):
            *_, truncated, _ = env.step(np.zeros(4, np.float32))
            assert not truncated
        with pytest.raises(
            UsageError, match="max_episode_steps: Meta-World's episodes have 500 steps at most"
        ):
            env.step(np.zeros(4, np.float32))


def test_the_goal_is_hidden() -> None:
    batch = make_task_vector_env("MetaWorld/ML1-reach-v3", {}, 2)
    there, elsewhere = tasks_of("reach-v3", 2)
    # Of the two, only the goals differ.
    elsewhere = {"env": "reach-v3", "rand_vec": np.r_[there["rand_vec"][:3], elsewhere["rand_vec"][3:]]}
    first, second = play_batch(batch, [there, elsewhere], np.repeat(random_actions(10, 1), 2, axis=1))
    np.testing.assert_array_equal(first.observations, second.observations)
    assert (first.observations[:, -3:] == 0).all()
    assert (first.rewards != second.rewards).all()


def test_finished_episodes_stay_as_they_are() -> None:
    batch = make_task_vector_env("MetaWorld/ML1-reach-v3", {"max_episode_steps": 2}, 1)
    played = play_batch(batch, tasks_of("reach-v3", 1), random_actions(4, 1))[0]
    assert (played.rewards[:2] > 0).all()
    assert (played.rewards[2:] == 0).all()
    np.testing.assert_array_equal(played.observations[3], played.observations[2])
