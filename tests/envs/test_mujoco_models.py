"""The robots' compiled models: Gymnasium's, the same on every version of MuJoCo."""

from pathlib import Path

import mujoco
import numpy as np
import pytest

from maml_rl.envs.mujoco.ant import AntVel
from maml_rl.envs.mujoco.contacts import contact_margin
from maml_rl.envs.mujoco.half_cheetah import HalfCheetahVel
from maml_rl.envs.mujoco.hopper import HopperRandParams
from maml_rl.envs.mujoco.humanoid import HumanoidDir
from maml_rl.envs.mujoco.locomotion import ASSETS, Locomotion, load_model
from maml_rl.envs.mujoco.swimmer import SwimmerVel
from maml_rl.envs.mujoco.walker2d import Walker2dRandParams, Walker2dVel
from tests.envs.creating import create, create_vec
from tests.envs.ids import ANT_IDS, HUMANOID_IDS, MUJOCO_IDS, PAPER_ANT_IDS, model_arrays


@pytest.fixture(autouse=True)
def working_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of its own, because MuJoCo keeps its warnings in a file there."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


def models(id: str) -> list[mujoco.MjModel]:
    """Of a single environment and of a batch."""
    return [create(id).unwrapped.model, create_vec(id).model]


@pytest.mark.parametrize(
    "robot",
    [
        *(HalfCheetahVel(), AntVel(), HopperRandParams(), HumanoidDir()),
        *(SwimmerVel(), Walker2dVel(), Walker2dRandParams()),
    ],
    ids=lambda robot: type(robot).__name__,
)
def test_models_are_gymnasiums(robot: Locomotion):
    expected = model_arrays(mujoco.MjModel.from_xml_path(str(ASSETS / robot.model_file)))
    found = model_arrays(load_model(robot))
    assert found.keys() == expected.keys()
    assert len(found) > 300
    for name, numbers in expected.items():
        if name == "MjOption.timestep" and robot in (HopperRandParams(), Walker2dRandParams()):
            assert (found[name].item(), numbers.item()) == (0.004, 0.002)
        elif name != "MjModel.geom_margin":
            np.testing.assert_array_equal(found[name], numbers, err_msg=name)


@pytest.mark.parametrize("id", MUJOCO_IDS)
def test_single_and_batched_environments_have_the_same_model(id: str):
    single, batched = map(model_arrays, models(id))
    for name, numbers in single.items():
        np.testing.assert_array_equal(batched[name], numbers, err_msg=name)


@pytest.mark.parametrize("id", MUJOCO_IDS)
def test_nothing_is_said_of_the_models(id: str, working_directory: Path, capfd: pytest.CaptureFixture[str]):
    models(id)
    assert capfd.readouterr() == ("", "")
    assert not list(working_directory.iterdir())


def test_the_half_cheetah_weighs_what_its_xml_asks_for():
    for model in models("HalfCheetahDir-v0"):
        assert model.body_mass.sum() == pytest.approx(14.0, rel=1e-12)


MARGINS = {
    **dict.fromkeys([*ANT_IDS, *PAPER_ANT_IDS, "AntGoal-v0", "AntDir2D-v0"], 0.01),
    **dict.fromkeys([*HUMANOID_IDS, "HopperRandParams-v0"], 0.001),
}


@pytest.mark.parametrize(("id", "distance"), MARGINS.items())
def test_contacts_act_from_the_margin_on(id: str, distance: float):
    """MuJoCo takes the larger of two geoms' margins; from 3.5 on it adds them."""
    for model in models(id):
        assert contact_margin(model) == distance
        (margin,) = set(model.geom_margin)
        assert margin in (distance, distance / 2)


@pytest.mark.parametrize("id", ["AntVel-v2", "AntVel-v0"])
@pytest.mark.parametrize(("height", "acts"), [(0.259, True), (0.261, False)])
def test_the_floor_is_felt_within_the_margin(id: str, height: float, acts: bool):
    """The torso is a sphere of 0.25 m."""
    for model in models(id):
        data = mujoco.MjData(model)
        torso = model.geom("torso_geom").id
        data.qpos[2] = height
        mujoco.mj_forward(model, data)
        pressing = [contact.efc_address >= 0 for contact in data.contact if torso in contact.geom]
        assert any(pressing) == acts


def test_pictures_grow_to_the_size_asked_for():
    small, large = (
        create("AntVel-v2", render_mode="rgb_array", width=size, height=size + 1) for size in (32, 2000)
    )
    assert small.unwrapped.model.vis.global_.offwidth == 640  # MuJoCo's own.
    picture = large.unwrapped.model.vis.global_
    assert (picture.offwidth, picture.offheight) == (2000, 2001)
