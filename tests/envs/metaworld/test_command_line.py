"""Meta-World from the command line, and its pictures."""

import csv
import json
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import mujoco
import numpy as np
import pytest

from maml_rl.envs import make_env
from maml_rl.envs.metaworld.pictures import prepare
from maml_rl.envs.metaworld.simulation import Simulation
from maml_rl.envs.metaworld.tasks import Benchmark
from maml_rl.errors import UsageError
from maml_rl.viz import opengl
from tests.cli.helpers import Command
from tests.envs.metaworld.package import metaworld

NAME = "ML1-reach-v3"
TINY = ("--meta-batch-size", 3, "--fast-batch-size", 3, "--num-batches", 1, "--num-workers", 0)


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> str:
    """A way of drawing that works here."""
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    try:
        return opengl.choose_opengl()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    settings = ("--env-kwargs", "{max_episode_steps: 4}", "--hidden-sizes", 4, "--baseline", "none")
    Command(capsys)(
        *("train", "--env-name", f"MetaWorld/{NAME}", *settings, *TINY, "--seed", 1, "--logger", "none"),
        *("--output-folder", folder),
    )
    return folder


def test_tests_adapt_to_the_set_that_is_asked_for(
    run: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    policy = ("--config", run / "config.json", "--policy", run / "policy.th", *TINY, "--seed", 2)
    for split in ("test", "train"):
        output = tmp_path / f"{split}.npz"
        printed = Command(capsys).succeeds("test", *policy, "--task-set", split, "--output", output)
        assert "rate of success by environment" in printed
        with np.load(output, allow_pickle=False) as file:
            tested = {tuple(row) for row in file["task_rand_vec"].tolist()}
            assert set(file["task_env"].tolist()) == {"reach-v3"}
            assert file["success_steps"].shape == file["returns"].shape == (2, 3, 3)
        assert len(tested) == 3
        assert tested <= {tuple(place.rand_vec.tolist()) for place in Benchmark(NAME).tasks(split)}
        with output.with_suffix(".csv").open(newline="") as file:
            assert [row["environment"] for row in csv.DictReader(file)] == ["all"] * 2 + ["reach-v3"] * 2
        assert output.with_suffix(".environments.png").exists()
    assert json.loads((run / "config.json").read_text())["env-name"] == f"MetaWorld/{NAME}"
    tasks = tmp_path / "tasks.yaml"
    tasks.write_text("- {env: reach-v3, rand_vec: [0.0, 0.6, 0.02, 0.0, 0.85, 0.2]}")
    assert "--tasks says" in Command(capsys).fails("test", *policy, "--tasks", tasks, "--task-set", "train")


def test_a_run_is_filmed(run: Path, capsys: pytest.CaptureFixture[str], drawing: str, tmp_path: Path) -> None:
    Command(capsys).succeeds("render", run, "--num-steps", 1, "--size", 200, "--output", tmp_path / "a.gif")
    frames = iio.imread(tmp_path / "a.gif")
    assert len(frames) == 5
    assert (frames[0] != frames[-1]).any()


def test_pictures_show_the_task(drawing: str) -> None:
    env = make_env(f"MetaWorld/{NAME}", {"render_mode": "rgb_array", "width": 64, "height": 48})
    pictures: list[Any] = []
    for place in Benchmark(NAME).tasks("train")[:2]:
        env.get_wrapper_attr("reset_task")(place.task)
        env.reset(seed=0)
        pictures.append(env.render())
    env.close()
    assert pictures[0].shape == (48, 64, 3)
    assert pictures[0].std() > 10
    assert (pictures[0] != pictures[1]).any()


def test_cameras_hang_upright() -> None:
    assert metaworld is not None
    simulation = Simulation("reach-v3", "v2")
    prepare(simulation.model)
    start = simulation.start(Benchmark(NAME).tasks("train")[0].rand_vec)
    simulation.load(start)
    simulation.show(start)
    fixed = simulation.model.cam_mode == mujoco.mjtCamLight.mjCAMLIGHT_FIXED
    assert fixed.sum() >= 5
    assert (simulation.data.cam_xmat[fixed, 7] >= 0).all()  # The second axis points up in pictures.
