"""Robots with random bodies, against models that MuJoCo compiles from XML with the same numbers."""

from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import mujoco
import numpy as np
import pytest

from maml_rl.config.parsing import read_tasks
from maml_rl.envs import make_env
from maml_rl.envs.mujoco.hopper import HopperRandParams
from maml_rl.envs.mujoco.locomotion import ASSETS, load_model
from maml_rl.envs.mujoco.random_parameters import VIEW, RandomParameters
from maml_rl.envs.mujoco.walker2d import Walker2dRandParams
from maml_rl.envs.tasks_file import checked_tasks
from maml_rl.errors import UsageError
from maml_rl.evaluation.task_arrays import task_arrays, task_text
from tests.envs.creating import create, create_vec
from tests.envs.ids import Array, model_arrays, play, play_batch

ROBOTS = {"HopperRandParams-v0": HopperRandParams(), "Walker2dRandParams-v0": Walker2dRandParams()}
every_robot = pytest.mark.parametrize("id", ROBOTS)
BASES = {"body_mass": 1.5, "body_inertia": 1.5, "dof_damping": 1.3, "geom_friction": 1.5}


def tasks_of(id: str, number: int, **kwargs: float) -> list[dict[str, Array]]:
    env = create(id, **kwargs)
    env.reset(seed=0)
    return env.unwrapped.sample_tasks(number)


def compiled(robot: RandomParameters, task: dict[str, Array]) -> mujoco.MjModel:
    """The robot's XML with a task's numbers written into it."""
    nominal = load_model(robot)
    xml = ElementTree.parse(ASSETS / robot.model_file).getroot()
    xml.find("compiler").attrib["inertiafromgeom"] = "false"  # type: ignore[union-attr]
    xml.find("option").attrib["timestep"] = "0.004"  # type: ignore[union-attr]
    for element in xml.find("worldbody").iter():  # type: ignore[union-attr]
        name = element.get("name")
        if element.tag == "body":
            body = nominal.body(name).id
            inertial = {
                "pos": nominal.body_ipos[body],
                "quat": nominal.body_iquat[body],
                "mass": task["body_mass"][body] * nominal.body_mass[body],
                "diaginertia": task["body_inertia"][body] * nominal.body_inertia[body],
            }
            element.append(ElementTree.Element("inertial", {k: text(v) for k, v in inertial.items()}))
        elif element.tag == "joint":
            (dof,) = nominal.joint(name).dofadr
            element.attrib["damping"] = text(task["dof_damping"][dof] * nominal.dof_damping[dof])
        elif element.tag == "geom":
            geom = nominal.geom(name).id
            element.attrib["friction"] = text(task["geom_friction"][geom] * nominal.geom_friction[geom])
            element.attrib["margin"] = text(nominal.geom_margin[geom])
    return mujoco.MjModel.from_xml_string(ElementTree.tostring(xml, encoding="unicode"))


def text(numbers: Any) -> str:
    return " ".join(repr(float(number)) for number in np.ravel(numbers))


def compilable(task: dict[str, Array]) -> dict[str, Array]:
    """The task with moments of inertia in proportion, for the compiler takes no others."""
    return {**task, "body_inertia": task["body_inertia"][:, :1] * np.ones(3)}


@every_robot
def test_a_tasks_model_is_the_compiled_one(id: str):
    env = create(id).unwrapped
    for task in map(compilable, tasks_of(id, 3)):
        env.reset_task(task)
        expected, found = model_arrays(compiled(ROBOTS[id], task)), model_arrays(env.model)
        assert found.keys() == expected.keys()
        assert len(found) > 300
        differing = {name for name in expected if not np.array_equal(found[name], expected[name])}
        # Cameras and lights stay where they are. A body's margin, by which contacts are looked for, is in
        # some versions of MuJoCo what it was before the geoms' margins were set.
        assert differing <= {f"MjModel.{name}" for name in (*VIEW, "body_margin")}


