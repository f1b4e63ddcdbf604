"""``maml-rl check-env``."""

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any

import tyro

from maml_rl.errors import UsageError


@dataclass
class CheckEnv:
    """Try out whether an environment keeps what samplers rely on; exit code 1 if it does not."""

    env: Annotated[str, tyro.conf.Positional] = ""
    """Id of the environment, or package.module:EnvClass; if not given, the config's."""
    env_kwargs: dict[str, Any] = field(default_factory=dict)
    """Keyword arguments of the environment, as YAML: '{low: 0.0, high: 2.0}'; added to the config's."""
    env_copies: int | None = None
    """Copies of the environment that a process is to hold at most; one per episode if not given."""
    task_space: dict[str, Any] = field(default_factory=dict)
    """Ranges of its attributes to draw tasks from, as YAML: '{g: [5, 15], l: [0.5, 1.5]}'."""
    config: Path | None = None
    """Config file: check its environment as it is there, and say what an iteration would take."""

    def run(self) -> None:
        """Print a line for each finding; if no promise is broken, what the environment costs."""
        from maml_rl.config import load_config
        from maml_rl.envs.check import check_env
        from maml_rl.envs.cost import cost_of

        config = None if self.config is None else load_config(self.config)[0]
        env, copies = self.env or (config.env_name if config else ""), self.env_copies
        if not env:
            raise UsageError("expected an environment, or a --config that names one")
        arguments = {**self.env_kwargs, **({"task_space": self.task_space} if self.task_space else {})}
        if config is not None:
            if env != config.env_name:
                raise UsageError(f"--config {self.config} is of '{config.env_name}', not of '{env}'")
            arguments = {**config.env_arguments, **arguments}
            copies = config.env_copies if copies is None else copies
        findings = check_env(env, arguments, copies)
        for finding in findings:
            print(f"{'broken' if finding.breaks else 'advice'}: {finding.message}")
        if any(finding.breaks for finding in findings):
            sys.exit(1)
        cost = cost_of(env, arguments, copies)
        print(cost)
        if config is not None:
            print(cost.of_iteration(config))
        print("look at the advice: nothing else was found" if findings else "all that samplers rely on holds")
