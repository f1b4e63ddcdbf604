"""Slurm's commands, as far as scripts use them, on one machine and with the signals that a real one sends.

`install` puts ``sbatch``, ``srun``, ``scontrol``, ``scancel`` and ``sacct`` into a folder for the path. A job
is a batch script, the first process of a session. Its processes are found by SLURM_JOB_ID, where a real Slurm
has control groups, and those of its steps by SLURM_STEP_ID. A job is sent:

* when a test calls `warn`, the signal of ``--signal``: to all processes of its steps, or, for ``B:``, to the
  batch shell alone;
* when a test calls `end`, as at the time limit, and at ``scancel``, SIGCONT and SIGTERM to all its processes;
* at ``scontrol requeue`` the same, and then it is begun again;
* at ``scancel --signal``, that signal, to the processes of its steps; with ``--batch``, to the batch shell;
* SIGKILL, 30 seconds after a SIGTERM, and, once the batch script has ended, to what is left.
"""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

COMMANDS = ("sbatch", "srun", "scontrol", "scancel", "sacct")
POLL = 0.05
KILL_WAIT = 30.0
NODES = "FAKE_SLURM_NODES"
"""Names of the nodes of a job, separated by commas."""
STATE = "FAKE_SLURM_STATE"
"""The folder of what is remembered from command to command."""


def install(folder: Path) -> dict[str, str]:
    """Write the commands into ``folder/bin``; return the environment in which they are found."""
    for name in COMMANDS:
        path = folder / "bin" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(
            f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {str(Path(__file__).parents[1])!r})\n"
            f"from tests import fake_slurm\nfake_slurm.{name}(sys.argv[1:])\n"
        )
        path.chmod(0o755)
    (folder / "jobs").mkdir()
    (folder / "asked").mkdir()
    return {"PATH": f"{folder / 'bin'}:{os.environ['PATH']}", STATE: str(folder / "jobs")}


def sbatch(arguments: list[str]) -> None:
    """Start the jobs of a script, and tell their number."""
    script = next(i for i, word in enumerate(arguments) if not word.startswith("-"))
    text = Path(arguments[script]).read_text()
    options = dict(
        word.removeprefix("--").partition("=")[::2]
        for word in [*re.findall(r"^#SBATCH (--\S+)", text, re.MULTILINE), *arguments[:script]]
    )
    number = 100 + len(list(state().iterdir()))
    for task in _array(options.get("array")):
        name = f"{number}" if task is None else f"{number}_{task}"
        _set_state(name, "PENDING")
        if os.fork() == 0:
            os.setsid()
            with Path(os.devnull).open("r+b") as nowhere:
                for descriptor in (0, 1, 2):
                    os.dup2(nowhere.fileno(), descriptor)
            while _queue().exists():
                time.sleep(POLL)
            _control(name, options, arguments[script:])
            os._exit(0)
    print(f"Submitted batch job {number}")


def srun(arguments: list[str]) -> None:
    """Become the command that a step runs, on the first node or on the one of --nodelist."""
    while arguments and arguments[0].startswith("-"):
        word = arguments.pop(0)
        if word in ("--output", "--error"):  # submitit's, with a value behind a blank.
            arguments.pop(0)
        if word.startswith(("--nodelist=", "-w=")):
            os.environ["SLURMD_NODENAME"] = word.partition("=")[2]
    os.environ["SLURM_STEP_ID"] = "0"
    os.execvp(arguments[0], arguments)


def scontrol(arguments: list[str]) -> None:
    """Do what ``requeue JOB`` and ``show hostnames NODES`` do."""
    if arguments[0] == "requeue":
        _set_state(_name(arguments[1]), "REQUEUED")
    elif arguments[:2] == ["show", "hostnames"]:
        print("\n".join(arguments[2].split(",")))
    else:
        sys.exit(f"scontrol: {arguments}")


def scancel(arguments: list[str]) -> None:
    """Send a job a signal; without --signal, end it."""
    named = [word for word in arguments if word.startswith("--signal=")]
    (name,) = (_name(word) for word in arguments if not word.startswith("-"))
    if named:
        number = getattr(signal, f"SIG{named[0].partition('=')[2].removeprefix('SIG')}")
        _send(name, number, "batch" if "--batch" in arguments else "steps")
    else:
        _set_state(name, "CANCELLED")


def sacct(_: list[str]) -> None:
    """Tell the states of all jobs."""
    print("JobID|State|NodeList")
    for path in sorted(state().iterdir()):
        print(f"{path.name}|{path.read_text()}|here")


def warn(job: str) -> None:
    """Send a job the signal of its --signal, as Slurm does some time before the job's time is up."""
    (state().parent / "asked" / f"{job}.warn").touch()


def end(job: str) -> None:
    """End a job whose time is up."""
    (state().parent / "asked" / f"{job}.end").touch()


