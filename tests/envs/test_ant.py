from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest

import maml_rl.envs  # noqa: F401
from maml_rl.envs.mujoco.ant import AntDir
from maml_rl.envs.mujoco.locomotion import BodyState, Measurements
from tests.envs.creating import create, create_vec
from tests.envs.ids import ANT_IDS, Array, random_actions

DT = 0.05
TASKS: dict[str, dict[str, Any]] = {
    "AntVel-v2": {"velocity": 2.1},
    "AntDir-v2": {"direction": -1.0},
    "AntPos-v1": {"position": np.array([1.5, -2.0])},
}
FORCES = slice(29, 29 + 84)
"""Of an observation."""
every_ant = pytest.mark.parametrize("id", ANT_IDS)


def task_reward(id: str, before: Array, after: Array) -> float:
    """From the torso's (x, y) before and after a step."""
    velocity = (after[0] - before[0]) / DT
    if id == "AntVel-v2":
        return 1 - abs(velocity - 2.1)
    if id == "AntDir-v2":
        return -velocity
    return 4 - abs(after[0] - 1.5) - abs(after[1] + 2.0)


def forces_at(model: mujoco.MjModel, data: mujoco.MjData) -> Array:
    """External forces in the state that ``data`` is in, from a new start of MuJoCo."""
    fresh = mujoco.MjData(model)
    fresh.qpos[:], fresh.qvel[:], fresh.ctrl[:] = data.qpos, data.qvel, data.ctrl
    mujoco.mj_forward(model, fresh)
    mujoco.mj_rnePostConstraint(model, fresh)
    return fresh.cfrc_ext.copy()


@every_ant
@pytest.mark.parametrize(("scale", "contact_forces"), [(1.0, True), (10.0, True), (1.0, False)])
def test_observations_and_rewards(id: str, scale: float, contact_forces: bool):
    env = create(id, normalization_scale=scale, contact_forces=contact_forces)
    model, data = env.unwrapped.model, env.unwrapped.data
    env.unwrapped.reset_task(TASKS[id])
    env.reset(seed=3)
    assert env.action_space == gym.spaces.Box(-scale, scale, (8,), np.float32)
    half_range = (model.actuator_ctrlrange[:, 1] - model.actuator_ctrlrange[:, 0]) / 2
    rng = np.random.default_rng(0)
    touched = False
    for _ in range(60):
        before = data.qpos[:2].copy()
        action = random_actions(env.action_space, rng, 1)[0]
        observation, reward, terminated, _, _ = env.step(action)
        np.testing.assert_allclose(data.ctrl, half_range * np.clip(action / scale, -1, 1), atol=1e-6)

        clipped = np.clip(forces_at(model, data), -1, 1) * contact_forces
        torso = data.body("torso")
        expected = [data.qpos, data.qvel, clipped.ravel(), torso.xmat, torso.xpos]
        assert observation.shape == (125,)
        np.testing.assert_allclose(observation, np.concatenate(expected), rtol=1e-5, atol=1e-5)

        control = 0.005 * np.square(data.ctrl / half_range).sum()
        contact = 0.0005 * np.square(clipped).sum()
        forward = task_reward(id, before, data.qpos)
        assert reward == pytest.approx(forward - control - contact + 0.05, abs=1e-9)
        assert terminated == (not 0.2 <= data.qpos[2] <= 1.0)
        touched |= bool(np.abs(clipped).max() > 0.5)
        if terminated:
            break
    assert touched == contact_forces


@every_ant
def test_standing_on_the_floor_is_felt_unless_contact_forces_are_off(id: str):
    def stand(**kwargs: bool) -> Array:
        batch = create_vec(id, num_envs=2, **kwargs)
        batch.reset(seed=0)
        observations = [batch.step(np.zeros((2, 8), np.float32))[0] for _ in range(30)]
        return observations[-1][:, FORCES]

    assert not stand(contact_forces=False).any()
    assert (np.abs(stand(contact_forces=True)).max(-1) > 0.5).all()
    np.testing.assert_array_equal(stand(), stand(contact_forces=True))  # On by default.


