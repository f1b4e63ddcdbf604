"""``maml-rl sweep``: its runs are processes of their own."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from maml_rl.cli.side_by_side import last_line
from maml_rl.cli.sweep import training_options
from maml_rl.config import Config, load_config
from maml_rl.envs.tabular_mdp import TabularMDPEnv
from maml_rl.errors import UsageError
from maml_rl.training.sweep import parse_seeds, parse_settings, plan, write_configs
from tests.cli.helpers import ROOT, TABULAR, Command, contents, read_metrics, results, the_line
from tests.cli.processes import members, wait_until_alone
from tests.waiting import PATIENCE

OPTIONS = ("--train", "logger=none", "--train", "num-workers=0")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A config whose runs take a moment."""
    entries = yaml.safe_load(TABULAR.read_text())
    entries |= {"num-batches": 2, "meta-batch-size": 3, "fast-batch-size": 4}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(entries))
    return path


def table(folder: Path) -> dict[str, dict[str, str]]:
    with (folder / "sweep.csv").open(newline="") as file:
        return {row["run"]: row for row in csv.DictReader(file)}


def test_runs_are_those_of_train_and_are_not_done_twice(command: Command, config: Path, tmp_path: Path):
    folder = tmp_path / "sweep"
    words = ("sweep", config, "--set", "fast-lr=0.05,0.1", "--output-folder", folder, *OPTIONS)
    shown = command.succeeds(*words, "--seeds", 1, "--jobs", 2)
    for name in ("fast-lr=0.05/seed-1", "fast-lr=0.1/seed-1"):
        assert f"{name} is done" in shown
    direct = ("train", "--config", config, "--fast-lr", 0.1, "--seed", 1, "--num-workers", 0)
    command.succeeds(*direct, "--output-folder", tmp_path / "direct", "--logger", "none")
    swept = results(folder / "fast-lr=0.1" / "seed-1")
    del swept["train.log"]
    assert swept == results(tmp_path / "direct")
    row = table(folder)["fast-lr=0.1/seed-1"]
    metrics = read_metrics(tmp_path / "direct")[-1]
    assert (row["state"], row["meta_updates"], row["num_batches"], row["seed"]) == ("done", "2", "2", "1")
    assert row["env_steps"] == metrics["env_steps"]
    assert float(row["return_before"]) == pytest.approx(float(metrics["return_0"]), rel=1e-4)
    assert float(row["return_after"]) == pytest.approx(float(metrics["return_1"]), rel=1e-4)
    before = contents(folder)
    assert "to train" not in command.succeeds(*words, "--seeds", 1)
    assert contents(folder) == before
    command.succeeds(*words, "--seeds", "1-2", "--show")
    states = {name: row["state"] for name, row in table(folder).items()}
    assert states == {
        f"fast-lr={rate}/seed-{seed}": "done" if seed == 1 else "not begun"
        for rate in ("0.05", "0.1")
        for seed in (1, 2)
    }
    del before["sweep.csv"]
    after = contents(folder)
    del after["sweep.csv"]
    assert after == before


@pytest.mark.slow
def test_a_run_that_fails_is_told_and_the_others_go_on(command: Command, config: Path, tmp_path: Path):
    folder = tmp_path / "sweep"
    (folder / "seed-1").mkdir(parents=True)
    (folder / "seed-1" / "metrics.csv").write_text("of another\nrun\n")
    words = ("sweep", config, "--seeds", "1-2", "--output-folder", folder, "--jobs", 1, *OPTIONS)
    outcome = command(*words)
    assert outcome.status == 1
    told, last = outcome.err.splitlines()
    assert told.startswith("maml-rl: seed-1 failed with exit code 2: maml-rl: ")
    assert "holds another run (metrics.csv)" in told
    assert told.endswith(f"log: {folder / 'seed-1' / 'train.log'}")
    assert last == "maml-rl: 1 of 2 runs failed; the same command tries them again"
    assert {name: row["state"] for name, row in table(folder).items()} == {
        "seed-1": "failed",
        "seed-2": "done",
    }
    assert (folder / "seed-1" / "metrics.csv").read_text() == "of another\nrun\n"


class Leaves(TabularMDPEnv):
    """It ends its process, as a simulator without a licence may, and not with an error."""

    def __init__(self, **kwargs: Any):
        os._exit(0)


def test_a_run_whose_process_ends_early_is_not_done(command: Command, config: Path, tmp_path: Path):
    entries = yaml.safe_load(config.read_text()) | {"env-name": f"{__name__}:Leaves"}
    config.write_text(yaml.safe_dump(entries))
    outcome = command("sweep", config, "--seeds", 1, "--output-folder", tmp_path / "sweep", *OPTIONS)
    assert outcome.status == 1
    assert "seed-1 failed with exit code 0" in outcome.err
    assert "is done" not in outcome.out