@contextmanager
def full_queue() -> Iterator[None]:
    """Have jobs that are submitted meanwhile wait, as where others come first."""
    _queue().touch()
    try:
        yield
    finally:
        _queue().unlink()


def state() -> Path:
    """Return the folder with one file per job, which holds its state."""
    return Path(os.environ[STATE])


def _array(text: str | None) -> Iterator[int | None]:
    if text is None:
        yield None
        return
    for part in text.partition("%")[0].split(","):
        first, _, last = part.partition("-")
        yield from range(int(first), int(last or first) + 1)


def _set_state(name: str, text: str) -> None:
    """Write a job's state at once: no reader finds half of it."""
    new = state().parent / f"{name}.{os.getpid()}"
    new.write_text(text)
    new.replace(state() / name)


def _queue() -> Path:
    return state().parent / "full"


def _name(job: str) -> str:
    """Return the name of a job that is called by its name or by its number of one job."""
    if (state() / job).exists():
        return job
    return f"{int(job) // 1000}_{int(job) % 1000}"  # See `_environment`.


def _environment(name: str, restarts: int) -> dict[str, str]:
    number, _, task = name.partition("_")
    nodes = os.environ.get(NODES, "here")
    jobs = {"SLURM_JOB_ID": number}
    if task:  # Each job of an array has a number of its own too.
        jobs = {
            "SLURM_JOB_ID": str(int(number) * 1000 + int(task)),
            "SLURM_ARRAY_JOB_ID": number,
            "SLURM_ARRAY_TASK_ID": task,
        }
    return {
        **os.environ,
        **jobs,
        "SLURM_PROCID": "0",
        "SLURM_LOCALID": "0",
        "SLURM_NODEID": "0",
        "SLURM_NTASKS": "1",
        "SLURM_CPUS_PER_TASK": "1",
        "SLURM_JOB_NUM_NODES": str(nodes.count(",") + 1),
        "SLURM_JOB_NODELIST": nodes,
        "SLURM_RESTART_COUNT": str(restarts),
    }


def _control(name: str, options: Mapping[str, str], command: list[str]) -> None:
    """Run a job to its end, and again if it is requeued."""
    restarts = 0
    while True:
        _set_state(name, "RUNNING")
        environment = _environment(name, restarts)
        number, _, task = name.partition("_")
        output = options.get("output", "slurm-%j.out").replace("%A", number).replace("%a", task)
        log = Path(output.replace("%j", name).replace("%t", "0"))
        with log.open("ab") as file:
            process = subprocess.Popen(
                ["bash", *command], env=environment, stdin=subprocess.DEVNULL, stdout=file, stderr=file,
                start_new_session=True,
            )  # fmt: skip
        _watch(name, process, options.get("signal", ""))
        _send(name, signal.SIGKILL)
        if (state() / name).read_text() != "REQUEUED":
            break
        restarts += 1
    if (state() / name).read_text() == "RUNNING":
        _set_state(name, "FAILED" if process.returncode else "COMPLETED")


def _watch(name: str, process: "subprocess.Popen[bytes]", warning: str) -> None:
    """Send the job its signals until its batch script has ended."""
    ended: float | None = None
    while process.poll() is None:
        if _was_asked(name, "warn"):
            batch, _, rest = warning.rpartition(":")
            number = getattr(signal, f"SIG{rest.partition('@')[0].removeprefix('SIG')}")
            _send(name, number, "batch" if batch == "B" else "steps")
        if _was_asked(name, "end"):
            _set_state(name, "TIMEOUT")
        asked = (state() / name).read_text()
        if ended is None and asked != "RUNNING":
            ended = time.monotonic()
            _send(name, signal.SIGCONT)
            _send(name, signal.SIGTERM)
        if ended is not None and time.monotonic() - ended > KILL_WAIT:
            _send(name, signal.SIGKILL)
        time.sleep(POLL)


def _was_asked(name: str, what: str) -> bool:
    path = state().parent / "asked" / f"{name}.{what}"
    found = path.exists()
    path.unlink(missing_ok=True)
    return found


def _send(name: str, number: signal.Signals, part: str = "all") -> None:
    job = _environment(name, 0)["SLURM_JOB_ID"]
    for pid in processes(job, part):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def processes(job: str, part: str = "all") -> list[int]:
    """Return the processes of a job: all, those of its steps, or its batch shell."""
    found = []
    # Another test's Slurm, at the same time, has jobs of the same number.
    own = {f"SLURM_JOB_ID={job}".encode(), f"{STATE}={state()}".encode()}
    for folder in Path("/proc").iterdir():
        try:
            entries = (folder / "environ").read_bytes().split(b"\0") if folder.name.isdecimal() else []
            if not own <= set(entries):
                continue
            pid = int(folder.name)
            parts = {"all", "batch" if os.getsid(pid) == pid else ""}
        except OSError:
            continue
        if any(entry.startswith(b"SLURM_STEP_ID=") for entry in entries):
            parts = {"all", "steps"}
        if part in parts:
            found.append(pid)
    return found
