"""``--sampler ray``: the same results, and the same promises, on a cluster that the command starts."""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from maml_rl.config.methods import METHODS
from maml_rl.samplers.backends import ray_cluster
from tests.cli.helpers import ROOT, TABULAR, Command, results
from tests.cli.processes import SMALL, started, training, wait_until_alone
from tests.cli.test_every_method import options
from tests.cli.test_signals import is_one_quiet_line
from tests.waiting import PATIENCE

RAY = ("--sampler", "ray", "--num-workers", 2)


@pytest.fixture
def ray_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Where Ray's files are while a cluster runs."""
    pytest.importorskip("ray")
    folder = Path(tempfile.mkdtemp(prefix="r", dir="/tmp"))  # Shorter than pytest's.
    monkeypatch.setenv("RAY_TMPDIR", str(folder))
    yield folder
    shutil.rmtree(folder)


def test_a_run_has_the_same_bits_and_leaves_nothing_behind(
    command: Command, tmp_path: Path, ray_folder: Path
):
    words = (*SMALL, "--num-batches", 2, "--tasks-per-item", 1)
    process = started(*words, *RAY, "--output-folder", tmp_path / "ray", lines=1)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    wait_until_alone(process)
    assert list(ray_folder.iterdir()) == []
    command.succeeds(*words, "--num-workers", 0, "--output-folder", tmp_path / "here")
    assert results(tmp_path / "ray") == results(tmp_path / "here")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("number", "group"), [(signal.SIGINT, False), (signal.SIGINT, True), (signal.SIGTERM, True)]
)
def test_a_signal_leaves_a_line_and_no_process(
    number: signal.Signals, group: bool, tmp_path: Path, ray_folder: Path
):
    process = training(tmp_path, *RAY, "--checkpoint-every", 100000)
    (os.killpg if group else os.kill)(process.pid, number)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert is_one_quiet_line(err, number, tmp_path)
    wait_until_alone(process)
    assert list(ray_folder.iterdir()) == []


@pytest.mark.slow
def test_a_signal_to_all_processes_is_the_main_ones_alone(tmp_path: Path, ray_folder: Path):
    process = training(tmp_path, *RAY, "--checkpoint-signal", "USR1")
    os.killpg(process.pid, signal.SIGUSR1)
    assert process.stdout is not None
    for _ in range(10):
        assert process.stdout.readline()
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE)
    assert is_one_quiet_line(err, signal.SIGTERM, tmp_path)


@pytest.mark.slow
def test_an_actor_that_is_killed_costs_one_line(tmp_path: Path, ray_folder: Path):
    process = training(tmp_path, *RAY)
    while len(actors := actors_of(process)) < 2:  # One of them may begin while the other is still coming.
        assert process.poll() is None
        time.sleep(0.05)
    actors[0].kill()
    assert process.stdout is not None
    for _ in range(20):
        assert process.stdout.readline()
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE)
    died, ended = err.splitlines()
    # It may not have had its first item yet.
    reason = r"(The actor is dead.*|while idle)"
    assert re.fullmatch(rf"sampler worker [01] died \({reason}\); starting another", died)
    assert is_one_quiet_line(ended + "\n", signal.SIGTERM, tmp_path)


@pytest.mark.slow
def test_ctrl_c_while_the_cluster_starts(tmp_path: Path, ray_folder: Path):
    process = started(*SMALL, *RAY, "--output-folder", tmp_path / "run", lines=0)
    while not list(ray_folder.rglob("gcs_server*")):
        assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (130, "maml-rl: interrupted by SIGINT\n")
    wait_until_alone(process)


@pytest.mark.slow
def test_nothing_outlives_a_command_that_is_killed(tmp_path: Path, ray_folder: Path):
    process = training(tmp_path, *RAY)
    process.kill()
    process.communicate(timeout=PATIENCE)
    wait_until_alone(process)


