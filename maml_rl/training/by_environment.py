"""Rates of success of each environment of a training batch."""

import math
from collections.abc import Sequence

from maml_rl.envs import Task
from maml_rl.envs.several import environment_names
from maml_rl.episode import BatchEpisodes, get_successes
from maml_rl.training.metrics import Metrics


def success_columns(environments: Sequence[str], num_steps: int) -> tuple[str, ...]:
    """Return the names of the rates, after 0, 1, … inner steps in each environment."""
    return tuple(f"success_{step}_{name}" for step in range(num_steps + 1) for name in environments)


def success_by_environment(
    rounds: Sequence[Sequence[BatchEpisodes]], tasks: Sequence[Task], environments: Sequence[str]
) -> Metrics:
    """Return the rates of a batch; NaN where an environment has no task in it, or nothing is told.

    Args:
        rounds: episodes after 0, 1, … inner steps, ``[round][task]``.
        environments: all that training draws from; empty if there is one alone.
    """
    names = environment_names(tasks)
    if not environments or names is None:
        return {}
    metrics = dict.fromkeys(success_columns(environments, len(rounds) - 1), math.nan)
    for step, episodes in enumerate(rounds):
        for name in dict.fromkeys(names):
            successes = get_successes(
                [batch for batch, of in zip(episodes, names, strict=True) if of == name]
            )
            if successes is not None and name in environments:
                metrics[f"success_{step}_{name}"] = float(successes.mean())
    return metrics
