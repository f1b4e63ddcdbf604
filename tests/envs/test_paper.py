"""The paper's locomotion tasks, recomputed from the definition."""

from typing import Any

import mujoco
import numpy as np
import pytest

import maml_rl.envs  # noqa: F401
from tests.envs.creating import create, create_vec
from tests.envs.ids import PAPER_ANT_IDS, PAPER_CHEETAH_IDS, Array, random_actions

TASKS: dict[str, dict[str, Any]] = {
    "HalfCheetahVel-v0": {"velocity": 1.3},
    "HalfCheetahDir-v0": {"direction": -1.0},
    "AntVel-v0": {"velocity": 2.1},
    "AntDir-v0": {"direction": -1.0},
}
every_paper_env = pytest.mark.parametrize("id", TASKS)
REST = [0.0, 0.0, 0.55, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0, -1.0, 0.0, -1.0, 0.0, 1.0]
"""Of rllab's ant: torso at 0.55 m, upright, knees bent."""


def centre(model: mujoco.MjModel, qpos: Array) -> Array:
    """Mass-weighted mean of the bodies' centres."""
    data = mujoco.MjData(model)
    data.qpos[:] = qpos
    mujoco.mj_kinematics(model, data)
    return (model.body_mass[1:, None] * data.xipos[1:]).sum(0) / model.body_mass[1:].sum()


def centre_velocity(model: mujoco.MjModel, qpos: Array, qvel: Array, epsilon: float = 1e-6) -> Array:
    """By central differences along the motion."""
    ends = []
    for dt in (epsilon, -epsilon):
        moved = qpos.copy()
        mujoco.mj_integratePos(model, moved, qvel, dt)
        ends.append(centre(model, moved))
    return (ends[0] - ends[1]) / (2 * epsilon)


def forward_reward(id: str, velocity: float) -> float:
    if "Dir" in id:
        return -velocity
    return -abs(velocity - 1.3) if "Cheetah" in id else 1 - abs(velocity - 2.1)


def other_rewards(id: str, effort: Array, forces: Array) -> float:
    if "Cheetah" in id:
        return -0.05 * np.square(effort).sum()
    return 0.05 - 0.005 * np.square(effort).sum() - 0.0005 * np.square(forces).sum()


@every_paper_env
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_observations_and_rewards(id: str, scale: float):
    env = create(id, normalization_scale=scale)
    model, data = env.unwrapped.model, env.unwrapped.data
    env.unwrapped.reset_task(TASKS[id])
    env.reset(seed=1)
    rng = np.random.default_rng(0)
    for _ in range(40):
        action = 0.5 * random_actions(env.action_space, rng, 1)[0]
        observation, reward, terminated, _, _ = env.step(action)
        com, velocity = centre(model, data.qpos), centre_velocity(model, data.qpos, data.qvel)
        forces = observation[29:-12] if id in PAPER_ANT_IDS else np.zeros(0)
        effort = np.clip(action / scale, -1, 1)
        np.testing.assert_allclose(observation[-3:], com, rtol=1e-5, atol=1e-5)
        expected = forward_reward(id, velocity[0]) + other_rewards(id, effort, forces)
        assert reward == pytest.approx(expected, abs=1e-5)
        first = data.qpos[1:] if id in PAPER_CHEETAH_IDS else data.qpos
        np.testing.assert_allclose(observation[: len(first)], first, rtol=1e-5, atol=1e-5)
        if terminated:
            break
    assert data.time > 10 * env.unwrapped.dt


@every_paper_env
def test_a_step_is_one_physics_step(id: str):
    env = create(id)
    env.reset(seed=0)
    env.step(np.zeros(env.action_space.shape, np.float32))
    expected = 0.02 if id in PAPER_ANT_IDS else 0.01
    assert env.unwrapped.data.time == env.unwrapped.dt == create_vec(id).dt == expected


@every_paper_env
def test_resets_with_the_noise_of_rllab(id: str):
    batch = create_vec(id, num_envs=1000)
    batch.reset(seed=0)
    qpos, qvel = batch._positions_and_velocities()
    rest = np.array(REST) if id in PAPER_ANT_IDS else np.zeros(9)
    np.testing.assert_allclose((qpos - rest).std(0), 0.01, rtol=0.1)
    np.testing.assert_allclose((qpos - rest).mean(0), 0, atol=0.002)
    assert np.abs(qpos - rest).max() > 0.03  # Normal.
    np.testing.assert_allclose(qvel.std(0), 0.1, rtol=0.1)


@pytest.mark.parametrize("id", PAPER_ANT_IDS)
def test_the_ants_model_is_rllabs(id: str):
    model = create(id).unwrapped.model
    assert model.opt.integrator == mujoco.mjtIntegrator.mjINT_RK4
    torque = model.actuator_gear[:, 0, None] * model.actuator_ctrlrange
    np.testing.assert_array_equal(torque, [[-150.0, 150.0]] * 8)
    np.testing.assert_array_equal(model.geom_solimp[:, :3], [[0.8, 0.8, 0.01]] * model.ngeom)
    np.testing.assert_array_equal(model.geom_solref, [[0.02, 1.0]] * model.ngeom)
    np.testing.assert_array_equal(create_vec(id).model.geom_solimp, model.geom_solimp)
