"""The parser of all commands."""

from collections.abc import Sequence
from typing import Annotated, Any

import tyro

from maml_rl.cli.check_env import CheckEnv
from maml_rl.cli.compare import Compare
from maml_rl.cli.info import Info
from maml_rl.cli.listing import Configs, Envs, Methods, Policies
from maml_rl.cli.options import config_origin, registry
from maml_rl.cli.parser_errors import parser_errors_in_one_line
from maml_rl.cli.plot import Plot
from maml_rl.cli.render import Render
from maml_rl.cli.report import Report
from maml_rl.cli.sweep import Sweep
from maml_rl.cli.test import Test
from maml_rl.cli.train import Train


def parse(arguments: Sequence[str]) -> Any:
    """Return the command that ``arguments`` spell, with its options.

    Raises:
        UsageError: they spell none, or the config that they name cannot be read.
    """
    origin = config_origin(arguments)
    train, test = Train.defaults(origin), Test.defaults(origin)
    training: Any = Annotated[type(train), tyro.conf.subcommand("train", default=train)]
    testing: Any = Annotated[type(test), tyro.conf.subcommand("test", default=test)]
    plot: Any = Annotated[Plot, tyro.conf.subcommand("plot")]
    sweep: Any = Annotated[Sweep, tyro.conf.subcommand("sweep")]
    compare: Any = Annotated[Compare, tyro.conf.subcommand("compare")]
    info: Any = Annotated[Info, tyro.conf.subcommand("info")]
    envs: Any = Annotated[Envs, tyro.conf.subcommand("envs")]
    methods: Any = Annotated[Methods, tyro.conf.subcommand("methods")]
    policies: Any = Annotated[Policies, tyro.conf.subcommand("policies")]
    configs: Any = Annotated[Configs, tyro.conf.subcommand("configs")]
    render: Any = Annotated[Render, tyro.conf.subcommand("render")]
    report: Any = Annotated[Report, tyro.conf.subcommand("report")]
    check_env: Any = Annotated[CheckEnv, tyro.conf.subcommand("check-env")]
    working = training | testing | sweep | compare | plot | render | report
    telling = info | check_env | envs | methods | policies | configs
    # Without a help, tyro looks for one in the source of the typing module.
    described: Any = Annotated[working | telling, tyro.conf.arg(help="What to do.")]
    with registry, parser_errors_in_one_line():
        return tyro.cli(
            described,
            args=arguments,
            prog="maml-rl",
            description="Meta-reinforcement learning: train, test and look at policies that adapt.",
            config=(tyro.conf.FlagCreatePairsOff,),
        )
