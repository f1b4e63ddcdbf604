"""Batched environments against single ones, and against themselves in other company."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import maml_rl.envs  # noqa: F401
from tests.builders import repeatable
from tests.envs.creating import create, create_vec
from tests.envs.ids import (
    EXACT_IDS,
    NEAR_IDS,
    NUMPY_IDS,
    Array,
    one_of_each_kind,
    play_batch,
    random_actions,
)


def tasks_of(id: str, num: int, seed: int = 0) -> list[dict[str, Any]]:
    env = create(id)
    env.reset(seed=seed)
    tasks = env.unwrapped.sample_tasks(num)
    env.close()
    return tasks


def actions_for(batch: Any, steps: int, seed: int = 0) -> Array:
    rng = np.random.default_rng(seed)
    return np.stack([random_actions(batch.single_action_space, rng, batch.num_envs) for _ in range(steps)])


@pytest.mark.parametrize("id", NUMPY_IDS)
@repeatable
@given(seeds=st.lists(st.integers(0, 2**31 - 1), min_size=3, max_size=3), actions_seed=st.integers(0, 99))
def test_numpy_batches_equal_single_environments_exactly(id: str, seeds: list[int], actions_seed: int):
    tasks = tasks_of(id, 3, seed=actions_seed)
    if id == "2DNavigation-v0":
        tasks[0] = {"goal": np.array([0.02, -0.02])}  # Most walks end there soon.
    batch, singles = create_vec(id, num_envs=3), [create(id) for _ in tasks]
    batch.reset_task(tasks)
    observations, _ = batch.reset(seed=seeds)
    for single, task, seed, observation in zip(singles, tasks, seeds, observations, strict=True):
        single.unwrapped.reset_task(task)
        first, _ = single.reset(seed=seed)
        np.testing.assert_array_equal(first, observation)
        assert first.dtype == observation.dtype
    running = [True] * 3
    for actions in actions_for(batch, 12, actions_seed):
        observations, rewards, terminated, truncated, _ = batch.step(actions)
        for i, single in enumerate(singles):
            if running[i]:
                expected = single.step(actions[i])
                np.testing.assert_array_equal(observations[i], expected[0])
                assert (rewards[i], terminated[i], truncated[i]) == expected[1:4]
                running[i] = not (expected[2] or expected[3])
        assert batch.running.tolist() == running
        if not any(running):
            break


@pytest.mark.parametrize("id", NEAR_IDS)
def test_mujoco_batches_step_as_single_environments_do(id: str):
    """From the same state, for one step.

    The batch starts MuJoCo's constraint solver cold, the single environment from its last solution; both
    stop at the solver's tolerance, 1e-8, a little apart.
    """
    tasks = tasks_of(id, 3)
    batch, single = create_vec(id, num_envs=3), create(id)
    batch.reset_task(tasks)
    first, _ = batch.reset(seed=[4, 5, 6])
    for task, seed, observation in zip(tasks, [4, 5, 6], first, strict=True):
        single.unwrapped.reset_task(task)
        np.testing.assert_array_equal(single.reset(seed=seed)[0], observation)
    nq = single.unwrapped.model.nq
    for actions in 0.5 * actions_for(batch, 100):
        states, running = batch._states.copy(), batch.running.copy()
        observations, rewards, terminated, _, _ = batch.step(actions)
        for i in np.flatnonzero(running):
            single.unwrapped.reset_task(tasks[i])
            single.unwrapped.set_state(states[i, 1 : 1 + nq], states[i, 1 + nq :])
            expected = single.unwrapped.step(actions[i])
            np.testing.assert_allclose(observations[i], expected[0], rtol=1e-6, atol=2e-6)
            assert rewards[i] == pytest.approx(expected[1], abs=2e-6)
            assert terminated[i] == expected[2]
        if not batch.running.any():
            break
    assert batch._elapsed > 30


@pytest.mark.parametrize("id", EXACT_IDS)
def test_other_mujoco_batches_equal_single_environments_exactly(id: str):
    tasks, seeds = tasks_of(id, 3), [4, 5, 6]
    batch, single = create_vec(id, num_envs=3), create(id)
    batch.reset_task(tasks)
    actions = 0.5 * actions_for(batch, 60)
    first, _ = batch.reset(seed=seeds)
    answers = [batch.step(each)[:4] for each in actions]
    for i, (task, seed) in enumerate(zip(tasks, seeds, strict=True)):
        single.unwrapped.reset_task(task)
        np.testing.assert_array_equal(single.reset(seed=seed)[0], first[i])
        for action, (observations, *others) in zip(actions[:, i], answers, strict=True):
            observation, *expected = single.step(action)[:4]
            np.testing.assert_array_equal(observations[i], observation)
            assert [array[i] for array in others] == expected
            if expected[1]:
                break


@pytest.mark.parametrize("id", NEAR_IDS)
def test_mujoco_batches_stay_near_single_environments_for_100_steps(id: str):
    """Left alone, the two drift apart as the robots' chaos amplifies the solver's tolerance.

    Measured: 1e-7 to 3e-2 after 100 steps, where two episodes that differ in their seed are 10 apart.
    """
    batch, single = create_vec(id, num_envs=1), create(id)
    tasks = tasks_of(id, 1)
    batch.reset_task(tasks)
    single.unwrapped.reset_task(tasks[0])
    batch.reset(seed=[0])
    single.reset(seed=0)
    for actions in 0.5 * actions_for(batch, 100):
        observations, rewards, terminated, _, _ = batch.step(actions)
        observation, reward, ended, _, _ = single.step(actions[0])
        np.testing.assert_allclose(observations[0], observation, atol=0.3)
        assert rewards[0] == pytest.approx(reward, abs=0.1)
        assert terminated[0] == ended
        if ended:
            break
    assert batch._elapsed > 50


@one_of_each_kind
def test_a_tasks_episodes_do_not_depend_on_its_company(id: str):
    tasks, episodes = tasks_of(id, 5), 3
    whole = create_vec(id, num_envs=5 * episodes)
    whole.reset_task(tasks)
    actions = actions_for(whole, 20)
    seeds = [11, 12, 13, 14, 15]
    together = play_batch(whole, seeds, actions)
    for few in ([2], [4, 2], [2, 0, 1]):
        part = create_vec(id, num_envs=len(few) * episodes)
        part.reset_task([tasks[i] for i in few])
        rows = np.concatenate([np.arange(episodes * i, episodes * (i + 1)) for i in few])
        apart = play_batch(part, [seeds[i] for i in few], actions[:, rows])
        for heard_apart, heard_together in zip(apart, together, strict=True):
            np.testing.assert_array_equal(heard_apart, heard_together[:, rows])


@one_of_each_kind
def test_the_seeds_determine_a_batchs_episodes(id: str):
    batch = create_vec(id, num_envs=60)
    batch.reset_task(tasks_of(id, 3))
    actions = actions_for(batch, 5)
    first = play_batch(batch, [1, 2, 3], actions)
    again = play_batch(batch, [1, 2, 3], actions)
    others = play_batch(batch, [1, 2, 4], actions)
    for before, after, other in zip(first, again, others, strict=True):
        np.testing.assert_array_equal(before, after)
        np.testing.assert_array_equal(before[:, :40], other[:, :40])
    if id != "2DNavigation-v0":  # Nothing is random there.
        assert (first[1][:, 40:] != others[1][:, 40:]).any()


@one_of_each_kind
def test_an_integer_seed_counts_up_over_the_tasks(id: str):
    batch = create_vec(id, num_envs=12)
    batch.reset_task(tasks_of(id, 3))
    actions = actions_for(batch, 5)
    listed = play_batch(batch, [7, 8, 9], actions)
    counted = play_batch(batch, 7, actions)  # type: ignore[arg-type]
    for one, other in zip(listed, counted, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("id", ["GaussianBandit-K5-v0", "TabularMDP-v0", "HalfCheetahVel-v2"])
def test_without_a_seed_the_streams_go_on(id: str):
    batch = create_vec(id, num_envs=4)
    actions = actions_for(batch, 3)
    batch.reset(seed=0)
    first = batch.step(actions[0])[1]
    batch.reset()
    assert (batch.step(actions[0])[1] != first).all()


def ending(id: str, num_envs: int = 4) -> Any:
    """A batch some of whose episodes end long before the others."""
    batch = create_vec(id, num_envs=num_envs, max_episode_steps=60)
    if id == "2DNavigation-v0":
        goals = [[0.1, 0.1], [0.3, 0.3], [0.3, -0.3], [-2, 0.1]]
        batch.reset_task([{"goal": np.array(goal)} for goal in goals])
    return batch


@pytest.mark.parametrize("id", ["2DNavigation-v0", "AntVel-v2"])
def test_finished_episodes_stay_finished_while_others_go_on(id: str):
    batch = ending(id)
    actions = np.full((60, 4, *batch.single_action_space.shape), 0.1, np.float32)
    if id == "AntVel-v2":
        actions = 2 * actions_for(batch, 60, seed=2)
    _, rewards, terminated, truncated = play_batch(batch, [0, 1, 2, 3], actions)
    over = terminated | truncated
    assert len({int(row.argmax()) for row in over.T}) > 1  # They end at different times.
    assert (over == np.maximum.accumulate(over)).all()
    finished_before = np.concatenate([np.zeros((1, 4), bool), over[:-1]])
    assert finished_before.any()
    assert (rewards[finished_before] == 0).all()
    assert (rewards[~finished_before] != 0).all()
    assert over[-1].all()
    assert not batch.running.any()
    assert not (terminated & truncated).any()


@one_of_each_kind
def test_batches_do_not_reset_themselves(id: str):
    assert create_vec(id, num_envs=2).metadata["autoreset_mode"] is gym.vector.AutoresetMode.DISABLED
    batch = create_vec(id, num_envs=2, max_episode_steps=2)
    batch.reset(seed=0)
    for actions in actions_for(batch, 5):
        batch.step(actions)
        over = not batch.running.any()
    assert over
    batch.reset()
    assert batch.running.all()


@pytest.mark.parametrize("num_tasks", [0, 4, 5, 12])
def test_tasks_that_cannot_share_the_environments_evenly(num_tasks: int):
    batch = create_vec("2DNavigation-v0", num_envs=6)
    with pytest.raises(ValueError, match=f"{num_tasks} tasks cannot share 6 environments"):
        batch.reset_task([{"goal": np.zeros(2)}] * num_tasks)


def test_one_seed_per_task_is_expected():
    batch = create_vec("2DNavigation-v0", num_envs=6)
    batch.reset_task([{"goal": np.zeros(2)}] * 3)
    with pytest.raises(ValueError, match="2 seeds for 3 tasks"):
        batch.reset(seed=[1, 2])


def test_environments_of_a_task_lie_side_by_side():
    batch = create_vec("2DNavigation-v0", num_envs=6)
    batch.reset_task([{"goal": np.array([0.0, y])} for y in (1.0, 2.0, 3.0)])
    batch.reset(seed=0)
    assert batch.episodes_per_task == 2
    assert batch.step(np.zeros((6, 2)))[1].tolist() == [-1, -1, -2, -2, -3, -3]