def started_sweep(config: Path, folder: Path) -> subprocess.Popen[str]:
    words = ("sweep", config, "--seeds", "1-2", "--output-folder", folder, "--jobs", 2, *OPTIONS)
    return subprocess.Popen(
        [sys.executable, "-m", "maml_rl", *map(str, words)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )


@pytest.mark.parametrize(
    "group", [True, pytest.param(False, marks=pytest.mark.slow)], ids=["terminal", "kill"]
)
def test_an_interrupted_sweep_stops_its_runs_with_checkpoints_and_goes_on(
    command: Command, config: Path, tmp_path: Path, group: bool
):
    entries = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(entries | {"num-batches": 30}))
    folder = tmp_path / "sweep"
    process = started_sweep(config, folder)
    runs = [folder / "seed-1", folder / "seed-2"]
    deadline = time.monotonic() + PATIENCE
    while not all((run / "metrics.csv").exists() and len(read_metrics(run)) >= 3 for run in runs):
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.02)
    (os.killpg if group else os.kill)(process.pid, signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + signal.SIGINT
    assert the_line(err) == "maml-rl: interrupted by SIGINT; the same command goes on with the runs"
    wait_until_alone(process)
    states = table(folder)
    for run in runs:
        row = states[run.name]
        assert 3 <= int(row["meta_updates"]) == len(read_metrics(run)) < 30
        assert row["state"] == "unfinished"
        assert f"go on with: maml-rl train --resume {run}" in (run / "train.log").read_text()
    assert "unfinished" in out
    if group:
        command.succeeds("sweep", config, "--seeds", "1-2", "--output-folder", folder, *OPTIONS)
        direct = ("train", "--config", config, "--seed", 2, "--num-workers", 0, "--logger", "none")
        command.succeeds(*direct, "--output-folder", tmp_path / "direct")
        for name in ("metrics.csv", "policy.th"):
            assert (runs[1] / name).read_bytes() == (tmp_path / "direct" / name).read_bytes()
        assert members(process) == []


def test_seeds():
    assert parse_seeds("1-3") == [1, 2, 3]
    assert parse_seeds("7, 1,3-4") == [7, 1, 3, 4]
    for wrong in ("", "a", "1-", "3-1", "1,,2", "-1", "1-99999999999"):
        with pytest.raises(UsageError, match="seeds: expected numbers and ranges"):
            parse_seeds(wrong)
    with pytest.raises(UsageError, match="seeds: one is given twice"):
        parse_seeds("1-3,2")


def test_settings_are_yaml():
    assert parse_settings(["fast_lr=1e-3, 0.1", "hidden-sizes=[64, 64],[8]", "first-order=true"]) == {
        "fast-lr": [1e-3, 0.1],
        "hidden-sizes": [[64, 64], [8]],
        "first-order": [True],
    }
    for wrong in ("fast-lr", "=1", "fast-lr=", "fast-lr=[1"):
        with pytest.raises(UsageError, match="set: expected KEY=VALUE"):
            parse_settings([wrong])
    with pytest.raises(UsageError, match=r"'seed' is no key of a config \(use --seeds\)"):
        parse_settings(["seed=1,2"])
    with pytest.raises(UsageError, match="'fast-lr' is given twice"):
        parse_settings(["fast-lr=1", "fast_lr=2"])


def test_every_setting_has_a_folder_and_a_config_of_its_own(config: Path, tmp_path: Path):
    settings: dict[str, list[Any]] = {"metalearner": ["maml-trpo", "anil"], "hidden-sizes": [[64, 64], [8]]}
    configs, runs = plan(config, settings, [3, 1], tmp_path / "x")
    names = [
        f"metalearner={method},hidden-sizes={sizes}"
        for method in ("maml-trpo", "anil")
        for sizes in ("64_64", "8")
    ]
    assert [run.name for run in runs] == [f"{name}/seed-{seed}" for seed in (3, 1) for name in names]
    write_configs(configs)
    base = load_config(config)[0].to_dict()
    made = {run.config.parent.name: load_config(run.config)[0] for run in runs}
    assert list(made) == names
    assert made[names[3]] == Config(**(base | {"metalearner": "anil", "hidden-sizes": (8,)}))
    assert made[names[0]] == Config(**(base | {"hidden-sizes": (64, 64)}))
    write_configs(configs)  # Again.
    grown, _ = plan(config, settings | {"hidden-sizes": [[64, 64]]}, [1], tmp_path / "x")
    assert set(grown) < set(configs)


def test_episodes_per_trial_are_chosen_like_other_keys(tmp_path: Path):
    config = tmp_path / "rl2.yaml"
    config.write_text("metalearner: rl2\nenv-name: Bandit-K5-v0\nepisodes-per-trial: 3\n")
    configs, _ = plan(config, {"episodes-per-trial": [2, 5]}, [1], tmp_path / "x")
    assert [made.num_steps for made in configs.values()] == [1, 4]
    with pytest.raises(UsageError, match="num-steps 1 makes 2 episodes per trial, not 5"):
        plan(config, {"episodes-per-trial": [5], "num-steps": [1]}, [1], tmp_path / "x")


@pytest.mark.parametrize(
    "text", ["1e3", "0o17", "017", "yes", "1:30", "2020-01-01", "null", "", "~", "1_000"]
)
def test_texts_stay_texts(text: str, config: Path, tmp_path: Path):
    config.write_text(config.read_text() + f"policy-kwargs: {{name: '{text}', '{text}': 1}}\n")
    for _ in range(2):  # Again, it is the same.
        configs, _ = plan(config, {}, [1], tmp_path / "x")
        write_configs(configs)
    (written,) = configs
    assert load_config(written)[0].policy_kwargs == {"name": text, text: 1}


@pytest.mark.slow
def test_runs_whose_time_is_up_have_not_failed(command: Command, config: Path, tmp_path: Path):
    config.write_text(config.read_text().replace("num-batches: 2", "num-batches: 100000"))
    words = ("sweep", config, "--seeds", 1, "--output-folder", tmp_path / "x", *OPTIONS)
    outcome = command(*words, "--train", "max-seconds=6")
    assert outcome.status == 75
    assert "seed-1 goes on another time: its seconds are over" in outcome.out
    assert table(tmp_path / "x")["seed-1"]["state"] == "unfinished"
    assert outcome.err.splitlines()[-1].startswith("maml-rl: the time of 1 of 1 runs was up")
    line = command.fails(*words, "--train", "max-seconds=6", "--slurm")
    assert "--slurm-set time=MINUTES" in line


def test_without_a_step_the_return_before_is_the_one_after(command: Command, config: Path, tmp_path: Path):
    sweep = ("sweep", config, "--seeds", 1, "--set", "num-steps=0", "--output-folder", tmp_path / "x")
    command.succeeds(*sweep, *OPTIONS)
    (row,) = table(tmp_path / "x").values()
    assert row["state"] == "done"
    assert row["return_before"] == row["return_after"] != ""


def test_a_folder_of_another_sweep_is_left_alone(command: Command, config: Path, tmp_path: Path):
    write_configs(plan(config, {}, [1], tmp_path / "x")[0])
    before = contents(tmp_path / "x")
    entries = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(entries | {"gamma": 0.5}))
    line = command.fails("sweep", config, "--seeds", 1, "--output-folder", tmp_path / "x")
    assert "holds runs of another config: gamma was 0.95, is 0.5" in line
    assert contents(tmp_path / "x") == before
    config.write_text(yaml.safe_dump(entries | {"num-batches": 9}))
    write_configs(plan(config, {}, [1], tmp_path / "x")[0])  # More of the same is none.
    assert load_config(tmp_path / "x" / "config.yaml")[0].num_batches == 9


