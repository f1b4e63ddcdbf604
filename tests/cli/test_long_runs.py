"""Promises that take minutes to test: ``make test-slow``."""

import threading
from pathlib import Path

import psutil
import pytest

from maml_rl.config import load_config
from maml_rl.training import Run, RunSettings, train
from tests.cli.helpers import CONFIGS, NAVIGATION, Command

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

        for metrics in train(run):
            if metrics["iteration"] == 50:
                early, files, threads = usage()
        late, files_late, threads_late = usage()
    assert len(late) == len(early)
    assert all(after < 1.05 * before for before, after in zip(early, late, strict=True))
    assert (files_late, threads_late) == (files, threads)