@pytest.mark.slow
def test_every_method_has_the_same_bits(command: Command, tmp_path: Path):
    """One process trains them all, in a cluster that it is connected to: each cluster takes seconds."""
    pytest.importorskip("ray")
    script = (
        "import sys\n"
        "from maml_rl.cli import main\n"
        "from maml_rl.samplers.backends.ray_cluster import RayCluster\n"
        "disconnect = RayCluster().connect(cpus=2)\n"
        "for words in sys.stdin.read().splitlines():\n    main(words.split('|'))\n"
        "disconnect()\n"
    )
    commands = [
        (*options(method, 2), "--sampler", "ray", "--output-folder", tmp_path / f"{method}-ray")
        for method in METHODS
    ]
    subprocess.run(
        [sys.executable, "-c", script],
        input="\n".join("|".join(map(str, words)) for words in commands),
        text=True,
        cwd=ROOT,
        check=True,
        timeout=900,
    )
    for method in METHODS:
        command.succeeds(*options(method, 0), "--output-folder", tmp_path / method)
        assert results(tmp_path / f"{method}-ray") == results(tmp_path / method)


@pytest.mark.slow
def test_a_test_has_the_same_results(tmp_path: Path, tabular_run: Path, command: Command, ray_folder: Path):
    places = ("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th", "--seed", 3)
    words = ("test", *places, "--num-batches", 1, "--meta-batch-size", 5, "--tasks-per-item", 2)
    process = started(*words, *RAY, "--output", tmp_path / "ray.npz", lines=1)
    _, err = process.communicate(timeout=PATIENCE)
    assert (process.returncode, err) == (0, "")
    command.succeeds(*words, "--num-workers", 0, "--output", tmp_path / "here.npz")
    assert (tmp_path / "ray.npz").read_bytes() == (tmp_path / "here.npz").read_bytes()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--sampler", "ray", "--num-workers", 0), "num-workers: expected 1 to"),
        (("--ray-address", "auto"), "--ray-address needs --sampler ray"),
        ((*RAY, "--ray-address", "ray://a:1"), "ray-address: expected auto or HOST:PORT, got 'ray://a:1'"),
        ((*RAY, "--ray-address", "a"), "ray-address: expected auto or HOST:PORT, got 'a'"),
    ],
)
@pytest.mark.parametrize("name", ["train", "test"])
def test_options_that_do_not_belong_together(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tabular_run: Path,
    name: str,
    words: tuple[object, ...],
    said: str,
):
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: True)  # Whether it is installed or not.
    assert said in command.fails(*beginning(name, tmp_path, tabular_run), *words)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("name", ["train", "test"])
def test_without_ray_there_is_a_line(
    command: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, tabular_run: Path, name: str
):
    monkeypatch.setattr(ray_cluster, "find_spec", lambda _: None)
    said = command.fails(*beginning(name, tmp_path, tabular_run), *RAY)
    assert "--sampler ray needs Ray, which is not installed: pip install ray" in said
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("address", ["127.0.0.1:9", "nowhere.invalid:6379", "127.0.0.1:99999"])
def test_no_cluster_at_the_address(command: Command, tmp_path: Path, address: str):
    pytest.importorskip("ray")
    words = ("train", "--config", TABULAR, "--output-folder", tmp_path / "run")
    said = command.fails(*words, *RAY, "--ray-address", address)
    assert f"cannot connect to the Ray cluster at '{address}'" in said
    assert not (tmp_path / "run").exists()


def actors_of(process: subprocess.Popen[str]) -> list[psutil.Process]:
    children = psutil.Process(process.pid).children(recursive=True)
    return [child for child in children if child.name().startswith("ray::Actor")]


def beginning(name: str, tmp_path: Path, tabular_run: Path) -> tuple[object, ...]:
    if name == "train":
        return "train", "--config", TABULAR, "--output-folder", tmp_path / "run"
    return "test", "--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th"
