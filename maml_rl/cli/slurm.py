"""Runs of a sweep as jobs of Slurm, by way of submitit: an extra, which this file alone imports."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from maml_rl._system.files import write_atomically
from maml_rl._system.reading import read_regular
from maml_rl._system.yaml_file import parse_yaml
from maml_rl.cli.side_by_side import training_command
from maml_rl.errors import UsageError, did_you_mean, shown
from maml_rl.training.sweep import LOG, PlannedRun

ACTIVE = ("PENDING", "CONFIGURING", "RUNNING", "REQUEUED", "RESIZING", "SUSPENDED", "COMPLETING")
"""States of jobs that are not to be submitted again."""
JOBS = "jobs.json"
"""The newest job of each run, by the run's name, in submitit's folder."""
MOST_TIMEOUTS = 10_000
"""How often a job whose time is up is begun again: as often as need be."""
PATIENCE = 120.0
"""Seconds that a job waits for Slurm to end it or begin it again, after a signal has ended its run."""


class TrainingJob:
    """A run in a job. Where the job's time is up or it is preempted, submitit begins it again and it goes on.

    Args:
        command: command line of the run.
        log: file for what it prints.
    """

    def __init__(self, command: Sequence[str], log: Path):
        self._command, self._log = list(command), log
        self._process: subprocess.Popen[bytes] | None = None

    def __call__(self) -> None:
        """Train until the run is done.

        Raises:
            RuntimeError: it failed.
        """
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log)
        code = self._process.wait()
        if code > 128:  # Slurm's signal has reached the run too; its next one is this process's.
            time.sleep(PATIENCE)
        if code:
            raise RuntimeError(f"the run failed with exit code {code}; log: {self._log}")

    def checkpoint(self) -> Any:
        """Have the run save a checkpoint and end; return what is to be done when the job begins again."""
        from submitit.helpers import DelayedSubmission

        if self._process is not None and self._process.returncode is None:
            # This runs in a signal handler, amid a wait() that holds a lock: another wait() would never end.
            with suppress(ChildProcessError, ProcessLookupError):
                os.kill(self._process.pid, signal.SIGTERM)
                os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
        return DelayedSubmission(TrainingJob(self._command, self._log))


def submit(runs: Sequence[PlannedRun], options: Sequence[str], folder: Path, settings: Sequence[str]) -> None:
    """Submit, as one array, those runs that no job of an earlier call is about to do.

    Args:
        options: of ``maml-rl train`` for all runs.
        folder: for submitit's files.
        settings: of the jobs, each as ``partition=gpu``.

    Raises:
        UsageError: submitit or Slurm is missing, a setting is wrong, or Slurm refuses the jobs.
    """
    try:
        import submitit
    except ImportError:
        raise UsageError("--slurm needs submitit: pip install submitit") from None
    try:
        executor = submitit.SlurmExecutor(folder, max_num_timeout=MOST_TIMEOUTS)
        executor.update_parameters(**{"job_name": "maml-rl", **_parameters(settings)})
    except RuntimeError as error:  # "Could not detect srun".
        raise UsageError(f"--slurm: {error}") from None
    jobs = _read_jobs(folder / JOBS)
    active = _active(folder, [jobs[run.name] for run in runs if run.name in jobs])
    waiting = [run for run in runs if jobs.get(run.name) not in active]
    if len(waiting) < len(runs):
        print(f"{len(runs) - len(waiting)} runs have a job already")
    if not waiting:
        return
    try:
        with executor.batch():
            submitted = [
                executor.submit(TrainingJob(training_command(run, options), run.folder / LOG))
                for run in waiting
            ]
    except submitit.core.utils.FailedJobError as error:
        raise UsageError(f"--slurm: Slurm refused the jobs: {error}") from None
    jobs |= {run.name: job.job_id for run, job in zip(waiting, submitted, strict=True)}
    text = json.dumps(jobs, indent=2) + "\n"
    write_atomically(folder / JOBS, lambda file: file.write(text.encode()))
    first = submitted[0].job_id.partition("_")[0]
    print(f"{len(waiting)} runs are submitted as job {first}; --show tells how far they are")


def _parameters(settings: Sequence[str]) -> dict[str, Any]:
    """Return the settings as submitit takes them, by name; values are YAML.

    Raises:
        UsageError: one has no value, or submitit knows none of that name.
    """
    from submitit.slurm.slurm import _get_default_parameters

    known = _get_default_parameters()
    parameters: dict[str, Any] = {}
    for text in settings:
        name, equals, value = text.partition("=")
        name = name.strip().replace("-", "_")
        if name not in known:
            raise UsageError(f"slurm-set: no setting '{name}'{did_you_mean(name, known)}")
        try:
            parameters[name] = parse_yaml(value)
        except ValueError:
            parameters[name] = None
        if not equals or parameters[name] is None:
            raise UsageError(f"slurm-set: expected NAME=VALUE, as partition=gpu, got {shown(text)}")
    return parameters


def _read_jobs(path: Path) -> dict[str, str]:
    try:
        jobs = json.loads(read_regular(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(f"cannot read '{path}': {error}") from None
    if not isinstance(jobs, Mapping):
        raise UsageError(f"'{path}' does not hold the jobs of a sweep: remove it")
    return {str(name): str(job) for name, job in jobs.items()}


def _active(folder: Path, jobs: Collection[str]) -> set[str]:
    """Return the jobs that wait or run."""
    import submitit

    active = set()
    for number, job in enumerate(jobs):  # The first question is about all jobs of its array.
        info = submitit.SlurmJob(folder=folder, job_id=job).get_info("force" if not number else "standard")
        if info.get("State", "").startswith(ACTIVE):
            active.add(job)
    return active
