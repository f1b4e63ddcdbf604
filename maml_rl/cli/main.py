"""``maml-rl COMMAND``: parse, dispatch, and turn a user's mistake into one line."""

import os
import signal
import sys
from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from maml_rl import __version__
from maml_rl._system.own_code import trusting
from maml_rl.cli.info import Info
from maml_rl.cli.interrupts import Interrupted, interruptible
from maml_rl.cli.listing import Configs, Envs, Methods, Policies
from maml_rl.cli.options import config_origin, registry
from maml_rl.cli.parser_errors import parser_errors_in_one_line
from maml_rl.cli.plot import Plot
from maml_rl.cli.render import Render
from maml_rl.cli.test import Test
from maml_rl.cli.train import Train
from maml_rl.errors import UsageError, WorkerError, out_of_memory, printable, shown

USAGE_ERROR = 2
SMALLER = (
    "try a smaller meta-batch-size, fast-batch-size, tasks-per-item or hidden-sizes, "
    "or train with --rebuild-graphs"
)
"""Advice for when memory is short."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command that ``arguments`` (by default the process's) name."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if list(arguments) == ["--version"]:
        print(f"maml-rl {__version__}")
        return
    try:
        # A config may be read, and so trusted, before the options are parsed.
        with trusting("--trust" in arguments), interruptible():
            _check_words(arguments)
            _parse(arguments).run()
    except UsageError as error:
        sys.exit(_complain(str(error), USAGE_ERROR))
    except (WorkerError, FloatingPointError) as error:
        sys.exit(_complain(str(error), 1))
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        sys.exit(_complain(f"out of memory: {str(error).partition(chr(10))[0]}; {SMALLER}", 1))
    except BrokenPipeError:  # Whoever read the output has seen enough, as "head" has.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except OSError as error:  # Of a path that no file system takes, wherever it is first used.
        if error.filename is None:
            raise
        sys.exit(_complain(f"'{printable(str(error.filename))}': {error.strerror}", USAGE_ERROR))
    except Interrupted as interruption:
        sys.exit(_complain("interrupted", interruption.exit_code))


def _check_words(arguments: Sequence[str]) -> None:
    for word in arguments:
        if "\0" in word:  # Only from Python.
            raise UsageError(f"{shown(word)}: expected no NUL")


def _parse(arguments: Sequence[str]) -> Any:
    origin = config_origin(arguments)
    train, test = Train.defaults(origin), Test.defaults(origin)
    training: Any = Annotated[type(train), tyro.conf.subcommand("train", default=train)]
    testing: Any = Annotated[type(test), tyro.conf.subcommand("test", default=test)]
    plot: Any = Annotated[Plot, tyro.conf.subcommand("plot")]
    info: Any = Annotated[Info, tyro.conf.subcommand("info")]
    envs: Any = Annotated[Envs, tyro.conf.subcommand("envs")]
    methods: Any = Annotated[Methods, tyro.conf.subcommand("methods")]
    policies: Any = Annotated[Policies, tyro.conf.subcommand("policies")]
    configs: Any = Annotated[Configs, tyro.conf.subcommand("configs")]
    render: Any = Annotated[Render, tyro.conf.subcommand("render")]
    with registry, parser_errors_in_one_line():
        return tyro.cli(
            training | testing | plot | render | info | envs | methods | policies | configs,
            args=arguments,
            prog="maml-rl",
            description="Meta-reinforcement learning: train, test and look at policies that adapt.",
            config=(tyro.conf.FlagCreatePairsOff,),
        )


def _complain(message: str, status: int) -> int:
    print(f"maml-rl: {message}", file=sys.stderr)
    return status