def test_mistakes(command: Command, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    before = contents(tmp_path)
    sweep = ("sweep", config, "--seeds", 1)
    assert "unknown key 'fast-ir'; did you mean 'fast-lr'" in command.fails(*sweep, "--set", "fast-ir=1")
    assert "'gamma'" in command.fails(*sweep, "--set", "gamma=0.5,2")
    assert "two settings would have the folder" in command.fails(*sweep, "--set", "gamma=0.5,0.5")
    assert "jobs: expected 1 or more" in command.fails(*sweep, "--jobs", 0)
    assert "--slurm-set is for --slurm" in command.fails(*sweep, "--slurm-set", "time=5")
    assert "--slurm-set array_parallelism=N" in command.fails(*sweep, "--slurm", "--jobs", 2)
    assert "cannot read the config 'none.yaml'" in command.fails("sweep", "none.yaml", "--seeds", 1)
    assert contents(tmp_path) == before


def test_options_of_train():
    given = training_options(["device=cuda", "rebuild-graphs"], {"num-workers": "2"})
    assert given == ["--num-workers=2", "--device=cuda", "--rebuild-graphs"]
    assert training_options(["num-workers=0"], {"num-workers": "2"}) == ["--num-workers=0"]
    for wrong in ("seed=3", "fast-lr=0.1", "resume", "devise=cuda"):
        with pytest.raises(UsageError, match=f"train: no option '{wrong.partition('=')[0]}'"):
            training_options([wrong])


def test_options_of_train_are_checked_before_anything_begins(command: Command, config: Path, tmp_path: Path):
    words = ("sweep", config, "--seeds", 1, "--output-folder", tmp_path / "x", "--train", "devise=cuda")
    assert "no option 'devise' for the runs of a sweep; did you mean 'device'?" in command.fails(*words)
    assert not (tmp_path / "x").exists()


def test_the_last_line_of_a_log(tmp_path: Path):
    log = tmp_path / "log"
    assert last_line(log) == ""
    log.write_text("")
    assert last_line(log) == ""
    log.write_text("x" * 9000 + "\none\n two \n\n")
    assert last_line(log) == "two"


@pytest.mark.timeout(60)
def test_a_log_that_is_a_pipe_keeps_nobody_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "log")
    assert last_line(tmp_path / "log") == ""


def test_slurm_needs_submitit(
    command: Command, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setitem(sys.modules, "submitit", None)
    line = command.fails("sweep", config, "--seeds", 1, "--slurm", "--output-folder", tmp_path / "x")
    assert line == "maml-rl: --slurm needs submitit: pip install submitit"
