"""The robots of Rothfuss et al. 2019 and of rand_param_envs, recomputed from their definitions."""

from typing import Any

import mujoco
import numpy as np
import pytest

from maml_rl.envs.mujoco.ant import AntDir2D, AntGoal
from maml_rl.envs.mujoco.hopper import HopperRandParams
from maml_rl.envs.mujoco.humanoid import HumanoidDir
from maml_rl.envs.mujoco.locomotion import BodyState, Locomotion, load_model
from maml_rl.envs.mujoco.swimmer import SwimmerVel
from maml_rl.envs.mujoco.walker2d import Walker2dVel
from maml_rl.errors import UsageError
from tests.envs.creating import create, create_vec
from tests.envs.ids import EXACT_IDS, HUMANOID_IDS, WALKER_IDS, Array, random_actions

EAST_BY_SOUTH = np.array([0.6, -0.8])
TASKS: dict[str, dict[str, Any]] = {
    "AntGoal-v0": {"goal": np.array([1.5, -2.0])},
    "AntDir2D-v0": {"direction": EAST_BY_SOUTH},
    "HumanoidDir-v0": {"direction": -1.0},
    "HumanoidDir2D-v0": {"direction": EAST_BY_SOUTH},
    "Walker2dVel-v0": {"velocity": 2.5},
    "Walker2dDir-v0": {"direction": -1.0},
    "SwimmerVel-v0": {"velocity": 0.15},
}
SECONDS = {
    **dict.fromkeys(["AntGoal-v0", "AntDir2D-v0"], 0.05),
    **dict.fromkeys(HUMANOID_IDS, 0.015),
    **dict.fromkeys([*WALKER_IDS, "HopperRandParams-v0"], 0.016),
    "SwimmerVel-v0": 0.04,
}
"""Of a step."""
every_robot = pytest.mark.parametrize("id", EXACT_IDS)


def measured(env: Any) -> mujoco.MjData:
    """All that MuJoCo computes in an environment's state, from a new start."""
    fresh = mujoco.MjData(env.model)
    fresh.qpos[:], fresh.qvel[:], fresh.ctrl[:] = env.data.qpos, env.data.qvel, env.data.ctrl
    mujoco.mj_forward(env.model, fresh)
    mujoco.mj_rnePostConstraint(env.model, fresh)
    return fresh


def centre(model: mujoco.MjModel, data: mujoco.MjData) -> Array:
    return (model.body_mass[:, None] * data.xipos).sum(0) / model.body_mass.sum()


def observation_of(id: str, data: mujoco.MjData) -> Array:
    forces = np.clip(data.cfrc_ext, -1, 1).ravel()
    if id == "AntGoal-v0":
        return np.concatenate([data.qpos, data.qvel, forces])
    if id == "AntDir2D-v0":
        return np.concatenate([data.qpos[2:], data.qvel, forces])
    if id in HUMANOID_IDS:
        bodies = [data.cinert.ravel(), data.cvel.ravel(), data.qfrc_actuator, data.cfrc_ext.ravel()]
        return np.concatenate([data.qpos[2:], data.qvel, *bodies])
    if id == "SwimmerVel-v0":
        return np.concatenate([data.qpos[2:], data.qvel])
    return np.concatenate([data.qpos[1:], np.clip(data.qvel, -10, 10)])


def reward_of(
    id: str, model: mujoco.MjModel, before: mujoco.MjData, after: mujoco.MjData, action: Array
) -> float:
    moved = after.qpos[:2] - before.qpos[:2]
    x_velocity = moved[0] / SECONDS[id]
    effort = (action**2).sum()
    forces = (np.clip(after.cfrc_ext, -1, 1) ** 2).sum()
    if id == "AntGoal-v0":
        return -np.abs(after.qpos[:2] - [1.5, -2.0]).sum() - 0.1 * effort - 0.0005 * forces
    if id == "AntDir2D-v0":
        return moved @ EAST_BY_SOUTH / 0.05 - 0.5 * effort - 0.0005 * forces + 1
    if id in HUMANOID_IDS:
        direction = np.array([-1.0, 0.0]) if id == "HumanoidDir-v0" else EAST_BY_SOUTH
        forward = direction @ (centre(model, after) - centre(model, before))[:2] / 0.003
        impact = min(0.5e-6 * (after.cfrc_ext**2).sum(), 10)
        return 0.25 * forward - 0.1 * (0.4**2 * effort) - impact + 5
    if id == "SwimmerVel-v0":
        return -abs(x_velocity - 0.15) - 0.0001 * effort
    task = {"Walker2dVel-v0": 15 - abs(x_velocity - 2.5), "Walker2dDir-v0": 1 - x_velocity}
    return task.get(id, 1 + x_velocity) - 0.001 * effort


