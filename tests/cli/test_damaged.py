"""A corpus of damaged input: each is worth one line and exit code 2, and changes no file."""

import json
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from maml_rl.config import Config, parse_config
from maml_rl.errors import UsageError
from tests.builders import repeatable
from tests.cli.helpers import Command, contents, run, the_line

GOOD = {"env-name": "TabularMDP-v0", "num-batches": 1, "meta-batch-size": 2, "fast-batch-size": 2}

WRONG_VALUES: list[tuple[str, Any]] = [
    ("env-name", 3),
    ("env-name", "TabularMDP"),
    ("env-kwargs", [1]),
    ("env-kwargs", {"num_states": "many"}),
    ("gamma", 1.5),
    ("gamma", "high"),
    ("gae-lambda", -0.1),
    ("bootstrap-truncated", "perhaps"),
    ("first-order", 7),
    ("hidden-sizes", 64),
    ("hidden-sizes", [64, -1]),
    ("hidden-sizes", ["wide"]),
    ("nonlinearity", "bend"),
    ("nonlinearity", None),
    ("init-std", 0),
    ("init-gain", 0),
    ("fast-batch-size", 0),
    ("fast-batch-size", 2.5),
    ("num-steps", -1),
    ("fast-lr", 0),
    ("fast-lr", float("nan")),
    ("num-batches", 0),
    ("meta-batch-size", "all"),
    ("max-kl", -1e-2),
    ("max-kl", float("inf")),
    ("cg-iters", 0),
    ("cg-damping", -1),
    ("ls-max-steps", 0),
    ("ls-backtrack-ratio", 1.0),
    ("tasks-per-item", 0),
    ("max-lk", 0.1),
]
NOT_CONFIGS: dict[str, bytes] = {
    "empty": b"",
    "a list": b"[1, 2]",
    "a word": b"hello",
    "torn": b'{"env-name": "Tab',
    "bytes": bytes(range(256)),
    "a tab": b"env-name:\tx\n\t- y: {",
    "an object of Python": b"!!python/object/apply:os.system ['touch owned']",
    "endless": b"[" * 100_000,
}


class Bomb:
    """Touches a file where something unpickles it."""

    def __init__(self, target: Path):
        self.target = target

    def __reduce__(self) -> tuple[Any, tuple[Any, ...]]:
        return Path.touch, (self.target,)


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(command: Command, here: Path, *arguments: object) -> str:
    before = contents(here)
    line = command.fails(*arguments, "--num-workers", 0)
    assert contents(here) == before
    return line


@pytest.mark.parametrize(("key", "value"), WRONG_VALUES, ids=[f"{k}={v}" for k, v in WRONG_VALUES])
def test_wrong_values(command: Command, here: Path, key: str, value: Any):
    (here / "config.json").write_text(json.dumps(GOOD | {key: value}))
    line = refused(command, here, "train", "--config", "config.json", "--output-folder", "run")
    assert key in line or (key, value) in [("env-name", "TabularMDP"), ("env-kwargs", {"num_states": "many"})]


@pytest.mark.parametrize("kind", NOT_CONFIGS)
@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_files_that_are_no_configs(command: Command, here: Path, kind: str, suffix: str):
    (here / f"config.{suffix}").write_bytes(NOT_CONFIGS[kind])
    assert f"config.{suffix}" in refused(command, here, "train", "--config", f"config.{suffix}")


@pytest.mark.parametrize("kind", ["empty", "text", "torn", "a number", "a pickle", "another size", "a list"])
def test_files_that_are_no_policies(command: Command, here: Path, kind: str):
    (here / "config.json").write_text(json.dumps(GOOD))
    path = here / "policy.th"
    torch.save({"layer1.weight": torch.zeros(3, 10)}, path)
    if kind == "empty":
        path.write_bytes(b"")
    elif kind == "text":
        path.write_text("weights")
    elif kind == "torn":
        path.write_bytes(path.read_bytes()[:200])
    elif kind == "a number":
        torch.save(1.0, path)
    elif kind == "a list":
        torch.save([torch.zeros(1)], path)
    elif kind == "a pickle":
        path.write_bytes(pickle.dumps(Bomb(here / "owned")))
    line = refused(command, here, "test", "--config", "config.json", "--policy", "policy.th")
    assert "'policy.th' is" in line
    if kind == "another size":
        assert "layer1.weight is (3, 10), expected (64, 10)" in line


anything = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.integers())


@repeatable
@given(st.sampled_from(sorted(Config.model_fields)), anything)
def test_any_value_of_any_key_is_taken_or_refused_in_one_line(name: str, value: Any):
    complaint = "here: fine"
    try:
        parse_config(GOOD | {name.replace("_", "-"): value}, "here")
    except UsageError as error:
        complaint = str(error)
    assert complaint.startswith("here: ")
    assert len(complaint.splitlines()) == 1


def limited(size: int, *arguments: object) -> subprocess.CompletedProcess[str]:
    """Call ``maml-rl`` in a process whose files end at ``size`` bytes: a disk that is full then."""
    script = (
        "import resource, sys\nfrom maml_rl.cli import main\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))\nmain(sys.argv[1:])\n"
    )
    # -B: Python would cut the caches of what it imports off at that size, too; so would coverage its data.
    return run("env", "-u", "COVERAGE_PROCESS_CONFIG", sys.executable, "-B", "-c", script, *arguments)


SMALL = ("--hidden-sizes", 4, "--num-batches", 60, "--meta-batch-size", 2, "--fast-batch-size", 2)


@pytest.mark.parametrize(
    ("size", "file"),
    [
        (100, "config.json"),
        (1000, "policy.th"),
        pytest.param(5000, "metrics.csv", marks=pytest.mark.slow),
    ],
)
def test_a_disk_that_is_full(command: Command, tmp_path: Path, size: int, file: str):
    options = (
        "--env-name",
        "TabularMDP-v0",
        *SMALL,
        "--num-workers",
        0,
        "--seed",
        1,
        "--checkpoint-every",
        9,
    )
    folder = tmp_path / "full"
    done = limited(size, "train", *options, "--output-folder", folder)
    assert done.returncode == 2
    line = the_line(done.stderr)
    assert "cannot write" in line
    assert "File too large" in line
    assert {name for name in contents(folder) if Path(name).name.startswith(".")} == {".lock"}
    if file != "metrics.csv":
        return
    # With room again, the run goes on as if there had always been.
    command.succeeds("train", "--resume", folder, "--num-workers", 0, "--checkpoint-every", 9)
    command.succeeds("train", *options, "--output-folder", tmp_path / "whole")
    for name in ("policy.th", "metrics.csv"):
        assert (folder / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_results_on_a_full_disk_leave_the_old_ones(tmp_path: Path, tabular_run: Path):
    output = tmp_path / "results.npz"
    output.write_text("precious")
    options = ("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th")
    sizes = ("--num-batches", 1, "--meta-batch-size", 2, "--num-workers", 0, "--overwrite")
    done = limited(100, "test", *options, *sizes, "--output", output)
    assert done.returncode == 2
    assert "cannot write" in the_line(done.stderr)
    assert contents(tmp_path) == {"results.npz": b"precious"}
