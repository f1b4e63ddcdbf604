"""The spellings of the command, each in a process of its own."""

from pathlib import Path

import numpy as np
import pytest
import torch

from maml_rl import __version__
from tests.cli.helpers import ROOT, TABULAR, run

SIZES = ("--num-batches", 2, "--meta-batch-size", 3, "--fast-batch-size", 4)
TRAIN = {
    "maml-rl": ("maml-rl", "train"),
    "module": ("python", "-m", "maml_rl", "train"),
    "2020": ("python", ROOT / "train.py"),
}
TEST = {"maml-rl": ("maml-rl", "test"), "2020": ("python", ROOT / "test.py")}


@pytest.mark.parametrize("spelling", TRAIN)
def test_training(tmp_path: Path, tabular_run: Path, spelling: str):
    folder = tmp_path / "run"
    options = ("--config", TABULAR, "--output-folder", folder, "--seed", 1, "--num-workers", 2)
    done = run(*TRAIN[spelling], *options, *SIZES, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "meta-update 2/2" in done.stdout
    state, same = (torch.load(path / "policy.th", weights_only=True) for path in (folder, tabular_run))
    assert all(torch.equal(state[name], same[name]) for name in same)  # Whoever trains, and wherever.


@pytest.mark.slow
@pytest.mark.parametrize("spelling", TEST)
def test_testing_with_the_options_of_the_readme(tmp_path: Path, tabular_run: Path, spelling: str):
    options = (
        *("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th"),
        *("--output", tmp_path / "results.npz", "--meta-batch-size", 20, "--num-batches", 10),
        *("--num-workers", 2),
    )
    done = run(*TEST[spelling], *options, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    with np.load(tmp_path / "results.npz", allow_pickle=False) as results:
        assert results["train_returns"].shape == results["valid_returns"].shape == (200, 4)
        assert results["task_transitions"].shape == (200, 10, 5, 10)


def test_the_version(tmp_path: Path):
    done = run("maml-rl", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, f"maml-rl {__version__}\n", "")


def test_help_tells_every_option_without_importing_torch(tmp_path: Path):
    script = "import sys\nfrom maml_rl.cli import main\ntry:\n    main(['train', '--help'])\n"
    script += "finally:\n    print('loaded:', 'torch' in sys.modules, 'mujoco' in sys.modules)\n"
    done = run("python", "-c", script, cwd=tmp_path)
    assert done.returncode == 0
    assert "loaded: False False" in done.stdout
    for option in ("--config", "--fast-lr", "--env-kwargs", "--seed", "--num-workers", "--output-folder"):
        assert option in done.stdout


def test_a_mistake_in_a_process_of_its_own(tmp_path: Path):
    done = run("python", ROOT / "train.py", "--config", "nowhere.yaml", "--num-workers", 2, cwd=tmp_path)
    expected = "maml-rl: cannot read the config 'nowhere.yaml': No such file or directory\n"
    assert (done.returncode, done.stdout, done.stderr) == (2, "", expected)
    assert list(tmp_path.iterdir()) == []


BREAKS = """
import gymnasium as gym
import numpy as np
from maml_rl.envs.navigation import Navigation2DEnv


class Broken(Navigation2DEnv):
    def step(self, action):
        raise ArithmeticError("the step broke")


gym.register("Broken-v0", entry_point=Broken, max_episode_steps=5)
"""


@pytest.mark.slow
def test_a_failing_worker_ends_the_run_with_its_traceback(tmp_path: Path):
    (tmp_path / "breaks.py").write_text(BREAKS)
    options = ("--env-name", "breaks:Broken-v0", *SIZES, "--num-workers", 1, "--output-folder", "run")
    done = run("python", "-m", "maml_rl", "train", *options, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("maml-rl: a sampler worker failed; its traceback was:")
    assert "ArithmeticError: the step broke" in done.stderr
    assert done.stderr.count("Traceback") == 1


def test_an_argument_of_the_wrong_kind_in_a_process_without_type_checks(tmp_path: Path):
    options = ("--env-name", "AntVel-v2", "--env-kwargs", "{contact_forces: 'no'}", "--num-workers", 0)
    done = run("maml-rl", "train", *options, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "maml-rl: contact_forces: expected true or false, got 'no'\n"
    assert list(tmp_path.iterdir()) == []
