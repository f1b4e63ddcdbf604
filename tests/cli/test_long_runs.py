"""Promises that take minutes to test: ``make test-slow``."""

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import psutil
import pytest

from maml_rl.cli import main
from maml_rl.config import load_config
from maml_rl.training import Run, RunSettings, train
from tests.cli.helpers import CONFIGS, NAVIGATION, ROOT, Command
from tests.waiting import PATIENCE

pytestmark = pytest.mark.slow

TEN = ("--num-batches", 10, "--meta-batch-size", 8, "--fast-batch-size", 5, "--tasks-per-item", 2)


@pytest.mark.parametrize("name", ["2d-navigation", "tabular-mdp", "halfcheetah-dir"])
def test_ten_iterations_are_the_same_with_any_number_of_workers(command: Command, tmp_path: Path, name: str):
    results = {}
    for label, workers, seed in [("0", 0, 3), ("1", 1, 3), ("2", 2, 3), ("4", 4, 3), ("other", 0, 4)]:
        arguments = ("--config", CONFIGS / f"{name}.yaml", *TEN, "--num-workers", workers, "--seed", seed)
        command.succeeds("train", *arguments, "--output-folder", tmp_path / label)
        results[label] = [(tmp_path / label / file).read_bytes() for file in ("policy.th", "metrics.csv")]
    assert results["0"] == results["1"] == results["2"] == results["4"]
    assert results["other"][0] != results["0"][0]
    assert results["other"][1] != results["0"][1]


def test_three_hundred_iterations_do_not_grow():
    config, _ = load_config(NAVIGATION)
    config = config.model_copy(
        update={"num_batches": 300, "meta_batch_size": 8, "fast_batch_size": 5, "tasks_per_item": 2}
    )
    with Run(config, RunSettings(seed=1, num_workers=2)) as run:
        this = psutil.Process()

        def usage() -> tuple[list[int], int, int]:
            resident = [process.memory_info().rss for process in [this, *this.children(recursive=True)]]
            return resident, this.num_fds(), threading.active_count()

        for iteration in train(run):
            if iteration.number == 50:
                early, files, threads = usage()
        late, files_late, threads_late = usage()
    assert len(late) == len(early)
    assert all(after < 1.05 * before for before, after in zip(early, late, strict=True))
    assert (files_late, threads_late) == (files, threads)


KILLED = ("train", "--config", NAVIGATION, "--num-batches", 60, *TEN[2:], "--num-workers", 2, "--seed", 5)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    folder = tmp_path_factory.mktemp("runs") / "undisturbed"
    main([str(x) for x in (*KILLED, "--output-folder", folder)])
    return results(folder)


def results(folder: Path) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in ("policy.th", "metrics.csv")}


def started(*arguments: object) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "maml_rl", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL)


def workers_of(pid: int) -> list[psutil.Process]:
    """Return the children of the fork server, which is a child of ``pid``."""
    try:
        return [worker for server in psutil.Process(pid).children() for worker in server.children()]
    except psutil.NoSuchProcess:
        return []


def meta_updates(folder: Path) -> int:
    """Return how many are written."""
    file = folder / "metrics.csv"
    return len(file.read_text().splitlines()) - 1 if file.exists() else 0


def test_runs_killed_at_any_moment_end_the_same(tmp_path: Path, undisturbed: dict[str, bytes]):
    folder, moments = tmp_path / "killed", random.Random(1)
    begun = time.monotonic()
    process = started(*KILLED, "--output-folder", folder, "--checkpoint-every", 2)
    while not list((folder / "checkpoints").glob("*.json")):  # Before that there is nothing to resume.
        time.sleep(0.01)
    start_up = time.monotonic() - begun
    for kill in range(8):
        # Half of them come as the run starts, or soon after; the others however fast the machine is.
        target = meta_updates(folder) + moments.randrange(1, 4) if kill % 2 else 0
        while meta_updates(folder) < target:
            assert process.poll() is None
            time.sleep(0.01)
        time.sleep(0.0 if target else moments.uniform(0, start_up))
        process.kill()
        process.wait()
        process = started("train", "--resume", folder, "--num-workers", 2, "--checkpoint-every", 2)
    assert process.wait(PATIENCE) == 0
    assert results(folder) == undisturbed


def test_a_run_whose_workers_are_killed_ends_the_same(tmp_path: Path, undisturbed: dict[str, bytes]):
    folder, moments = tmp_path / "workers", random.Random(2)
    process = started(*KILLED, "--output-folder", folder)
    kills = seen = 0
    while process.poll() is None:
        time.sleep(moments.uniform(0.0, 0.3))
        workers, rows = workers_of(process.pid), meta_updates(folder)
        if workers and rows > seen:  # On a slow machine the same item would die three times.
            moments.choice(workers).kill()
            kills, seen = kills + 1, rows
    assert process.returncode == 0
    assert kills > 5
    assert results(folder) == undisturbed
