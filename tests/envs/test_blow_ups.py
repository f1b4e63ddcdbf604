"""Episodes whose physics blow up: MuJoCo says so, and begins anew from the model's own state."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec

from maml_rl.envs import make_env, make_task_vector_env
from tests.envs.creating import create, create_vec
from tests.envs.ids import random_actions

STEADY = ["HalfCheetahVel-v2", "AntVel-v2", "HalfCheetahDir-v0", "AntDir-v0"]
one_of_each_robot = pytest.mark.parametrize(
    "id", [*STEADY, "HopperRandParams-v0", "HumanoidDir2D-v0", "SwimmerVel-v0", "Walker2dVel-v0"]
)
bad_numbers = pytest.mark.parametrize(
    ("where", "index", "value"),
    [("qpos", 0, 1e12), ("qpos", 4, np.nan), ("qvel", 4, -1e12), ("qvel", 4, np.nan), ("qvel", 4, 1e9)],
)
"""What MuJoCo refuses: NaN, what is above 1e10, and what leads to an acceleration above it."""
after_steps = pytest.mark.parametrize("steps", [0, 3])


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """A folder of its own, because MuJoCo keeps its warnings in a file there."""
    monkeypatch.chdir(tmp_path)


@one_of_each_robot
@bad_numbers
@after_steps
def test_a_single_environment(id: str, where: str, index: int, value: float, steps: int):
    env = create(id, disable_env_checker=True)  # Which warns of NaN in observations.
    robot = env.unwrapped
    env.reset(seed=0)
    actions = random_actions(env.action_space, np.random.default_rng(0), steps + 1) / 4
    for action in actions[:-1]:
        assert not env.step(action)[2]
    getattr(robot.data, where)[index] = value
    before = robot.locomotion.observe(robot._body_state())[0]
    observation, reward, terminated, truncated, info = env.step(actions[-1])
    assert (terminated, truncated) == (True, False)
    np.testing.assert_array_equal(observation, before)
    np.testing.assert_equal(sum(info.values()), reward)
    if value == 1e12:
        assert abs(reward) < 20  # No metres are made by the way back from 1e12.
    env.reset()
    assert not env.step(actions[-1])[2]


@one_of_each_robot
@bad_numbers
@after_steps
def test_a_batch(id: str, where: str, index: int, value: float, steps: int):
    batch, undisturbed = (create_vec(id, num_envs=3) for _ in range(2))
    actions = random_actions(batch.single_action_space, np.random.default_rng(0), 3 * (steps + 2)) / 4
    actions = actions.reshape(steps + 2, 3, -1)
    for each in (batch, undisturbed):
        each.reset(seed=[0, 1, 2])
        for action in actions[:steps]:
            assert not each.step(action)[2].any()
    column = 1 + index + (batch.model.nq if where == "qvel" else 0)
    batch._states[1, column] = value
    before = batch.locomotion.observe(batch._body_state())
    for action in actions[steps:]:
        observations, rewards, terminated, truncated, _ = batch.step(action)
        expected = undisturbed.step(action)
        np.testing.assert_array_equal(observations[1], before[1])
        for found, wanted in zip((observations, rewards, terminated), expected, strict=False):
            np.testing.assert_array_equal(found[[0, 2]], wanted[[0, 2]])
        assert terminated.tolist() == [False, True, False]
        assert not truncated.any()
        if value == 1e12:
            assert abs(rewards[1]) < 20
    batch.reset()
    assert not batch.step(actions[0])[2].any()


@one_of_each_robot
def test_all_of_a_batch(id: str):
    batch = create_vec(id, num_envs=2)
    batch.reset(seed=0)
    batch._states[:, 1] = np.nan
    still = np.zeros(batch.action_space.shape, np.float32)
    assert batch.step(still)[2].all()
    assert not batch.running.any()
    assert batch.step(still)[2].all()


@pytest.mark.parametrize("id", STEADY)
def test_whole_episodes_do_not_end_so(id: str):
    batch, single = create_vec(id, num_envs=1, max_episode_steps=None), create(id)
    batch.reset(seed=0)
    single.reset(seed=0)
    still = np.zeros((1, *single.action_space.shape), np.float32)
    for _ in range(200):
        assert not batch.step(still)[2].any()
        assert not single.step(still[0])[2]


class OneTask(gym.Env[Any, Any]):
    """All tasks are the same."""

    def sample_tasks(self, num_tasks: int) -> Any:
        return [{}] * num_tasks

    def reset_task(self, task: Any) -> None:
        pass


class ByHand(OneTask):
    """MuJoCo without Gymnasium's base class, in a simulator of its own, that is made anew at each reset."""

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float64)
    action_space = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)
    xml = """<mujoco><worldbody><body><joint type="slide"/><geom size=".1"/></body></worldbody></mujoco>"""

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        self.steps, self.simulator = 0, SimpleNamespace(model=mujoco.MjModel.from_xml_string(self.xml))
        self.simulator.state = mujoco.MjData(self.simulator.model)
        self.hold(self.simulator.state)
        return np.zeros(2), {}

    def hold(self, data: mujoco.MjData) -> None:
        pass

    def step(self, action: Any) -> Any:
        self.steps += 1
        if self.steps == 3:
            self.simulator.state.qvel[0] = 1e12
        mujoco.mj_step(self.simulator.model, self.simulator.state)
        seen = np.concatenate([self.simulator.state.qpos, self.simulator.state.qvel])
        return seen, 1.0, False, self.steps == 9, {}


