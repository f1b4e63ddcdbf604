from collections.abc import Callable
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

import maml_rl.envs  # noqa: F401
from maml_rl.envs.goals import Corners, make_goals
from maml_rl.errors import UsageError
from tests.builders import repeatable
from tests.envs.creating import create, create_vec

coordinates = st.floats(-1, 1, width=32)
points = st.tuples(coordinates, coordinates)


def at_goal(goal: tuple[float, float]) -> gym.Env:
    env = create("2DNavigation-v0")
    env.unwrapped.reset_task({"goal": np.array(goal)})
    env.reset(seed=0)
    return env


@repeatable
@given(goal=points, actions=st.lists(points, min_size=1, max_size=8))
def test_moves_and_rewards(goal: tuple[float, float], actions: list[tuple[float, float]]):
    env = at_goal(goal)
    x = y = 0.0
    for dx, dy in actions:
        observation, reward, terminated, truncated, _ = env.step(np.array([dx, dy], np.float32))
        x += min(max(dx, -0.1), 0.1)
        y += min(max(dy, -0.1), 0.1)
        np.testing.assert_allclose(observation, [x, y], atol=1e-6)
        distance = ((x - goal[0]) ** 2 + (y - goal[1]) ** 2) ** 0.5
        assert reward == pytest.approx(-distance, abs=1e-6)
        within = max(abs(x - goal[0]), abs(y - goal[1]))
        if abs(within - 0.01) > 1e-6:  # Positions are float32.
            assert terminated == (within < 0.01)
        assert not truncated
        if terminated:
            break


@pytest.mark.parametrize(
    ("goal", "terminates"),
    [((0.05, -0.05), True), ((0.059, -0.041), True), ((0.061, -0.05), False), ((0.05, -0.061), False)],
)
def test_terminates_within_a_hundredth_of_both_coordinates(goal: tuple[float, float], terminates: bool):
    _, reward, terminated, truncated, _ = at_goal(goal).step(np.array([0.05, -0.05], np.float32))
    assert terminated == terminates
    assert not truncated
    assert reward == pytest.approx(-np.hypot(goal[0] - 0.05, goal[1] + 0.05), abs=1e-7)


def test_starts_at_the_origin_again_after_reset():
    env = at_goal((0.3, 0.3))
    env.step(np.array([0.1, 0.1], np.float32))
    observation, _ = env.reset()
    assert observation.tolist() == [0.0, 0.0]
    assert observation.dtype == np.float32


@pytest.mark.parametrize(("scale", "move"), [(0.1, 0.06), (1.0, 0.006), (0.05, 0.1)])
def test_actions_in_plus_minus_the_normalization_scale_fill_the_range_of_moves(scale: float, move: float):
    env = create("2DNavigation-v0", normalization_scale=scale)
    batch = create_vec("2DNavigation-v0", num_envs=2, normalization_scale=scale)
    np.testing.assert_array_equal(env.action_space.high, np.array([scale, scale], np.float32))
    assert batch.single_action_space == env.action_space
    env.reset(seed=0)
    batch.reset(seed=0)
    action = np.array([0.06, -2 * scale], np.float32)
    observation = env.step(action)[0]
    np.testing.assert_allclose(observation, [move, -0.1], rtol=1e-6)
    np.testing.assert_array_equal(batch.step(np.stack([action, action]))[0], [observation, observation])


@pytest.mark.parametrize("bounds", [{}, {"low": -2.0, "high": 1.0}, {"low": 0.25, "high": 0.25}])
def test_goals_fill_the_square(bounds: dict[str, float]):
    env = create("2DNavigation-v0", **bounds)
    env.reset(seed=0)
    goals = np.array([task["goal"] for task in env.unwrapped.sample_tasks(2000)])
    low, high = bounds.get("low", -0.5), bounds.get("high", 0.5)
    assert (goals >= low).all()
    assert (goals <= high).all()
    np.testing.assert_allclose(goals.min(0), low, atol=0.01 * (high - low))
    np.testing.assert_allclose(goals.max(0), high, atol=0.01 * (high - low))
    np.testing.assert_allclose(goals.mean(0), (low + high) / 2, atol=0.03 * (high - low))
    if high > low:
        assert abs(np.corrcoef(goals.T)[0, 1]) < 0.1


CORNERS = {"goals": "corners", "low": -1.0, "high": 1.0}