@every_ant
@pytest.mark.parametrize(
    ("height", "speed", "ends"), [(0.3, -50.0, True), (0.75, 0.0, False), (0.9, 5.0, True), (1.5, 0.0, True)]
)
def test_terminates_when_the_torso_is_too_low_or_too_high(id: str, height: float, speed: float, ends: bool):
    env = create(id)
    env.reset(seed=0)
    qpos = env.unwrapped.model.qpos0.copy()
    qvel = np.zeros(14)
    qpos[2], qvel[2] = height, speed
    env.unwrapped.set_state(qpos, qvel)
    _, _, terminated, truncated, _ = env.step(np.zeros(8, np.float32))
    assert (0.2 <= env.unwrapped.data.qpos[2] <= 1.0) == (not ends)
    assert terminated == ends
    assert not truncated


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["qpos", "qvel"])
def test_terminates_when_the_state_is_not_finite(where: str, value: float):
    states = {"qpos": np.full((3, 15), 0.5), "qvel": np.zeros((3, 14))}
    states[where][1, 5] = value
    state = BodyState(
        **states, cfrc_ext=np.zeros((3, 14, 6)), com=np.zeros((3, 3)), com_velocity=np.zeros((3, 3))
    )
    assert AntDir().terminated(state).tolist() == [False, True, False]


@pytest.mark.parametrize("height", [0.2, 1.0])
def test_the_healthy_range_is_closed(height: float):
    qpos = np.full((1, 15), height)
    just_outside = qpos + 1e-9 * (1 if height == 1.0 else -1)
    for positions, ends in ((qpos, False), (just_outside, True)):
        still = np.zeros((1, 3))
        state = BodyState(positions, np.zeros((1, 14)), np.zeros((1, 14, 6)), still, still)
        assert AntDir().terminated(state).tolist() == [ends]


@every_ant
def test_resets_with_the_noise_of_gymnasium(id: str):
    batch = create_vec(id, num_envs=1000, contact_forces=False)
    observations, _ = batch.reset(seed=0)
    noise = observations[:, :15] - batch.model.qpos0
    velocities = observations[:, 15:29]
    assert np.abs(noise).max() <= 0.1 + 1e-6
    np.testing.assert_allclose(noise.std(0), 0.1 / 3**0.5, rtol=0.1)
    np.testing.assert_allclose(velocities.std(0), 0.1, rtol=0.12)
    assert np.abs(velocities).max() > 0.3  # Normal, where positions are uniform.


@pytest.mark.parametrize(
    ("id", "key", "size", "default"),
    [("AntVel-v2", "velocity", 1, (0.0, 3.0)), ("AntPos-v1", "position", 2, (-3.0, 3.0))],
)
@pytest.mark.parametrize("bounds", [None, (0.5, 0.75)])
def test_goals_are_uniform(
    id: str, key: str, size: int, default: tuple[float, float], bounds: tuple[float, float] | None
):
    kwargs = {} if bounds is None else dict(zip(("low", "high"), bounds, strict=True))
    env = create(id, **kwargs)
    env.reset(seed=0)
    goals = np.array([task[key] for task in env.unwrapped.sample_tasks(2000)]).reshape(2000, size)
    low, high = bounds or default
    assert (goals >= low).all()
    assert (goals <= high).all()
    np.testing.assert_allclose(goals.min(0), low, atol=0.01 * (high - low))
    np.testing.assert_allclose(goals.max(0), high, atol=0.01 * (high - low))
    np.testing.assert_allclose(goals.mean(0), (low + high) / 2, atol=0.03 * (high - low))


def test_contact_forces_do_not_depend_on_what_was_measured_before():
    env = create("AntPos-v1")
    env.reset(seed=0)
    states, rng = [], np.random.default_rng(0)
    for _ in range(40):
        env.step(0.5 * random_actions(env.action_space, rng, 1)[0])
        data = env.unwrapped.data
        states.append((data.qpos.copy(), data.qvel.copy(), data.ctrl.copy()))
    qpos, qvel, ctrl = (np.array(column) for column in zip(*states, strict=True))
    measurements = Measurements(env.unwrapped.locomotion, env.unwrapped.model)
    models = [env.unwrapped.model] * len(states)
    forwards = measurements.at(models, qpos, qvel, ctrl)["cfrc_ext"]
    backwards = measurements.at(models, qpos[::-1], qvel[::-1], ctrl[::-1])["cfrc_ext"]
    np.testing.assert_array_equal(forwards, backwards[::-1])
    assert forwards.any()