def has_ended(id: str, data: mujoco.MjData) -> bool:
    if id == "AntDir2D-v0":
        return not 0 <= data.qpos[2] <= 1
    if id in HUMANOID_IDS:
        return data.qpos[2] < 1 or data.qpos[2] > 2
    if id in WALKER_IDS:
        return not (0.8 < data.qpos[1] < 2 and -1 < data.qpos[2] < 1)
    if id == "HopperRandParams-v0":
        state = np.concatenate([data.qpos, data.qvel])
        return not ((np.abs(state[2:]) < 100).all() and data.qpos[1] > 0.7 and abs(data.qpos[2]) < 0.2)
    return False


@every_robot
@pytest.mark.parametrize("scale", [1.0, 10.0])
def test_observations_rewards_and_endings(id: str, scale: float):
    env = create(id, normalization_scale=scale)
    robot: Any = env.unwrapped
    env.reset(seed=3)
    rng = np.random.default_rng(0)
    for seed in (0, 1):
        robot.reset_task(TASKS.get(id) or robot.sample_tasks(1)[0])
        observation, _ = env.reset(seed=seed)
        np.testing.assert_allclose(observation, observation_of(id, measured(robot)), rtol=1e-5, atol=1e-5)
        for _ in range(50):
            before = measured(robot)
            action = random_actions(env.action_space, rng, 1)[0]
            observation, reward, terminated, _, _ = env.step(action)
            reaching = np.clip(action / scale, -1, 1)
            np.testing.assert_allclose(
                robot.data.ctrl, (0.4 if id in HUMANOID_IDS else 1) * reaching, atol=1e-6
            )
            after = measured(robot)
            np.testing.assert_allclose(observation, observation_of(id, after), rtol=1e-5, atol=1e-5)
            expected = reward_of(id, robot.model, before, after, reaching.astype(np.float64))
            assert reward == pytest.approx(expected, rel=1e-6, abs=1e-6)
            assert terminated == has_ended(id, robot.data)
            if terminated:
                break
        if id != "AntDir2D-v0":  # Which may jump, or not.
            assert terminated == (id not in ("AntGoal-v0", "SwimmerVel-v0"))
    assert robot.dt == pytest.approx(SECONDS[id])
    assert create_vec(id).dt == robot.dt


@pytest.mark.parametrize(
    ("robot", "index", "value", "ends"),
    [
        (AntDir2D(), 2, 0.0, False),
        (AntDir2D(), 2, -0.01, True),
        (AntDir2D(), 2, 1.01, True),
        (AntGoal(), 2, 5.0, False),
        (HumanoidDir(), 2, 1.0, False),
        (HumanoidDir(), 2, 0.99, True),
        (HumanoidDir(), 2, 2.01, True),
        (HumanoidDir(), 2, np.nan, True),
        (Walker2dVel(), 1, 0.81, False),
        (Walker2dVel(), 1, 0.8, True),
        (Walker2dVel(), 1, 2.0, True),
        (Walker2dVel(), 2, -0.99, False),
        (Walker2dVel(), 2, -1.0, True),
        (Walker2dVel(), 2, np.nan, True),
        (HopperRandParams(), 1, 0.71, False),
        (HopperRandParams(), 1, 0.7, True),
        (HopperRandParams(), 1, 9.0, False),
        (HopperRandParams(), 2, -0.19, False),
        (HopperRandParams(), 2, -0.2, True),
        (HopperRandParams(), 3, 100.0, True),
        (HopperRandParams(), 11, -99.0, False),
        (HopperRandParams(), 11, -100.0, True),
        (HopperRandParams(), 11, np.nan, True),
        (SwimmerVel(), 2, 9.0, False),
    ],
)
def test_endings_at_the_bounds(robot: Locomotion, index: int, value: float, ends: bool):
    """Of a state in which one of the positions and velocities is another one."""
    model = load_model(robot)
    numbers = np.concatenate([model.qpos0, np.zeros(model.nv)])
    numbers[index] = value
    state = BodyState(numbers[None, : model.nq], numbers[None, model.nq :])
    assert robot.terminated(state).tolist() == [ends]


