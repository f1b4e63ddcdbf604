"""Paths into models of MuJoCo's, against models that MuJoCo compiles with the same values."""

from pathlib import Path
from typing import Any

import gymnasium as gym
import mujoco
import numpy as np
import pytest

from maml_rl.envs import make_env, make_task_vector_env
from maml_rl.envs.attributes.mujoco_model import FIELDS
from maml_rl.envs.attributes.ranges import fitted
from maml_rl.envs.attributes.settings import AttributeSettings
from maml_rl.envs.contract import set_task
from maml_rl.envs.task_space import EnvTaskSpace
from maml_rl.errors import UsageError
from tests.samplers.helpers import identical, make_sampler, sample

XML = """
<mujoco>
  <compiler inertiafromgeom="false" angle="radian"/>
  <option timestep="0.004" gravity="{gravity}" wind="{wind}" density="1" integrator="implicitfast"/>
  <worldbody>
    <geom name="floor" type="plane" size="5 5 .1"/>
    <body name="step" pos="{step_pos}" quat="{step_quat}"><geom type="box" size="2 2 .05"/></body>
    <body name="trunk" pos="0 0 1">
      <inertial pos="0 0 0" mass="{mass}" diaginertia="{inertia}"/>
      <freejoint name="root"/>
      <geom name="ball" type="sphere" size=".1" priority="1" friction="{friction}" solref="{solref}"
        solimp="{solimp}" rgba="{rgba}"/>
      <site name="tip" pos="{site_pos}"/>
      <body name="arm" pos=".2 0 0">
        <inertial pos=".1 0 0" mass="1" diaginertia=".1 .1 .1"/>
        <joint name="elbow" axis="0 1 0" pos="{joint_pos}" stiffness="{stiffness}" range="{range}"
          limited="true" damping="{damping}" armature="{armature}" frictionloss="{frictionloss}"/>
        <geom name="hand" type="capsule" size=".05 .1" contype="0" conaffinity="0"/>
      </body>
    </body>
  </worldbody>
  <tendon>
    <fixed name="band" stiffness="{band}" damping="{slack}"><joint joint="elbow" coef="1"/></fixed>
  </tendon>
  <actuator>
    <general name="motor" joint="elbow" gear="{gear}" gainprm="{gain}" biasprm="{bias}" biastype="affine"
      ctrllimited="true" ctrlrange="{ctrl}" forcelimited="true" forcerange="{force}"/>
  </actuator>
</mujoco>
"""
NOMINAL = {
    **{"gravity": "0 0 -9.81", "wind": "0 0 0", "friction": "1 .005 .0001", "solref": ".02 1"},
    **{"solimp": ".9 .95 .001 .5 2", "rgba": ".5 .5 .5 1", "mass": "2", "inertia": ".2 .3 .4"},
    **{"step_pos": "1 0 .3", "step_quat": "1 0 0 0", "site_pos": "0 0 .1", "joint_pos": "0 0 0"},
    **{"stiffness": "0", "range": "-1 1", "damping": "0", "armature": ".01", "frictionloss": "0"},
    **{"band": "0", "slack": "0", "gear": "10", "gain": "1", "bias": "0", "ctrl": "-1 1"},
    "force": "-90 90",
}
CASES = [
    ("opt.gravity", "gravity", "1 0 -5"),
    ("opt.wind", "wind", "3 0 0"),
    ("body_mass[trunk]", "mass", "5"),
    ("body_inertia[trunk]", "inertia", ".5 .6 .7"),
    ("body_pos[step]", "step_pos", ".1 0 .6"),
    ("body_quat[step]", "step_quat", ".9238795325112867 .3826834323650898 0 0"),
    ("dof_armature[elbow]", "armature", ".5"),
    ("dof_damping[elbow]", "damping", ".7"),
    ("dof_frictionloss[elbow]", "frictionloss", ".9"),
    ("jnt_stiffness[elbow]", "stiffness", "4"),
    ("jnt_range[elbow]", "range", "-.2 .2"),
    ("jnt_pos[elbow]", "joint_pos", "-.1 0 0"),
    ("geom_solref[ball]", "solref", ".05 .5"),
    ("geom_solimp[ball]", "solimp", ".5 .9 .01 .5 2"),
    ("geom_friction[ball]", "friction", ".1 .005 .0001"),
    ("geom_rgba[ball]", "rgba", "1 0 0 1"),
    ("actuator_gear[motor, 0]", "gear", "3"),
    ("actuator_gainprm[motor, 0]", "gain", "2"),
    ("actuator_biasprm[motor, 0]", "bias", ".5"),
    ("actuator_ctrlrange[motor]", "ctrl", "-.1 .1"),
    ("actuator_forcerange[motor]", "force", "-.2 .2"),
    ("tendon_stiffness[band]", "band", "6"),
    ("tendon_damping[band]", "slack", "2"),
    ("site_pos[tip]", "site_pos", "0 .2 .1"),
]
WITHOUT_EFFECT = ("geom_rgba", "site_pos")
"""On the physics."""


