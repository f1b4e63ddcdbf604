import gymnasium as gym
import numpy as np
import pytest

import maml_rl.envs  # noqa: F401
from tests.envs.creating import create, create_vec
from tests.envs.ids import CHEETAH_IDS, play_batch, random_actions

DT = 0.05
TASKS = {"HalfCheetahVel-v2": {"velocity": 1.3}, "HalfCheetahDir-v2": {"direction": -1.0}}
both = pytest.mark.parametrize("id", CHEETAH_IDS)
scales = pytest.mark.parametrize("scale", [1.0, 10.0])


def task_reward(id: str, velocity: float) -> float:
    return -abs(velocity - 1.3) if id == "HalfCheetahVel-v2" else -velocity


@both
@scales
def test_observations_and_rewards(id: str, scale: float):
    env = create(id, normalization_scale=scale)
    data = env.unwrapped.data
    env.unwrapped.reset_task(TASKS[id])
    observation, _ = env.reset(seed=1)
    rng = np.random.default_rng(0)
    assert env.action_space == gym.spaces.Box(-scale, scale, (6,), np.float32)
    for _ in range(60):
        x_before = float(data.qpos[0])
        action = random_actions(env.action_space, rng, 1)[0]
        observation, reward, terminated, _, info = env.step(action)
        reaching = np.clip(action / scale, -1, 1)  # The actuators' range is ±1.
        np.testing.assert_allclose(data.ctrl, reaching, atol=1e-6)
        expected = np.concatenate([data.qpos[1:], data.qvel, data.body("torso").xpos])
        assert observation.shape == (20,)
        np.testing.assert_allclose(observation, expected, rtol=1e-5, atol=1e-5)
        velocity = (data.qpos[0] - x_before) / DT
        control = -0.05 * (data.ctrl**2).sum()
        assert reward == pytest.approx(task_reward(id, velocity) + control, abs=1e-9)
        assert info["reward_ctrl"] == pytest.approx(control, abs=1e-9)
        assert not terminated
    assert env.unwrapped.dt == pytest.approx(DT)


@both
@scales
def test_batched_rewards_follow_from_the_observations(id: str, scale: float):
    batch = create_vec(id, num_envs=4, normalization_scale=scale)
    batch.reset_task([TASKS[id]])
    rng = np.random.default_rng(0)
    actions = np.stack([random_actions(batch.single_action_space, rng, 4) for _ in range(30)])
    first, _ = batch.reset(seed=[7])
    observations, rewards, _, _ = play_batch(batch, [7], actions)
    xs = np.concatenate([first[None], observations])[..., -3].astype(np.float64)
    velocities = np.diff(xs, axis=0) / DT
    control = 0.05 * np.square(np.clip(actions / scale, -1, 1)).sum(-1)
    expected = np.vectorize(lambda v: task_reward(id, v))(velocities) - control
    np.testing.assert_allclose(rewards, expected, atol=2e-5)  # Positions are observed in float32.


@both
def test_resets_with_the_noise_of_gymnasium(id: str):
    batch = create_vec(id, num_envs=2000)
    observations, _ = batch.reset(seed=0)
    x, rest, velocities = observations[:, -3], observations[:, :8], observations[:, 8:17]
    positions = np.column_stack([x, rest])
    assert np.abs(positions).max() <= 0.1
    np.testing.assert_allclose(positions.std(0), 0.1 / 3**0.5, rtol=0.06)
    np.testing.assert_allclose(positions.mean(0), 0, atol=0.006)
    np.testing.assert_allclose(velocities.std(0), 0.1, rtol=0.08)
    assert np.abs(velocities).max() > 0.3  # Normal, where positions are uniform.


@pytest.mark.parametrize("bounds", [{}, {"low": 1.0, "high": 5.0}])
def test_velocities_are_uniform(bounds: dict[str, float]):
    env = create("HalfCheetahVel-v2", **bounds)
    env.reset(seed=0)
    velocities = np.array([task["velocity"] for task in env.unwrapped.sample_tasks(2000)])
    low, high = bounds.get("low", 0.0), bounds.get("high", 2.0)
    assert low <= velocities.min() < low + 0.01 * (high - low)
    assert high - 0.01 * (high - low) < velocities.max() <= high
    assert velocities.mean() == pytest.approx((low + high) / 2, rel=0.03)


@pytest.mark.parametrize("id", ["HalfCheetahDir-v2", "AntDir-v2"])
def test_directions_are_forward_or_backward_with_equal_chance(id: str):
    env = create(id)
    env.reset(seed=0)
    directions = np.array([task["direction"] for task in env.unwrapped.sample_tasks(2000)])
    assert set(directions) == {-1.0, 1.0}
    assert abs(directions.mean()) < 0.1
