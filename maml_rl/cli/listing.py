"""``maml-rl envs`` and ``maml-rl configs``: what there is to choose from."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from gymnasium.envs.registration import EnvSpec

    from maml_rl.config import Config


@dataclass
class Envs:
    """List the environments: their tasks, spaces and keyword arguments."""

    def run(self) -> None:
        """Print one paragraph per environment."""
        from maml_rl.envs.making import registered

        for spec in registered():
            print(_described(spec))


@dataclass
class Configs:
    """List the configs that ship with maml_rl, for --config, and the trained policies, for test --policy."""

    def run(self) -> None:
        """Print one line per config, and one per policy."""
        from maml_rl.config import load_config
        from maml_rl.shipped import shipped_configs, shipped_policies

        rows = [("config", "environment", "tasks x episodes", "meta-updates", "policy")]
        rows += [_row(path, load_config(path)[0]) for path in shipped_configs()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for name in shipped_policies():
            print(f"policy  maml-rl://{name}")


def _described(spec: "EnvSpec") -> str:
    from maml_rl.envs import make_env
    from maml_rl.envs.making import shared_arguments

    env = make_env(spec)
    env.reset(seed=0)
    (task,) = env.unwrapped.sample_tasks(1)  # type: ignore[attr-defined]
    limit = "1 step" if spec.max_episode_steps is None else f"{spec.max_episode_steps} steps"
    kwargs = ", ".join(f"{name}={value}" for name, value in (shared_arguments(spec) or {}).items())
    lines = (
        spec.id,
        f"  task          {', '.join(_entry(key, value) for key, value in task.items())}",
        f"  observations  {env.observation_space}",
        f"  actions       {env.action_space}",
        f"  episode       at most {limit}",
        f"  env-kwargs    {kwargs}",
    )
    env.close()
    return "\n".join(lines) + "\n"


def _entry(key: str, value: Any) -> str:
    import numpy as np

    shape = np.shape(value)
    return f"{key} [{', '.join(map(str, shape))}]" if shape else f"{key} (a number)"


def _row(path: Path, config: "Config") -> tuple[str, str, str, str, str]:
    units = "x".join(map(str, config.hidden_sizes))
    here = Path.cwd()
    return (
        str(path.relative_to(here) if path.is_relative_to(here) else path),
        config.env_name,
        f"{config.meta_batch_size} x {config.fast_batch_size}",
        str(config.num_batches),
        f"{units} {config.nonlinearity}",
    )