class Holder:
    def __init__(self, model: Any):
        self.model = model


def compiled(**changes: str) -> Any:
    return mujoco.MjModel.from_xml_string(XML.format(**{**NOMINAL, **changes}))


def stepped(model: Any) -> Any:
    data = mujoco.MjData(model)
    for i in range(300):
        data.ctrl[:] = np.sin(0.1 * i)
        mujoco.mj_step(model, data)
    return np.concatenate([data.qpos, data.qvel, data.site_xpos.ravel()])


def saved(model: Any) -> bytes:
    buffer = np.empty(mujoco.mj_sizeModel(model), np.uint8)
    mujoco.mj_saveModel(model, None, buffer)
    return buffer.tobytes()


def numbers(text: str) -> Any:
    values = [float(word) for word in text.split()]
    return values[0] if len(values) == 1 else values


@pytest.mark.parametrize(("path", "attribute", "text"), CASES, ids=[case[0] for case in CASES])
def test_a_changed_model_is_the_one_that_is_compiled_with_the_value(path: str, attribute: str, text: str):
    model, name = compiled(), f"model.{path}"
    settings = AttributeSettings(Holder(model), [name], "it")
    before, own = saved(model), dict(settings.own)
    settings.apply({name: fitted(own[name], numbers(text), name)})
    settings.check()
    oracle = compiled(**{attribute: text})
    expected = stepped(oracle)
    np.testing.assert_array_equal(stepped(model), expected)
    if not path.startswith(WITHOUT_EFFECT):
        assert not np.array_equal(expected, stepped(compiled()))
    settings.apply(own)
    assert saved(model) == before


def test_every_field_is_compared():
    assert {path.partition("[")[0] for path, *_ in CASES} >= {*FIELDS} - {"site_quat"}
    of_model = dir(compiled())
    assert all(field in of_model for field in FIELDS)


def settings(path: str) -> AttributeSettings:
    return AttributeSettings(Holder(compiled()), [path], "it")


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("model.opt.gravity", [0.0, 0.0, -9.81]),
        ("model.opt.gravity[2]", -9.81),
        ("model.opt.timestep", 0.004),
        ("model.body_mass", [0.0, 0.0, 2.0, 1.0]),
        ("model.body_mass[trunk]", 2.0),
        ("model.body_mass[2]", 2.0),
        ("model.body_inertia[trunk, 1]", 0.3),
        ("model.dof_armature[elbow]", 0.01),
        ("model.dof_armature[6]", 0.01),
        ("model.dof_damping[root]", [0.0] * 6),
        ("model.dof_damping[root, 0]", None),
        ("model.geom_friction[ball]", [1.0, 0.005, 0.0001]),
    ],
)
def test_parts(path: str, value: Any):
    if value is None:
        with pytest.raises(UsageError, match="expected indices"):
            settings(path)
    else:
        own = settings(path).own[path]
        np.testing.assert_array_equal(own, value)
        assert isinstance(own, np.ndarray) == isinstance(value, list)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("model.body_mas[trunk]", r"'body_mas' is no field of the model; those that can: body_mass, body_"),
        ("model.geom_size[ball]", "'geom_size' cannot be changed in a compiled model; those that can: geom_"),
        ("model.body_ipos[trunk]", "cannot be changed in a compiled model"),
        ("model.body_subtreemass", "cannot be changed in a compiled model"),
        ("model.nq", "cannot be changed in a compiled model"),
        ("model.vis.global_.fovy", "cannot be changed|is no field"),
        ("model.opt.gravty", r"is no field of the model; those that can: gravity, "),
        ("model.body_mass[trnk]", "no such name; there are trunk, "),
        ("model.body_mass[9]", r"expected indices from 0, for the shape \[4\]"),
        ("model.body_mass[trunk, 0]", "expected indices from 0"),
        ("model.geom_friction[ball, 3]", "expected indices from 0"),
        ("model.opt.gravity[z]", "expected indices from 0"),
        ("model", "expected a number, text"),
    ],
)
def test_what_cannot_be_set(path: str, message: str):
    with pytest.raises(UsageError, match=message):
        settings(path)


WALKER = {"model.body_mass[torso]": {"scale": [0.5, 2.0]}, "model.opt.gravity[2]": [-12.0, -8.0]}


