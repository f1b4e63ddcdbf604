"""Signals to a run, in a process of its own; time limits; runs that are begun again and again."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from maml_rl.cli import main
from maml_rl.cli.interrupts import Interrupted, held_back, interruptible, on_signal, time_limit
from maml_rl.errors import UsageError
from tests.cli.helpers import TABULAR, TINY, Command, contents, read_config, read_metrics
from tests.cli.processes import training, wait_until_alone
from tests.waiting import PATIENCE

OTHERS = (signal.SIGUSR2, signal.SIGXCPU, signal.SIGINT)
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, *OTHERS)
SMALL = ("train", "--config", TABULAR, *TINY, "--seed", 1)


def newest(folder: Path) -> int:
    return max(int(path.stem) for path in (folder / "checkpoints").glob("0*.json"))


def is_one_quiet_line(err: str, number: signal.Signals, folder: Path) -> bool:
    go_on = f"go on with: maml-rl train --resume {folder}"
    return err == f"maml-rl: interrupted by {number.name}; {go_on}\n"


@pytest.mark.parametrize(
    ("number", "group", "times"),
    [
        *((number, True, 2) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1)),
        *(pytest.param(number, True, 2, marks=pytest.mark.slow) for number in OTHERS),
        (signal.SIGINT, False, 1),
        pytest.param(signal.SIGTERM, False, 1, marks=pytest.mark.slow),
    ],
)
def test_a_signal_ends_a_run_with_a_checkpoint_and_a_line(
    number: signal.Signals, group: bool, times: int, tmp_path: Path
):
    process = training(tmp_path, "--num-workers", 2, "--checkpoint-every", 100000)
    for _ in range(times):  # GNU timeout sends its signal to the process, and at once to its group.
        (os.killpg if group else os.kill)(process.pid, number)
        time.sleep(0.002)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 128 + number
    assert is_one_quiet_line(err, number, tmp_path)
    wait_until_alone(process)
    assert 5 <= newest(tmp_path) <= len(read_metrics(tmp_path))


def test_a_much_later_signal_ends_it_at_once(tmp_path: Path):
    script = (
        "import os, signal, time\n"
        "from maml_rl.cli.interrupts import Interrupted, interruptible\n"
        "with interruptible():\n"
        "    try:\n        signal.raise_signal(signal.SIGTERM)\n"
        "    except Interrupted:\n"
        "        signal.raise_signal(signal.SIGTERM)\n"
        "        time.sleep(2.1)\n        print('cleaning up', flush=True)\n"
        "        signal.raise_signal(signal.SIGHUP)\n        print('never')\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (128 + signal.SIGHUP, "cleaning up\n", "")


@pytest.fixture(autouse=True)
def heard() -> Iterator[None]:
    """Signals as they are by default, whoever runs the tests."""
    before = {number: signal.signal(number, signal.SIG_DFL) for number in (signal.SIGHUP, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_signals_wait_for_the_end_of_what_must_be_whole():
    whole = []

    def write() -> None:
        with interruptible(), held_back():
            signal.raise_signal(signal.SIGTERM)
            with held_back():
                signal.raise_signal(signal.SIGHUP)
                whole.append(1)
            whole.append(2)

    with pytest.raises(Interrupted, match="SIGTERM"):
        write()
    assert whole == [1, 2]


def test_ignored_signals_stay_ignored():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with interruptible():
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_handlers_are_those_of_before_again():
    before = {number: signal.getsignal(number) for number in (*ENDING, signal.SIGALRM)}
    with interruptible(), time_limit(100), on_signal(signal.SIGUSR2, lambda: None):
        assert signal.getsignal(signal.SIGUSR2) is not before[signal.SIGUSR2]
    assert {number: signal.getsignal(number) for number in before} == before


def test_a_signal_that_saves_a_checkpoint(tmp_path: Path):
    options = ("--num-workers", 2, "--checkpoint-every", 100000, "--checkpoint-signal", "USR1")
    process = training(tmp_path, *options)
    saved: list[int] = []
    for _ in range(2):
        os.killpg(process.pid, signal.SIGUSR1)
        deadline = time.monotonic() + PATIENCE
        while newest(tmp_path) <= (saved[-1] if saved else 0):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        saved.append(newest(tmp_path))
        assert process.stdout is not None
        for _ in range(3):
            assert process.stdout.readline()  # It goes on.
    process.terminate()
    _, err = process.communicate(timeout=PATIENCE)
    assert is_one_quiet_line(err, signal.SIGTERM, tmp_path)
    assert newest(tmp_path) > saved[-1]


@pytest.mark.parametrize("name", ["USR7", "KILL", "STOP", "INT", "", "_DFL", "SIG_IGN"])
def test_signals_that_cannot_save(command: Command, tmp_path: Path, name: str):
    folder = tmp_path / "run"
    said = command.fails(*SMALL, "--output-folder", folder, "--checkpoint-signal", name)
    assert f"checkpoint-signal: expected the name of a signal, such as USR1, got '{name}'" in said
    assert not folder.exists()


@pytest.mark.slow
def test_a_run_ends_in_time_and_goes_on(tmp_path: Path, command: Command):
    process = training(tmp_path, "--num-workers", 2, "--checkpoint-every", 100000, "--max-seconds", 12)
    _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 75
    go_on = f"go on with: maml-rl train --resume {tmp_path}"
    assert err == f"maml-rl: the 12 seconds of --max-seconds are over; {go_on}\n"
    wait_until_alone(process)
    assert newest(tmp_path) == len(read_metrics(tmp_path)) >= 5
    more = newest(tmp_path) + 1
    command.succeeds("train", "--resume", tmp_path, "--num-batches", more, "--num-workers", 0)


@pytest.mark.parametrize("seconds", [0, -1, "nan", "inf", 1e10])
def test_times_that_cannot_be_counted(command: Command, tmp_path: Path, seconds: object):
    folder = tmp_path / "run"
    assert "max-seconds: expected" in command.fails(
        *SMALL, "--output-folder", folder, "--max-seconds", seconds
    )
    assert not folder.exists()


def test_no_time_limit_without_a_timer(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(UsageError, match="no timer"), time_limit(5):
        pass


def test_a_run_that_is_begun_again_until_it_ends(command: Command, tmp_path: Path):
    words = (*SMALL, "--output-folder", tmp_path / "run", "--resume-or-start")
    command.succeeds(*SMALL, "--output-folder", tmp_path / "whole")
    command.succeeds(*words, "--num-batches", 1)
    first = contents(tmp_path / "run")
    command.succeeds(*words)
    for name in ("metrics.csv", "policy.th"):
        assert (tmp_path / "run" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
    assert contents(tmp_path / "run") != first
    ended = contents(tmp_path / "run")
    said = command.succeeds(*words)  # Nothing is left to do.
    assert "meta-update" not in said
    assert {name: x for name, x in contents(tmp_path / "run").items() if "tensorboard" not in name} == {
        name: x for name, x in ended.items() if "tensorboard" not in name
    }


def test_a_run_begun_again_keeps_the_seed_that_it_drew(command: Command, tmp_path: Path):
    words = ("train", "--config", TABULAR, *TINY, "--output-folder", tmp_path / "run", "--resume-or-start")
    command.succeeds(*words, "--num-batches", 1)
    seed = read_config(tmp_path / "run")["seed"]
    command.succeeds(*words)
    assert read_config(tmp_path / "run")["seed"] == seed
    assert "cannot be resumed with another config: fast-lr was" in command.fails(*words, "--fast-lr", 0.7)
    assert "seed was" in command.fails(*words, "--seed", (seed + 1) % 2**62)


def test_a_run_that_was_killed_as_it_began_is_begun_again(command: Command, tmp_path: Path):
    words = (*SMALL, "--output-folder", tmp_path / "run", "--resume-or-start")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "config.json").write_text(json.dumps({"env-name": "TabularMDP-v0"}))
    command.succeeds(*words)
    (tmp_path / "policy").mkdir()
    (tmp_path / "policy" / "policy.th").touch()  # That is more than a beginning.
    assert "holds another run" in command.fails(
        *SMALL, "--output-folder", tmp_path / "policy", "--resume-or-start"
    )


@pytest.mark.parametrize(
    "options", [(), ("--output-folder", "x", "--overwrite"), ("--output-folder", "x", "--resume", "x")]
)
def test_resume_or_start_takes_one_folder_alone(
    command: Command, tabular_run: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tabular_run.parent)
    words = [str(tabular_run) if word == "x" else word for word in options]
    assert "--resume-or-start needs --output-folder" in command.fails(*SMALL, "--resume-or-start", *words)


def test_signals_are_left_alone_in_another_thread(tmp_path: Path):
    outcome: list[object] = []

    def run() -> None:
        try:
            main([str(word) for word in (*SMALL, "--output-folder", tmp_path / "run", "--quiet")])
            outcome.append("done")
            main([str(word) for word in (*SMALL, "--output-folder", tmp_path / "b", "--max-seconds", 5)])
        except SystemExit as end:
            outcome.append(end.code)

    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    assert outcome == ["done", 2]


def test_a_signal_while_the_command_is_being_read(tmp_path: Path):
    """Before anything heavy is imported."""
    script = (
        "import signal, sys\n"
        "class Finder:\n"
        "    def find_spec(self, name, *_):\n"
        "        if name == 'tyro':\n            signal.raise_signal(signal.SIGINT)\n"
        "sys.meta_path.insert(0, Finder())\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from maml_rl.cli import main\nmain(['--help'])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stdout, done.stderr) == (130, "", "maml-rl: interrupted by SIGINT\n")
