import shutil
from pathlib import Path

import imageio.v3 as iio
import pytest

from maml_rl.errors import UsageError
from maml_rl.viz import opengl, video
from tests.cli.conftest import trained
from tests.cli.helpers import CONFIGS, Command, contents, run

CHEETAH = CONFIGS / "halfcheetah-dir.yaml"


@pytest.fixture(scope="session")
def cheetah_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with episodes of 5 steps; not to be changed."""
    kwargs = ("--env-kwargs", "{max_episode_steps: 5}")
    return trained(tmp_path_factory.mktemp("runs") / "cheetah", "--config", CHEETAH, *kwargs)


def test_navigation(command: Command, navigation_run: Path, tmp_path: Path):
    before = contents(navigation_run)
    path = tmp_path / "new" / "video.gif"
    out = command.succeeds("render", navigation_run, "--output", path, "--num-steps", 2, "--size", 200)
    assert out.split() == [str(path)]
    frames = iio.imread(path)
    assert frames.shape[0] == 16  # Episodes of 15 steps.
    assert 600 < frames.shape[2] < 650  # Three panels.
    assert contents(navigation_run) == before
    words = ("render", navigation_run, "--output", path, "--num-steps", 0, "--size", 200)
    assert "exists: choose another --output, or pass --overwrite" in command.fails(*words)
    assert iio.imread(path).shape == frames.shape
    command.succeeds(*words, "--overwrite")
    assert iio.imread(path).shape != frames.shape


def test_the_video_goes_to_the_runs_folder_unless_told_otherwise(
    command: Command, navigation_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(navigation_run, tmp_path, dirs_exist_ok=True)
    options = ("--num-steps", 1, "--size", 200)
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    assert command.succeeds("render", tmp_path, *options).split() == [str(tmp_path / "adaptation.gif")]
    monkeypatch.undo()
    pytest.importorskip("imageio_ffmpeg", reason="mp4 needs imageio-ffmpeg")
    assert command.succeeds("render", tmp_path, *options).split() == [str(tmp_path / "adaptation.mp4")]
    assert (tmp_path / "adaptation.mp4").read_bytes()[4:8] == b"ftyp"


@pytest.mark.slow
def test_seed_and_task_choose_what_is_shown(command: Command, navigation_run: Path, tmp_path: Path):
    def made(name: str, *options: object) -> bytes:
        path = tmp_path / f"{name}.gif"
        command.succeeds(
            "render", navigation_run, "--output", path, "--num-steps", 1, "--size", 200, *options
        )
        return path.read_bytes()

    first = made("a")
    assert made("b", "--seed", 0, "--task", 0) == first
    others = [("--seed", 1), ("--task", 1), ("--step-size-schedule", 0.5), ("--fps", 10), ("--size", 201)]
    assert len({first, *(made(f"c{i}", *options) for i, options in enumerate(others))}) == 1 + len(others)


def test_a_robot_in_a_process_of_its_own(cheetah_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    try:
        opengl.choose_opengl()
    except UsageError as error:
        pytest.skip(str(error))
    monkeypatch.delenv("MUJOCO_GL")
    path = tmp_path / "cheetah.gif"
    done = run("maml-rl", "render", cheetah_run, "--output", path, "--num-steps", 1, "--size", 200)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{path}\n", "")
    assert iio.imread(path).shape[0] == 6


def test_robots_without_opengl(
    command: Command, cheetah_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(opengl, "_works", lambda backend: False)
    line = command.fails("render", cheetah_run, "--output", tmp_path / "video.gif")
    assert "no OpenGL" in line
    assert "apt-get install libosmesa6" in line
    assert list(tmp_path.iterdir()) == []


def test_mistakes(
    command: Command,
    tabular_run: Path,
    navigation_run: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
):
    gif = ("--output", tmp_path / "video.gif")
    assert "'TabularMDP-v0' has no pictures" in command.fails("render", tabular_run, *gif)
    assert "cannot read the config" in command.fails("render", tmp_path / "nowhere", *gif)
    assert "ends in .mp4 or .gif" in command.fails("render", navigation_run, "--output", tmp_path / "video")
    assert "num-steps: expected 0 or more" in command.fails("render", navigation_run, *gif, "--num-steps", -1)
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    line = command.fails("render", navigation_run, "--output", tmp_path / "video.mp4")
    assert "pip install imageio-ffmpeg" in line
    assert list(tmp_path.iterdir()) == []