class Linked:
    """A simulator that finds its data elsewhere, in slots that nobody looks into."""

    __slots__ = ("model", "worlds")

    def __init__(self, model: mujoco.MjModel, worlds: Any) -> None:
        self.model, self.worlds = model, worlds

    @property
    def state(self) -> mujoco.MjData:
        return self.worlds[0]["data"]


class InLists(ByHand):
    """It holds its physics in a list of dicts alone."""

    def hold(self, data: mujoco.MjData) -> None:
        self.worlds = [{"data": data}]
        self.simulator: Any = Linked(self.simulator.model, self.worlds)


class Composed(OneTask):
    """It holds an environment of Gymnasium's in its wrappers, and is no wrapper."""

    observation_space, action_space = ByHand.observation_space, ByHand.action_space

    def __init__(self) -> None:
        spec = EnvSpec("ByHand-v0", entry_point=f"{__name__}:ByHand", max_episode_steps=9)
        self.inner = gym.make(spec, disable_env_checker=True)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        super().reset(seed=seed)
        return self.inner.reset(seed=seed)

    def step(self, action: Any) -> Any:
        return self.inner.step(action)


class KeepsItsCounters(ByHand):
    """Its reset writes a state, and leaves MuJoCo's own reset out."""

    def __init__(self) -> None:
        self.simulator = SimpleNamespace(model=mujoco.MjModel.from_xml_string(self.xml))
        self.simulator.state = mujoco.MjData(self.simulator.model)

    def reset(self, *, seed: Any = None, options: Any = None) -> Any:
        gym.Env.reset(self, seed=seed)
        self.steps = 0
        self.simulator.state.qpos[:] = self.simulator.state.qvel[:] = 0.0
        return np.zeros(2), {}


class Raises(ByHand):
    """It looks at MuJoCo's warnings itself, as dm_control does."""

    def step(self, action: Any) -> Any:
        answer = super().step(action)
        if self.simulator.state.warning[mujoco.mjtWarning.mjWARN_BADQVEL].number:
            raise ArithmeticError("the physics are invalid")
        return answer


@pytest.mark.parametrize("kind", ["ByHand", "InLists", "Composed", "KeepsItsCounters", "Raises"])
def test_wherever_an_environment_holds_its_physics(kind: str):
    batch = make_task_vector_env(f"{__name__}:{kind}", {}, 1)
    batch.reset_task([{}])
    for _ in range(2):
        batch.reset(seed=[0])
        answers = [batch.step(np.zeros((1, 1), np.float32)) for _ in range(3)]
        assert [bool(answer[2][0]) for answer in answers] == [False, False, True]
        assert answers[2][1].tolist() == [0.0]


def test_robots_of_gymnasiums_own_end_there_too():
    """A time step far too long for the solver."""
    kwargs = {"task_space": {"model.opt.timestep": [2.0, 3.0]}, "max_episode_steps": 200}
    batch = make_task_vector_env("Swimmer-v5", kwargs, 1)
    env: Any = make_env("Swimmer-v5", kwargs)
    batch.reset_task(env.get_wrapper_attr("sample_tasks")(1))
    rng, seen = np.random.default_rng(0), [batch.reset(seed=[0])[0][0]]
    while batch.running.any():
        observation, _, terminated, *_ = batch.step(rng.uniform(-1, 1, (1, 2)).astype(np.float32))
        seen.append(observation[0])
    assert terminated.all()
    assert len(seen) < 200
    assert np.array_equal(seen[-1], seen[-2])
