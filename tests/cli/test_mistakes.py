"""A user's mistake costs a line: exit code 2, no traceback, and nothing is overwritten."""

import json
import os
import shutil
import sys
from pathlib import Path

import pytest
import torch
from filelock import FileLock

from maml_rl.errors import UsageError
from maml_rl.policies import NormalMLPPolicy
from maml_rl.training.state import load_theta
from tests.builders import same_bits
from tests.cli.helpers import NAVIGATION, TABULAR, TINY, Command, contents, run, the_line


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder that commands run in, and must leave empty."""
    folder = tmp_path / "nowhere"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def config_of(entries: dict[str, object], folder: Path) -> Path:
    path = folder / "mine.json"
    path.write_text(json.dumps({"env-name": "TabularMDP-v0"} | entries))
    return path


@pytest.mark.parametrize(
    ("entries", "complaint"),
    [
        ({"fast-lrr": 0.1}, "unknown key 'fast-lrr'; did you mean 'fast-lr'?"),
        ({"gamma": 1.5}, "'gamma': input should be less than or equal to 1, got 1.5"),
        ({"num-batches": "many"}, "'num-batches': input should be a valid integer"),
        ({"metalearner": "maml"}, "did you mean 'maml-ppo' or 'maml-trpo'?"),
        ({"env-name": "TabularMPD-v0"}, "did you mean 'TabularMDP-v0'?"),
        ({"env-name": "CartPole-v1"}, "'CartPole-v1' has no method sample_tasks()"),
        (
            {"env-kwargs": {"states": 3}},
            "takes no argument 'states'; it takes: max_episode_steps, num_actions",
        ),
        ({"env-kwargs": {"num_states": 0}}, "cannot be made with {'num_states': 0}"),
        ({"nonlinearity": "tanhh"}, "nonlinearity 'tanhh': expected a function of torch"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_wrong_configs(
    command: Command, tmp_path: Path, nowhere: Path, entries: dict[str, object], complaint: str
):
    config = config_of(entries, tmp_path)
    assert complaint in command.fails("train", "--config", config, *TINY)
    assert contents(nowhere) == {}
    assert list(nowhere.iterdir()) == []


def test_missing_and_damaged_configs(command: Command, tmp_path: Path, nowhere: Path):
    assert "cannot read the config 'no.yaml': No such file" in command.fails("train", "--config", "no.yaml")
    assert "cannot read the config 'no.yaml'" in command.fails("test", "--config=no.yaml", "--policy", "x")
    (tmp_path / "empty.yaml").touch()
    assert "expected a mapping of options" in command.fails("train", "--config", tmp_path / "empty.yaml")
    assert list(nowhere.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (["--fast-lr", -1], "command line: 'fast-lr': input should be greater than 0, got -1.0"),
        (["--num-steps", -1], "command line: 'num-steps'"),
        (["--hidden-sizes", 8, 0], "command line: 'hidden-sizes.1'"),
        (["--seed", -1], "seed: expected 0 to 9223372036854775807, got -1"),
        (["--seed", 2**63], "seed: expected 0 to 9223372036854775807, got 9223372036854775808"),
        (["--num-workers", -1], "num-workers: expected 0 to 1024, got -1"),
        (["--env-name", "TabularMDP-v9"], "did you mean 'TabularMDP-v0'?"),
        (["--env-kwargs", "{low: 1}"], "takes no argument 'low'"),
        (["--env-kwargs", "{task: {}}"], "takes no argument 'task'"),
        (["--device", "meta"], "device 'meta' cannot be used here; usable: cpu"),
        (["--device", "warp"], "device 'warp' cannot be used here"),
        (["--device", "cuda:99"], "device 'cuda:99' cannot be used here; usable: cpu"),
        (["--output-folder", "/dev/null/run"], "cannot write '/dev/null/run'"),
    ],
    ids=lambda value: str(value[0]) if isinstance(value, list) else "",
)
def test_wrong_options(command: Command, nowhere: Path, options: list[object], complaint: str):
    assert complaint in command.fails("train", "--config", TABULAR, *TINY, *options)
    assert list(nowhere.iterdir()) == []


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["train", "--config", TABULAR, "--fast-lr", "abc"], "--fast-lr"),
        (["train", "--config", TABULAR, "--fast-lrr", 1], "--fast-lr"),
        (["train", "--config", TABULAR, "--env-kwargs", "[1, 2]"], "--env-kwargs"),
        (["train", "--config", TABULAR, "--env-kwargs", "{a: "], "--env-kwargs"),
        (["train", "--config"], "--config"),
        (["train"], "--env-name"),
        (["test", "--config", TABULAR], "--policy"),
        (["trian"], "train"),
        ([], "train"),
    ],
    ids=lambda value: " ".join(str(x) for x in value if x != TABULAR) if isinstance(value, list) else "",
)
def test_words_that_are_no_options(command: Command, nowhere: Path, arguments: list[object], named: str):
    assert named in command.fails(*arguments)
    assert list(nowhere.iterdir()) == []


def test_an_output_folder_that_holds_a_run(command: Command, tabular_run: Path):
    before = contents(tabular_run)
    line = command.fails("train", "--config", TABULAR, *TINY, "--output-folder", tabular_run)
    assert "holds another run (config.json, policy.th, metrics.csv, checkpoints)" in line
    assert "pass --overwrite" in line
    assert contents(tabular_run) == before


def test_a_mistake_beside_overwrite_leaves_the_run_as_it_was(
    command: Command, tabular_run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    shutil.copytree(tabular_run, tmp_path / "run")
    train = ("train", "--config", TABULAR, *TINY, "--output-folder", tmp_path / "run", "--overwrite")
    monkeypatch.setitem(sys.modules, "wandb", None)
    assert "logger wandb: not installed here; try pip install wandb" in command.fails(
        *train, "--logger", "wandb"
    )
    assert "takes no argument 'task'" in command.fails(*train, "--env-kwargs", "{task: {}}")
    assert contents(tmp_path / "run") == contents(tabular_run)


def test_a_run_that_another_process_has(command: Command, tabular_run: Path, tmp_path: Path):
    shutil.copytree(tabular_run, tmp_path / "run")
    with FileLock(tmp_path / "run" / ".lock"):
        for how in (("--resume",), ("--overwrite", "--output-folder")):
            before = contents(tmp_path / "run")
            line = command.fails("train", "--config", TABULAR, *TINY, "--seed", 1, *how, tmp_path / "run")
            assert "is in use: another process trains there" in line
            assert contents(tmp_path / "run") == before
    command.succeeds("train", "--config", TABULAR, *TINY, "--seed", 1, "--resume", tmp_path / "run")


@pytest.mark.parametrize("left", ["config.json", "policy.th", "metrics.csv"])
def test_any_part_of_a_run_counts(command: Command, tmp_path: Path, left: str):
    (tmp_path / left).write_text("precious")
    assert f"({left})" in command.fails("train", "--config", TABULAR, *TINY, "--output-folder", tmp_path)
    assert contents(tmp_path) == {left: b"precious"}


@pytest.mark.parametrize(
    "mistake",
    [["--env-name", "TabularMDP-v9"], ["--env-kwargs", "{low: 1}"], ["--seed", -1], ["--nonlinearity", "x"]],
    ids=lambda mistake: mistake[0],
)
def test_a_mistake_while_overwriting_leaves_the_old_run(
    command: Command, tmp_path: Path, mistake: list[object]
):
    arguments = ("train", "--config", TABULAR, *TINY, "--output-folder", tmp_path)
    command.succeeds(*arguments)
    before = contents(tmp_path)
    command.fails(*arguments, "--overwrite", *mistake)
    assert contents(tmp_path) == before


def test_use_cuda_asks_for_cuda(command: Command, monkeypatch: pytest.MonkeyPatch):
    """Whether there is a GPU here or not."""

    def refuse(name: str) -> torch.device:
        raise UsageError(f"asked for {name}")

    monkeypatch.setattr("maml_rl.training.run._device", refuse)
    assert command.fails("train", "--config", TABULAR, *TINY, "--use-cuda") == "maml-rl: asked for cuda"


def test_an_output_folder_that_is_read_only(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    tmp_path.chmod(0o500)
    if os.geteuid() == 0:  # No permission keeps root from writing.
        monkeypatch.setattr(os, "access", lambda *_: False)
    assert "cannot" in command.fails("train", "--config", TABULAR, *TINY, "--output-folder", tmp_path / "run")


def write_policy(path: Path, kind: str, good: Path) -> None:
    if kind == "truncated":
        path.write_bytes(good.read_bytes()[:-200])
    elif kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("this is no policy\n")
    elif kind == "json":
        path.write_text('{"layer1.weight": [0.0]}')
    elif kind == "code":
        torch.save({"layer1.weight": Path("x")}, path)
    elif kind == "numbers":
        torch.save({"layer1.weight": 3.0}, path)
    elif kind == "tensor":
        torch.save(torch.zeros(3), path)
    elif kind == "folder":
        path.mkdir()


@pytest.mark.parametrize(
    ("kind", "complaint"),
    [
        ("truncated", "is not a policy"),
        ("empty", "is not a policy"),
        ("text", "is not a policy"),
        ("json", "is not a policy"),
        ("code", "is not a policy"),
        ("numbers", "is not a policy: expected a state dict of tensors"),
        ("tensor", "is not a policy: expected a state dict of tensors"),
        ("missing", "cannot read the policy"),
        ("folder", "cannot read the policy"),
    ],
)
def test_files_that_are_no_policies(
    command: Command, tmp_path: Path, tabular_run: Path, kind: str, complaint: str
):
    policy, output = tmp_path / "policy.th", tmp_path / "r.npz"
    write_policy(policy, kind, tabular_run / "policy.th")
    arguments = ("--config", tabular_run / "config.json", "--policy", policy, "--output", output)
    line = command.fails("test", *arguments, "--num-workers", 0)
    assert complaint in line
    assert f"'{policy}'" in line
    assert not output.exists()


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (["--hidden-sizes", 8, 8], "layer1.weight is (32, 10), expected (8, 10)"),
        (["--hidden-sizes", 32], "layer2.weight is (32, 32), expected (5, 32)"),
        (["--hidden-sizes", 32, 32, 32], "layer3.weight is (5, 32), expected (32, 32)"),
        (["--env-kwargs", "{num_states: 9, num_actions: 5}"], "layer1.weight is (32, 10), expected (32, 9)"),
        (["--env-name", "2DNavigation-v0", "--env-kwargs", "{}"], "sigma is missing, expected (2,)"),
    ],
)
def test_a_policy_of_another_architecture(
    command: Command, tmp_path: Path, tabular_run: Path, options: list[object], found: str
):
    arguments = ("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th")
    output = tmp_path / "r.npz"
    line = command.fails("test", *arguments, "--num-workers", 0, *options, "--output", output)
    assert "is a policy of another architecture" in line
    assert found in line
    assert not output.exists()


def test_a_policy_of_other_names(command: Command, tmp_path: Path, tabular_run: Path):
    torch.save({"sigma": torch.zeros(2)}, tmp_path / "policy.th")
    arguments = ("--config", tabular_run / "config.json", "--policy", tmp_path / "policy.th")
    line = command.fails("test", *arguments, "--num-workers", 0)
    assert "layer1.weight is missing, expected (32, 10)" in line


@pytest.mark.parametrize("content", [None, "", "iteration,return_0\n", "iteration\nthree\n", "a,b\n1\n"])
def test_plots_of_folders_without_metrics(
    command: Command, tmp_path: Path, tabular_run: Path, content: str | None
):
    (tmp_path / "config.json").write_bytes((tabular_run / "config.json").read_bytes())
    if content is not None:
        (tmp_path / "metrics.csv").write_text(content)
    before = contents(tmp_path)
    line = command.fails("plot", tmp_path)
    assert str(tmp_path / "metrics.csv") in line
    assert contents(tmp_path) == before


def test_plots_of_nothing_or_in_an_unknown_format(command: Command, tabular_run: Path, nowhere: Path):
    assert "name at least one output folder" in command.fails("plot")
    expected = (
        "cannot read the config 'missing/config.json': there is none; is 'missing' the folder of a run?"
    )
    assert expected in command.fails("plot", "missing")
    assert "format 'gif': expected png, svg or pdf" in command.fails("plot", tabular_run, "--format", "gif")
    assert list(nowhere.iterdir()) == []


def test_a_mistake_of_a_value_that_reaches_the_environment(nowhere: Path):
    """In a process of its own, where no run-time type checks get in first."""
    arguments = ("--config", NAVIGATION, *TINY, "--env-kwargs", "{low: abc}")
    done = run("maml-rl", "train", *arguments, cwd=nowhere)
    assert (done.returncode, done.stdout) == (2, "")
    assert "low and high: expected numbers" in the_line(done.stderr)
    assert list(nowhere.iterdir()) == []


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "legacy"])
def test_policies_cut_off_anywhere(tmp_path: Path, zipped: bool):
    policy = NormalMLPPolicy(3, 2, (4,))
    torch.save(policy.state_dict(), tmp_path / "whole.th", _use_new_zipfile_serialization=zipped)
    before = policy.get_vector()
    assert same_bits(load_theta(tmp_path / "whole.th", policy.layout), before)
    whole = (tmp_path / "whole.th").read_bytes()
    for length in range(0, len(whole) - 1, 37):
        (tmp_path / "cut.th").write_bytes(whole[:length])
        with pytest.raises(UsageError, match="is not a policy"):
            load_theta(tmp_path / "cut.th", policy.layout)
    assert same_bits(policy.get_vector(), before)


@pytest.mark.parametrize(
    "options",
    [
        ["--hidden-sizes", 10**11],
        ["--fast-batch-size", 10**11, "--num-workers", 0],
        ["--fast-batch-size", 10**11, "--num-workers", 1],
    ],
    ids=["policy", "episodes", "episodes of a worker"],
)
def test_more_than_the_memory_holds(command: Command, tmp_path: Path, options: list[object]):
    arguments = ("--config", NAVIGATION, *TINY, *options, "--output-folder", tmp_path / "run")
    outcome = command("train", *arguments)
    line = the_line(outcome.err)
    assert outcome.status == 1
    assert line.startswith("maml-rl: out of memory: ")
    assert "allocate" in line
    assert line.endswith("or train with --rebuild-graphs")