@every_robot
def test_what_follows_from_masses_is_not_the_nominal_models(id: str):
    """The test above would tell nothing of it otherwise."""
    env = create(id).unwrapped
    nominal = model_arrays(load_model(ROBOTS[id]))
    env.reset_task(tasks_of(id, 1)[0])
    found = model_arrays(env.model)
    differing = {name for name in found if not np.array_equal(found[name], nominal[name])}
    fields = {"body_subtreemass", "body_invweight0", "dof_M0", "dof_invweight0", "actuator_acc0", *BASES}
    assert {f"MjModel.{name}" for name in fields} <= differing
    assert {"MjStatistic.meanmass", "MjStatistic.meaninertia"} <= differing


@every_robot
def test_episodes_are_those_of_the_compiled_model(id: str):
    env, oracle = create(id), create(id)
    actions = np.random.default_rng(0).uniform(-1, 1, (30, *env.action_space.shape)).astype(np.float32)
    for task in map(compilable, tasks_of(id, 4)):
        env.unwrapped.reset_task(task)
        oracle.unwrapped.model = compiled(ROBOTS[id], task)
        np.testing.assert_array_equal(env.reset(seed=1)[0], oracle.reset(seed=1)[0])
        for action in actions:  # On the floor too.
            for found, expected in zip(env.step(action)[:3], oracle.step(action)[:3], strict=True):
                np.testing.assert_array_equal(found, expected)


@every_robot
def test_a_task_forgets_the_ones_before(id: str):
    first, other = tasks_of(id, 2)
    used, fresh = (create(id).unwrapped for _ in range(2))
    fresh.reset_task(first)
    for task in (other, first, other, first):
        used.reset_task(task)
    found = model_arrays(used.model)
    for name, numbers in model_arrays(fresh.model).items():
        np.testing.assert_array_equal(found[name], numbers, err_msg=name)
    batch, fresh_batch = (create_vec(id, num_envs=4) for _ in range(2))
    actions = np.random.default_rng(0).uniform(-1, 1, (10, 4, *batch.single_action_space.shape))
    fresh_batch.reset_task([first])
    for tasks in ([other, first], [first, other], [first]):
        batch.reset_task(tasks)
        play_batch(batch, list(range(len(tasks))), actions)
    found_of_all, expected_of_all = play_batch(batch, [3], actions), play_batch(fresh_batch, [3], actions)
    for found_of_one, expected_of_one in zip(found_of_all, expected_of_all, strict=True):
        np.testing.assert_array_equal(found_of_one, expected_of_one)


@every_robot
def test_a_task_that_was_altered_in_place_is_another_one(id: str):
    task, other = tasks_of(id, 2)
    used, fresh = create_vec(id, num_envs=2), create_vec(id, num_envs=2)
    actions = np.random.default_rng(0).uniform(-1, 1, (10, 2, *used.single_action_space.shape))
    for env in (used, fresh):
        if env is used:
            env.reset_task([task])
        task["body_mass"][:] = other["body_mass"]
        env.reset_task([task])
    for found, expected in zip(play_batch(used, [3], actions), play_batch(fresh, [3], actions), strict=True):
        np.testing.assert_array_equal(found, expected)


@every_robot
def test_the_default_task_is_the_compiled_model(id: str):
    env = create(id).unwrapped
    for values in env.task.values():
        assert (values == 1).all()
    expected, found = model_arrays(load_model(ROBOTS[id])), model_arrays(env.model)
    differing = {name for name in expected if not np.array_equal(found[name], expected[name])}
    assert differing <= {"MjModel.body_margin"}


@every_robot
def test_cameras_and_lights_stay_where_they_were_set(id: str):
    env = create(id).unwrapped
    for name in VIEW:
        getattr(env.model, name)[:] = 7.0
    env.reset_task(tasks_of(id, 1)[0])
    for name in VIEW:
        assert (getattr(env.model, name) == 7.0).all()


