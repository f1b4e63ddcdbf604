"""``maml-rl COMMAND``: run the command, and turn a user's mistake into one line."""

import sys
from collections.abc import Sequence

from maml_rl._system.own_code import trusting
from maml_rl.cli.interrupts import Interrupted, interruptible
from maml_rl.cli.output import OutputLostError, discard, lossy_output
from maml_rl.errors import RunsFailedError, UsageError, WorkerError, out_of_memory, printable, shown

USAGE_ERROR = 2
BROKEN_PIPE = 141
"""Exit code that shells give for SIGPIPE, which not every system has."""
SMALLER = (
    "try a smaller meta-batch-size, fast-batch-size, tasks-per-item or hidden-sizes, "
    "or train with --rebuild-graphs"
)
"""Advice for when memory is short."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` (by default the process's) name."""
    with interruptible():
        try:
            with lossy_output():
                _run(sys.argv[1:] if arguments is None else arguments)
        except UsageError as error:
            sys.exit(_complain(str(error), USAGE_ERROR))
        except (WorkerError, FloatingPointError, OutputLostError, RunsFailedError) as error:
            sys.exit(_complain(str(error), 1))
        except (MemoryError, RuntimeError) as error:
            if not out_of_memory(error):
                raise
            sys.exit(_complain(f"out of memory: {str(error).partition(chr(10))[0]}; {SMALLER}", 1))
        except BrokenPipeError:  # Whoever read the output has seen enough, as "head" has.
            discard(sys.stdout)
            sys.exit(BROKEN_PIPE)
        except OSError as error:  # Of a path that no file system takes, wherever it is first used.
            if error.filename is None:
                raise
            sys.exit(_complain(f"'{printable(str(error.filename))}': {error.strerror}", USAGE_ERROR))
        except Interrupted as interruption:
            sys.exit(_complain(str(interruption), interruption.exit_code))


def _run(arguments: Sequence[str]) -> None:
    if list(arguments) == ["--version"]:
        from maml_rl import __version__

        print(f"maml-rl {__version__}")
        return
    for word in arguments:
        if "\0" in word:  # Only from Python.
            raise UsageError(f"{shown(word)}: expected no NUL")
    # Imported here, for it takes long, and a signal that comes meanwhile is to be heard quietly.
    from maml_rl.cli.parser import parse

    with trusting("--trust" in arguments):  # A config may be read before the options are parsed.
        parse(arguments).run()


def _complain(message: str, status: int) -> int:
    with lossy_output():
        print(f"maml-rl: {message}", file=sys.stderr)
    return status