def test_each_copy_of_a_robot_has_its_own_model():
    env = make_env("Walker2d-v5", {"task_space": WALKER})
    task, other = EnvTaskSpace(env).sample(0, 2)
    walkers: Any = make_task_vector_env("Walker2d-v5", {"task_space": WALKER}, 2)
    walkers.reset_task([task, other])
    walkers.reset(seed=0)
    masses = [copy.unwrapped.model.body_mass[1] for copy in walkers._envs]
    assert masses == [task["model.body_mass[torso]"], other["model.body_mass[torso]"]]
    assert gym.make("Walker2d-v5").unwrapped.model.body_mass[1] not in masses  # type: ignore[attr-defined]
    walkers.close()


def test_a_robot_is_as_if_it_had_been_compiled_so():
    """The joint's armature alone has no part in the geoms, from which this model's masses follow."""
    env = make_env("Walker2d-v5", {"task_space": {"model.dof_armature": {"scale": [1, 9]}}})
    itself: Any = env.unwrapped
    set_task(env, {"model.dof_armature": itself.model.dof_armature * 5})
    env.reset(seed=0)
    text = Path(itself.fullpath).read_text().replace('armature="0.01"', 'armature="0.05"')
    np.testing.assert_array_equal(itself.model.dof_M0, mujoco.MjModel.from_xml_string(text).dof_M0)
    assert not np.array_equal(itself.model.dof_M0, mujoco.MjModel.from_xml_path(itself.fullpath).dof_M0)


def test_robots_are_the_same_with_any_number_of_workers():
    kwargs = {"task_space": WALKER, "max_episode_steps": 5}

    def sampled(num_workers: int) -> Any:
        env = make_env("Walker2d-v5", kwargs)
        with make_sampler(num_workers, "Walker2d-v5", kwargs, env=env) as sampler:
            return sample(sampler, num_tasks=3)

    assert identical(sampled(0), sampled(2))


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("model.body_mass[torso]", r"model.body_mass: expected 0 or more, got -1\."),
        ("model.opt.timestep", r"model.opt.timestep: expected a number above 0, got -1\."),
    ],
)
def test_masses_and_time_steps_are_not_negative(path: str, message: str):
    env = make_env("Hopper-v5", {"task_space": {path: [-2.0, -1.0]}})
    (task,) = EnvTaskSpace(env).sample(0, 1)
    set_task(env, task)
    with pytest.raises(UsageError, match=message):
        env.reset()


class Wrapped:
    """A model behind an object that hands out its fields, as dm_control's and robosuite's."""

    def __init__(self, model: Any):
        self._model = model

    def __getattr__(self, name: str) -> Any:
        return getattr(self._model, name)


@pytest.mark.parametrize(
    ("path", "value"), [("body_mass[trunk]", 5.0), ("body_mass[2]", 5.0), ("opt.gravity[2]", -5.0)]
)
def test_a_model_behind_another_object(path: str, value: float):
    models = [compiled(), compiled()]
    for holder, model in ((Holder(models[0]), "model"), (Holder(Wrapped(models[1])), "model")):
        name = f"{model}.{path}"
        AttributeSettings(holder, [name], "it").apply({name: value})
    assert saved(models[0]) == saved(models[1]) != saved(compiled())


def test_what_cannot_be_set_behind_another_object():
    with pytest.raises(UsageError, match="'body_ipos' cannot be changed in a compiled model"):
        AttributeSettings(Holder(Wrapped(compiled())), ["model.body_ipos[1,0]"], "it")


def test_what_a_reset_writes_to_the_model_has_no_part_in_its_options():
    """Constants that were computed from it would be others after other episodes."""

    def after(places: list[float]) -> Any:
        model = compiled()
        settings = AttributeSettings(Holder(model), ["model.opt.gravity[2]"], "it")
        for place in (*places, 0.2):
            model.body_pos[3, 0] = place
            settings.apply({"model.opt.gravity[2]": -5.0 - place})
        return model

    assert saved(after([0.5, 0.9])) == saved(after([]))


def test_a_damping_ratio_is_no_value_of_a_compiled_model():
    """MuJoCo makes a damping of it."""
    model = compiled(gain="100 0 0", bias="0 -100 0")
    settings = AttributeSettings(Holder(model), ["model.actuator_biasprm[motor, 2]"], "it")
    with pytest.raises(UsageError, match=r"was set to 1\.0, and is -"):
        settings.apply({"model.actuator_biasprm[motor, 2]": 1.0})


class Unready(Holder):
    """A property fails before the first reset."""

    @property
    def body_mass(self) -> Any:
        raise RuntimeError("reset first")


def test_a_property_that_cannot_be_read_beside_a_model():
    with pytest.raises(UsageError, match="'body_mass' of it cannot be read: reset first"):
        AttributeSettings(Unready(compiled()), ["body_mass[1]"], "it")