def test_without_contact_forces_all_else_is_observed_as_with_them():
    env = create("HumanoidDir-v0", contact_forces=False)
    env.reset(seed=0)
    rng = np.random.default_rng(0)
    for _ in range(15):
        observation, *_ = env.step(random_actions(env.action_space, rng, 1)[0])
        expected = measured(env.unwrapped)
        assert expected.qfrc_actuator.any()
        expected.cfrc_ext[:] = 0.0
        np.testing.assert_allclose(
            observation, observation_of("HumanoidDir-v0", expected), rtol=1e-6, atol=1e-6
        )


def test_the_cost_of_impact_is_bounded():
    still = np.zeros((1, 3))
    for force, cost in ((100.0, 0.5e-6 * 14 * 6 * 1e4), (1e5, 10.0)):
        state = BodyState(np.zeros((1, 24)), np.zeros((1, 23)), np.full((1, 14, 6), force), still)
        terms = HumanoidDir().rewards(state, state, np.zeros((1, 17)), np.ones(()), 0.015)
        assert terms["impact"] == pytest.approx(-cost)


@pytest.mark.parametrize(
    ("id", "width"),
    [
        *((name, 0.01) for name in HUMANOID_IDS),
        *((name, 0.005) for name in (*WALKER_IDS, "HopperRandParams-v0")),
        ("SwimmerVel-v0", 0.1),
    ],
)
def test_resets_with_uniform_noise(id: str, width: float):
    batch = create_vec(id, num_envs=500, **({"contact_forces": False} if id in HUMANOID_IDS else {}))
    batch.reset(seed=0)
    qpos, qvel = batch._positions_and_velocities()
    for noise in (qpos - batch.model.qpos0, qvel):
        assert np.abs(noise).max() <= width
        np.testing.assert_allclose(noise.std(0), width / 3**0.5, rtol=0.12)


def tasks_of(id: str, **kwargs: float) -> Array:
    env = create(id, **kwargs)
    env.reset(seed=0)
    return np.array([next(iter(task.values())) for task in env.unwrapped.sample_tasks(2000)])


@pytest.mark.parametrize("id", ["AntDir2D-v0", "HumanoidDir2D-v0"])
def test_directions_are_uniform_in_the_plane(id: str):
    directions = tasks_of(id)
    np.testing.assert_allclose(np.linalg.norm(directions, axis=1), 1, rtol=1e-12)
    turns = np.sort(np.arctan2(directions[:, 1], directions[:, 0]) / (2 * np.pi) % 1)
    assert np.abs(turns - np.linspace(0, 1, 2000)).max() < 0.04  # Kolmogorov and Smirnov's distance.


@pytest.mark.parametrize("radius", [None, 0.5])
def test_goals_are_uniform_in_a_disc(radius: float | None):
    goals = tasks_of("AntGoal-v0", **({} if radius is None else {"radius": radius}))
    areas = np.sort((goals**2).sum(1)) / (radius or 3.0) ** 2
    turns = np.sort(np.arctan2(goals[:, 1], goals[:, 0]) / (2 * np.pi) % 1)
    for numbers in (areas, turns):
        assert np.abs(numbers - np.linspace(0, 1, 2000)).max() < 0.04


def test_a_disc_has_a_radius():
    for radius in (0.0, -1.0, float("nan")):
        with pytest.raises(UsageError, match="radius: expected a number above 0"):
            AntGoal(radius=radius)


@pytest.mark.parametrize(("id", "low", "high"), [("Walker2dVel-v0", 0.0, 10.0), ("SwimmerVel-v0", 0.1, 0.2)])
def test_velocities_are_uniform(id: str, low: float, high: float):
    velocities = np.sort(tasks_of(id))
    assert np.abs((velocities - low) / (high - low) - np.linspace(0, 1, 2000)).max() < 0.04


@pytest.mark.parametrize("id", ["Walker2dDir-v0", "HumanoidDir-v0"])
def test_directions_are_forward_or_backward_with_equal_chance(id: str):
    directions = tasks_of(id)
    assert set(directions) == {-1.0, 1.0}
    assert abs(directions.mean()) < 0.1


@pytest.mark.parametrize("id", ["AntGoal-v0", "AntDir2D-v0", *HUMANOID_IDS])
def test_contact_forces_can_be_left_out(id: str):
    batch = create_vec(id, num_envs=2, contact_forces=False)
    felt = create_vec(id, num_envs=2)
    for each in (batch, felt):
        each.reset(seed=0)
    for _ in range(30):
        still = np.zeros(batch.action_space.shape, np.float32)
        unfelt_observations, observations = batch.step(still)[0], felt.step(still)[0]
        np.testing.assert_array_equal(unfelt_observations[:, :-84], observations[:, :-84])
        assert not unfelt_observations[:, -84:].any()
    assert observations[:, -84:].any()
