"""Jobs of Slurm under its signals: the scripts in examples/slurm, and those of ``maml-rl sweep --slurm``."""

import csv
import json
import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
import yaml

from tests import fake_slurm
from tests.cli.helpers import ROOT, TABULAR, read_metrics
from tests.waiting import PATIENCE, wait_until

EXAMPLES = ROOT / "examples" / "slurm"


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Slurm's commands on the path, and ``maml-rl`` that is this one's; return the folder of their states."""
    for name, value in fake_slurm.install(tmp_path).items():
        monkeypatch.setenv(name, value)
    command = tmp_path / "bin" / "maml-rl"
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m maml_rl "$@"\n')
    command.chmod(0o755)
    monkeypatch.setenv("PYTHONPATH", f"{ROOT}{os.pathsep}{os.environ.get('PYTHONPATH', '')}")
    monkeypatch.chdir(tmp_path)
    yield tmp_path / "jobs"
    for job in (tmp_path / "jobs").iterdir():
        if job.read_text() in ("PENDING", "RUNNING", "REQUEUED"):
            fake_slurm.scancel([job.name])
    wait_until(lambda: not any(job.read_text() == "RUNNING" for job in (tmp_path / "jobs").iterdir()))


@pytest.fixture
def config(tmp_path: Path) -> Path:
    entries = yaml.safe_load(TABULAR.read_text())
    entries |= {"num-batches": 6, "meta-batch-size": 3, "fast-batch-size": 4}
    path = tmp_path / "tiny.yaml"
    path.write_text(yaml.safe_dump(entries))
    return path


ENDLESS = ("--num-batches", "1000000")
QUICK = ("--num-workers", "0", "--logger", "none", "--checkpoint-every", "1000000")


def submit(script: str, *arguments: object, options: tuple[str, ...] = ()) -> str:
    """Return the number of the job."""
    done = call("sbatch", *options, EXAMPLES / script, *arguments)
    assert done.stderr == ""
    return done.stdout.split()[-1]


def rows(folder: Path) -> int:
    return len(read_metrics(folder)) if (folder / "metrics.csv").exists() else 0


def newest(folder: Path) -> int:
    return max((int(path.stem) for path in (folder / "checkpoints").glob("0*.json")), default=-1)


@pytest.mark.slow
def test_an_array_of_seeds(slurm: Path, config: Path, tmp_path: Path):
    job = submit("seeds.sh", config, "runs", *QUICK, options=("--array=1,3",))
    wait_until(lambda: all((slurm / f"{job}_{seed}").read_text() == "COMPLETED" for seed in (1, 3)))
    for seed in (1, 3):
        folder = tmp_path / "runs" / f"seed-{seed}"
        assert rows(folder) == 6
        assert json.loads((folder / "config.json").read_text())["seed"] == seed
    assert not (tmp_path / "runs" / "seed-2").exists()


@pytest.mark.slow
def test_a_run_whose_time_is_up_goes_back_into_the_queue_and_goes_on(
    slurm: Path, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("MAX_SECONDS", "25")
    job = submit("seeds.sh", config, "runs", *QUICK, *ENDLESS, options=("--array=1",))
    folder, log = tmp_path / "runs" / "seed-1", tmp_path / f"maml-rl-{job}_1.out"
    wait_until(lambda: log.exists() and log.read_text().count("are over; go on with") >= 2)
    assert newest(folder) > 0
    assert log.read_text().count("meta-update 1/") <= 1  # It went on.
    assert (slurm / f"{job}_1").read_text() in ("RUNNING", "REQUEUED")


@pytest.mark.slow
@pytest.mark.parametrize("limit", [True, False], ids=["time limit", "scancel"])
def test_slurms_warning_saves_a_checkpoint_and_its_last_word_another(
    slurm: Path, config: Path, tmp_path: Path, limit: bool
):
    job = submit("seeds.sh", config, "runs", *QUICK, *ENDLESS, options=("--array=7",))
    folder = tmp_path / "runs" / "seed-7"

    def more_rows(than: int) -> bool:
        return rows(folder) > than

    def newer(than: int) -> bool:
        return newest(folder) > than

    for ask in (
        lambda: fake_slurm.warn(f"{job}_7"),
        lambda: fake_slurm.scancel(["--signal=USR1", f"{job}_7"]),
    ):
        saved, seen = newest(folder), rows(folder)
        wait_until(partial(more_rows, seen + 2))
        assert newest(folder) <= max(saved, 0)  # None is due.
        ask()
        wait_until(partial(newer, max(saved, 0)))
    fake_slurm.end(f"{job}_7") if limit else fake_slurm.scancel([f"{job}_7"])
    log = tmp_path / f"maml-rl-{job}_7.out"
    wait_until(
        lambda: "interrupted by SIGTERM; go on with: maml-rl train --resume runs/seed-7" in log.read_text()
    )
    wait_until(lambda: not fake_slurm.processes(f"{int(job) * 1000 + 7}"))
    assert newest(folder) == rows(folder)
    assert (slurm / f"{job}_7").read_text() == ("TIMEOUT" if limit else "CANCELLED")


def test_a_ray_cluster_inside_a_job(slurm: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """With commands in place of Ray and of the run that tell what they were called with."""
    monkeypatch.setenv(fake_slurm.NODES, "localhost,n2,n3")
    server = socket.create_server(("localhost", 0))  # What Ray's head listens on.
    port = server.getsockname()[1]
    monkeypatch.setenv("PORT", str(port))
    told = tmp_path / "told"
    stand_in(
        tmp_path / "bin" / "ray",
        told,
        "echo token $RAY_AUTH_MODE $RAY_AUTH_TOKEN >> told\nwhile :; do sleep 0.1; done",
    )
    stand_in(
        tmp_path / "bin" / "maml-rl",
        told,
        "trap 'echo saved >> told' USR1\ntrap 'exit 143' TERM\necho ready >> told\n"
        "while :; do sleep 0.1; rm time-is-up && exit 75; done 2> /dev/null",
    )
    job = submit("ray-cluster.sh", "c.yaml", "runs/x", 4, "--quiet", options=("--signal=B:USR1@1",))
    wait_until(lambda: told.exists() and "ready" in told.read_text())
    calls = told.read_text().splitlines()
    wait_until(lambda: told.read_text().count("ray start") == told.read_text().count("token token") == 3)
    lines = told.read_text().splitlines()
    head = f"localhost: ray start --head --port={port} --num-cpus=1 --include-dashboard=false --block"
    assert head in lines
    for node in ("n2", "n3"):
        assert f"{node}: ray start --address=localhost:{port} --num-cpus=1 --block" in lines
    (train,) = (line for line in calls if "maml-rl" in line)
    for part in (
        "maml-rl train --config c.yaml --seed 4 --output-folder runs/x --resume-or-start --sampler ray",
        f"--ray-address localhost:{port} --num-workers 2 --checkpoint-signal USR1 --max-seconds 85800",
        "--quiet",
    ):
        assert part in train
    (token,) = {line for line in lines if line.startswith("token")}  # The same on all nodes.
    assert re.fullmatch("token token [0-9a-f]{64}", token)
    fake_slurm.scancel(["--batch", "--signal=USR1", job])
    wait_until(lambda: "saved" in told.read_text())
    assert len(fake_slurm.processes(job, "steps")) >= 3  # Ray goes on.
    fake_slurm.warn(job)
    wait_until(lambda: told.read_text().count("saved") == 2)
    (tmp_path / "time-is-up").touch()
    wait_until(lambda: told.read_text().count("ready") == 2)  # Exit code 75: it is begun again.
    fake_slurm.scancel([job])
    wait_until(lambda: not fake_slurm.processes(job))
    assert told.read_text().count("ready") == 2
    server.close()


def stand_in(path: Path, told: Path, rest: str) -> None:
    tell = f'echo "${{SLURMD_NODENAME:-batch}}: {path.name} $*" >> {told}'
    path.write_text(f"#!/bin/bash\n{tell}\ncd {told.parent}\n{rest}\n")
    path.chmod(0o755)


def sweep(config: Path, *options: object) -> "subprocess.CompletedProcess[str]":
    words = ("sweep", config, "--seeds", "1-2", "--output-folder", "runs", "--slurm")
    train = ("logger=none", "num-workers=0", "checkpoint-every=1000000")
    return call("maml-rl", *words, *(word for x in train for word in ("--train", x)), *options)


def call(*words: object) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([*map(str, words)], capture_output=True, text=True, timeout=PATIENCE)


def states(slurm: Path) -> set[str]:
    return {job.read_text() for job in slurm.iterdir()}


@pytest.mark.slow
def test_a_sweep_is_an_array_of_jobs(slurm: Path, config: Path, tmp_path: Path):
    pytest.importorskip("submitit")
    with fake_slurm.full_queue():
        done = sweep(config, "--slurm-set", "time=60", "--slurm-set", "cpus_per_task=1")
        assert done.stderr == ""
        assert "2 runs are submitted as job 100" in done.stdout
        again = sweep(config)
        assert "2 runs have a job already" in again.stdout
    wait_until(lambda: states(slurm) == {"COMPLETED"})
    assert [rows(tmp_path / "runs" / f"seed-{seed}") for seed in (1, 2)] == [6, 6]
    last = sweep(config)
    assert "submitted" not in last.stdout
    with (tmp_path / "runs" / "sweep.csv").open(newline="") as file:
        assert [row["state"] for row in csv.DictReader(file)] == ["done", "done"]


@pytest.mark.slow
def test_a_job_of_a_sweep_goes_on_after_its_time_is_up(slurm: Path, config: Path, tmp_path: Path):
    pytest.importorskip("submitit")
    entries = yaml.safe_load(config.read_text())
    config.write_text(yaml.safe_dump(entries | {"num-batches": 200}))
    assert "submitted" in sweep(config, "--slurm-set", "time=60").stdout
    folders = [tmp_path / "runs" / f"seed-{seed}" for seed in (1, 2)]
    wait_until(lambda: all(rows(folder) > 2 for folder in folders))
    for task in (0, 1):
        fake_slurm.warn(f"100_{task}")
    wait_until(lambda: states(slurm) == {"COMPLETED"})
    for folder in folders:
        log = (folder / "train.log").read_text()
        assert "interrupted by SIG" in log
        assert rows(folder) == 200
        assert "meta-update 1/200" in log
        assert log.count("meta-update 1/200") == 1  # The second start went on.


@pytest.mark.parametrize(
    ("setting", "expected"),
    [("partitoin=gpu", "no setting 'partitoin'; did you mean 'partition'?"), ("time", "expected NAME=VALUE")],
)
def test_settings_that_slurm_does_not_have(slurm: Path, config: Path, setting: str, expected: str):
    pytest.importorskip("submitit")
    done = sweep(config, "--slurm-set", setting)
    assert done.returncode == 2
    assert expected in done.stderr
    assert states(slurm) == set()


def test_without_slurm(slurm: Path, config: Path, tmp_path: Path):
    pytest.importorskip("submitit")
    (tmp_path / "bin" / "srun").unlink()
    done = sweep(config)
    assert done.returncode == 2
    assert "--slurm: Could not detect" in done.stderr