def towards(goal: tuple[float, float], actions: list[tuple[float, float]]) -> list[float]:
    """Rewards of moves, one after the other, in the task of the corners."""
    env = create("2DNavigation-v0", **CORNERS)
    env.unwrapped.reset_task({"goal": np.array(goal)})
    env.reset(seed=0)
    rewards = []
    for action in actions:
        _, reward, terminated, _, _ = env.step(np.array(action, np.float32))
        assert not terminated
        rewards.append(reward)
    return rewards


def test_a_corners_reward_is_the_progress_once_the_way_to_it_is_taken():
    diagonal = 0.1 * 2**0.5
    rewards = towards((1.0, -1.0), [(0.1, -0.1)] * 11 + [(0.0, 0.0)])
    # One move is 0.2 from the origin, in sum of absolute values, and two are 0.4. The 11th goes beyond.
    assert rewards == pytest.approx([0.0, *[diagonal] * 9, -diagonal, 0.0], abs=1e-6)
    assert towards((1.0, -1.0), [(0.1, 0.1)] * 5) == [0.0] * 5
    assert towards((1.0, -1.0), [(-0.1, 0.1)] * 5) == [0.0] * 5
    # Where two corners are as near, both ways count.
    assert towards((1.0, -1.0), [(0.1, 0.0)] * 3)[2] == towards((1.0, 1.0), [(0.1, 0.0)] * 3)[2] > 0.05


@repeatable
@given(goal=st.sampled_from([(x, y) for x in (-1.0, 1.0) for y in (-1.0, 1.0)]), position=points, move=points)
def test_a_corners_reward_against_the_distances_to_all(
    goal: tuple[float, float], position: tuple[float, float], move: tuple[float, float]
):
    before = np.array(position, np.float32)
    after = before + np.float32(0.1) * np.array(move, np.float32)
    assume(((after == 0) | (abs(after) > 1e-6)).all())  # Or distances that differ round to the same.
    distances = [np.hypot(*(after - np.array([x, y]))) for x in (-1, 1) for y in (-1, 1)]
    to_goal = np.hypot(*(after - np.array(goal)))
    nearest, away = to_goal <= min(distances) + 1e-9, np.abs(after).sum() >= 0.25
    expected = np.hypot(*(before - np.array(goal))) - to_goal if nearest and away else 0.0
    assert Corners(-1.0, 1.0).reward(before, after, np.array(goal)) == pytest.approx(expected, abs=1e-9)


def test_tasks_are_the_four_corners_alike():
    env = create("2DNavigation-v0", goals="corners", low=-2.0, high=0.5)
    env.reset(seed=0)
    goals, counts = np.unique(
        [task["goal"] for task in env.unwrapped.sample_tasks(4000)], axis=0, return_counts=True
    )
    assert goals.tolist() == [[-2.0, -2.0], [-2.0, 0.5], [0.5, -2.0], [0.5, 0.5]]
    np.testing.assert_allclose(counts, 1000, rtol=0.1)


@repeatable
@given(actions_seed=st.integers(0, 99), bias=points)
def test_batched_corners_equal_single_ones_exactly(actions_seed: int, bias: tuple[float, float]):
    env = create("2DNavigation-v0", **CORNERS, normalization_scale=10.0)
    batch = create_vec("2DNavigation-v0", num_envs=4, **CORNERS, normalization_scale=10.0)
    env.reset(seed=actions_seed)
    tasks = env.unwrapped.sample_tasks(4)
    batch.reset_task(tasks)
    batch.reset(seed=0)
    drawn = np.random.default_rng(actions_seed).normal(10 * np.array(bias), 5.0, (30, 4, 2))
    answers = [batch.step(each)[:4] for each in drawn.astype(np.float32)]
    for i, task in enumerate(tasks):
        env.unwrapped.reset_task(task)
        env.reset()
        for each, (observations, *others) in zip(drawn.astype(np.float32), answers, strict=True):
            observation, *expected = env.step(each[i])[:4]
            np.testing.assert_array_equal(observations[i], observation)
            assert [array[i] for array in others] == expected


@pytest.mark.parametrize("make", [create, create_vec])
def test_goals_that_there_are_not(make: Callable[..., Any]):
    with pytest.raises(UsageError, match=r"^goals: expected 'square' or 'corners', got 'corner'$"):
        make("2DNavigation-v0", goals="corner")
    with pytest.raises(UsageError, match=r"^goals: expected 'square' or 'corners', got \['corners'\]$"):
        make_goals(["corners"], -1.0, 1.0)