@every_robot
@pytest.mark.parametrize("limit", [3.0, 0.5])
def test_multipliers_are_uniform_on_a_logarithmic_scale(id: str, limit: float):
    tasks = tasks_of(id, 300, log_scale_limit=limit)
    for name, base in BASES.items():
        exponents = np.log([task[name] for task in tasks]) / np.log(base)
        assert np.abs(exponents).max() <= limit * (1 + 1e-12)
        assert np.abs(exponents.reshape(300, -1).max(0)).min() > 0.9 * limit
        np.testing.assert_allclose(exponents.std(), limit / 3**0.5, rtol=0.1)
        flat = exponents.reshape(300, -1)
        correlations = np.corrcoef(flat.T) - np.eye(flat.shape[1])
        assert np.abs(correlations).max() < 0.3  # Each number has its own.


@every_robot
def test_moments_about_other_axes_than_y_move_nothing(id: str):
    """So it does not matter that three independent moments may be those of no rigid body."""
    (task,) = tasks_of(id, 1)
    other = {**task, "body_inertia": task["body_inertia"] * [2.0, 1.0, 0.5]}
    env = create(id)
    model = env.unwrapped.model
    axes = [np.abs(rotated(quaternion, [0, 1, 0])) for quaternion in model.body_iquat[1:]]
    np.testing.assert_allclose(axes, [[0, 1, 0]] * len(axes), atol=1e-12)  # The second principal axis is y.
    heard = []
    for each in (task, other):
        env.unwrapped.reset_task(each)
        heard.append(play(env, seed=0, steps=15))
    assert len(heard[0]) > 50
    np.testing.assert_allclose(heard[0], heard[1], rtol=1e-5, atol=1e-5)


def rotated(quaternion: Array, vector: list[int]) -> Array:
    result = np.zeros(3)
    mujoco.mju_rotVecQuat(result, np.array(vector, float), quaternion)
    return result


def test_tasks_travel(tmp_path: Path):
    """Into the results of a test, and out of a file."""
    tasks = tasks_of("HopperRandParams-v0", 2)
    arrays = task_arrays(tasks)
    file = tmp_path / "tasks.yaml"
    file.write_text("".join(f"- {task_text(task)}\n" for task in tasks))
    with make_env("HopperRandParams-v0") as env:
        written = checked_tasks(env, read_tasks(file), "tasks")
    for name in BASES:
        np.testing.assert_array_equal(arrays[f"task_{name}"], [task[name] for task in tasks])
        for read, task in zip(written, tasks, strict=True):
            np.testing.assert_array_equal(read[name], task[name])


@pytest.mark.parametrize(
    ("value", "got"),
    [
        ([1.0, 1.0], r"\[1.0, 1.0\]"),
        ([1.0, 1.0, 0.0, 1.0, 1.0], r"\[1.0, 1.0, 0.0, 1.0, 1.0\]"),
        ([1.0, 1.0, -1.0, 1.0, 1.0], "-1.0"),
        ([1.0, 1.0, float("nan"), 1.0, 1.0], "nan"),
        ([1.0, 1.0, float("inf"), 1.0, 1.0], "inf"),
        ("heavy", "'heavy'"),
        (None, "None"),
    ],
)
@pytest.mark.parametrize("batched", [False, True])
def test_a_task_that_is_no_body_is_one_line(value: Any, got: str, batched: bool):
    (task,) = tasks_of("HopperRandParams-v0", 1)
    wrong = {**task, "body_mass": value}
    env: Any = create_vec("HopperRandParams-v0") if batched else create("HopperRandParams-v0").unwrapped
    said = rf"task: body_mass: expected numbers above 0 of shape \[5\], got .*{got}"
    with pytest.raises(UsageError, match=said):
        env.reset_task([wrong] if batched else wrong)


@pytest.mark.parametrize("limit", [-1.0, float("nan"), 1e9])
def test_a_limit_that_is_none(limit: float):
    with pytest.raises(UsageError, match="log_scale_limit: expected 0 to 100, got"):
        HopperRandParams(log_scale_limit=limit)
