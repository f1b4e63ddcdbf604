"""``maml-rl envs``, ``methods``, ``policies`` and ``configs``: lists to choose from."""

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
        from maml_rl.envs.metaworld.names import COLLECTIONS, ENVIRONMENTS, ML1, NAMESPACE
        from maml_rl.envs.metaworld.package import INSTALL
        from maml_rl.envs.registry import registered

        for spec in registered():
            print(_described(spec))
        first, *others = (f"{NAMESPACE}/{name}" for name in (f"{ML1}-{ENVIRONMENTS[0]}", *COLLECTIONS))
        print(f"{first} ({len(ENVIRONMENTS)} environments), {', '.join(others)}")
        print(f"  Meta-World, which needs {INSTALL}\n")


@dataclass
class Methods:
    """List the methods of meta-learning, for the key metalearner, and the keys that are their own."""

    def run(self) -> None:
        """Print one paragraph per method."""
        from maml_rl.config.methods import METHODS

        for name, method in METHODS.items():
            print(f"{name}\n  {method.sentence}")
            for key, default, text in method.described_keys():
                print(f"  {key:20} {default:>7}  {text}")
            print()


@dataclass
class Policies:
    """List the policies, for the key policy, and what they take in policy-kwargs."""

    def run(self) -> None:
        """Print one paragraph per policy."""
        from maml_rl.policies.registry import MLP, MLP_KEYS, MODULES, policy_arguments, policy_class

        keys = ", ".join(key.replace("_", "-") for key in MLP_KEYS)
        print(
            f"{MLP}\n  A perceptron; its derivatives are closed forms, and so the fastest.\n  keys {keys}\n"
        )
        for name in MODULES:
            made = policy_class(name)
            arguments = (policy_arguments(made) or {}).items()
            print(f"{name}\n  {(made.__doc__ or '').partition(chr(10))[0]}")
            print(f"  policy-kwargs {', '.join(f'{key}={value}' for key, value in arguments)}\n")


@dataclass
class Configs:
    """List the configs that ship with maml_rl, for --config, and the trained policies, for test --policy."""

    def run(self) -> None:
        """Print one line per config, and one per policy."""
        from maml_rl.config import load_config
        from maml_rl.zoo import shipped_configs, shipped_policies

        rows = [("config", "method", "environment", "tasks x episodes", "meta-updates", "policy")]
        rows += [_row(path, load_config(path)[0]) for path in shipped_configs()]
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        for row in rows:
            print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        for name in shipped_policies():
            print(f"policy  maml-rl://{name}")


def _described(spec: "EnvSpec") -> str:
    from maml_rl.envs import make_env
    from maml_rl.envs.contract import draw_tasks
    from maml_rl.envs.registry import shared_arguments

    env = make_env(spec)
    env.reset(seed=0)
    (task,) = draw_tasks(env, 1)
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


def _row(path: Path, config: "Config") -> tuple[str, str, str, str, str, str]:
    perceptron = f"{'x'.join(map(str, config.hidden_sizes))} {config.nonlinearity}"
    here = Path.cwd()
    return (
        str(path.relative_to(here) if path.is_relative_to(here) else path),
        config.metalearner,
        config.env_name,
        f"{config.meta_batch_size} x {config.fast_batch_size}",
        str(config.num_batches),
        perceptron if config.policy == "mlp" else config.policy,
    )
