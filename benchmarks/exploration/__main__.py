"""Total reward over n episodes of an unseen bandit or MDP: MAML beside other strategies.

    python -m benchmarks.exploration [NAME ...] [--seed SEED] [--runs FOLDER]

A NAME is ``k5-n10`` (a bandit of 5 arms, 10 pulls) or ``mdp-n10`` (10 episodes of 10 steps); all, if none is
named. MAML is trained by the config of that name (a run that was interrupted goes on) with n episodes
before and after its gradient step. In the test the n episodes are all that there is: they are divided evenly
between its gradient steps, of the number and size that gain most on other tasks. Into results/NAME go its
config and metrics and ``totals.csv``.
"""

import csv
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.exploration import bandits, mdps
from benchmarks.exploration.settings import HERE, SETTINGS, Setting
from benchmarks.running import keep, parse_names, train
from maml_rl.config import load_config
from maml_rl.evaluation import evaluate
from maml_rl.statistics import standard_error
from maml_rl.training import RunSettings, trained_run

TASKS = 1000
TEST_SEED, VALIDATION_SEED = 2, 77
GRADIENT_STEPS, FACTORS = (1, 4, 9), (1, 3)
"""Their numbers, and multiples of the trained step size, to choose from."""
HORIZON, STATES, ACTIONS = 10, 10, 5
"""Of the MDPs."""
Array = bandits.Array


def strategies(setting: Setting) -> dict[str, Array]:
    """Return the total reward of the strategies that need no training, ``[TASKS]`` each."""
    rng = np.random.default_rng(TEST_SEED)
    if setting.arms:
        play = partial(bandits.total_rewards, means=rng.random((TASKS, setting.arms)), pulls=setting.episodes)
        indices = {
            "random": bandits.uniformly,
            "Thompson sampling": bandits.thompson,
            "UCB1": bandits.ucb1,
            "Gittins": bandits.gittins(setting.episodes),
        }
        return {name: play(index, rng=rng) for name, index in indices.items()}
    transitions = rng.dirichlet(np.ones(STATES), (TASKS, STATES, ACTIONS))
    rewards_mean = rng.normal(1.0, 1.0, (TASKS, STATES, ACTIONS))
    plans = {"random": mdps.uniformly, "PSRL": mdps.posterior_sampling, "greedy": mdps.greedily}
    return {
        name: mdps.total_rewards(plan, transitions, rewards_mean, setting.episodes, HORIZON, rng)
        for name, plan in plans.items()
    }


def maml(setting: Setting, seed: int, run: Path) -> dict[str, Array]:
    """Train (or go on), and return total rewards on unseen tasks, ``[TASKS]`` each."""
    options = ("--config", f"configs/maml/{setting.config}.yaml", "--fast-batch-size", setting.episodes)
    train(run, seed, options)
    n = setting.episodes
    # A gradient on a single episode is 0.
    numbers = [steps for steps in GRADIENT_STEPS if n % (steps + 1) == 0 and n > steps + 1]
    config: Any = load_config(run / "config.json")[0]
    trained = config.fast_lr
    choices = [(steps, factor * trained) for steps in numbers for factor in FACTORS]

    def counted(choice: tuple[int, float], test_seed: int) -> Array:
        return totals(run, n // (choice[0] + 1), *choice, test_seed).sum(0)

    steps, size = max(choices, key=lambda choice: counted(choice, VALIDATION_SEED).mean())
    before, after = totals(run, n, 1, trained, TEST_SEED)
    return {
        f"MAML, {steps} steps of {size:g}": counted((steps, size), TEST_SEED),
        "MAML, n episodes before a step": before,
        "MAML, n more after it": after,
    }


def totals(folder: Path, episodes: int, steps: int, size: float, seed: int) -> Array:
    """Return the total reward of ``episodes`` before and after each gradient step, ``[steps + 1, TASKS]``."""
    changes: dict[str, Any] = {"num_batches": 10, "meta_batch_size": TASKS // 10}
    changes |= {"fast_batch_size": episodes, "num_steps": steps, "fast_lr": size}
    with trained_run(folder, RunSettings(seed, num_workers=2), **changes) as (run, theta):
        return evaluate(run, theta).returns.sum(2).astype(np.float64)


def write_totals(path: Path, gained: dict[str, Array]) -> None:
    """Write mean and standard error over tasks, a row per strategy, beside those that are there already."""
    rows: dict[str, Sequence[object]] = {}
    if path.exists():
        with path.open(newline="", encoding="utf-8") as file:
            _, *known = csv.reader(file)
        rows = {name: numbers for name, *numbers in known}
    for name, values in gained.items():
        error = f"{standard_error(values):.2f}" if len(values) > 1 else ""  # An expectation has none.
        rows[name] = (len(values) if error else "", f"{values.mean():.2f}", error)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("strategy", "tasks", "mean_total", "standard_error"))
        writer.writerows((name, *numbers) for name, numbers in rows.items())


def main() -> None:
    """Do the named settings, or all."""
    arguments = parse_names(__doc__, SETTINGS, list(SETTINGS), "exploration")
    for name in arguments.names:
        setting, run = SETTINGS[name], arguments.runs / f"{name}-{arguments.seed}"
        gained = strategies(setting) | maml(setting, arguments.seed, run)
        target = HERE / "results" / name
        keep(run, target, ["metrics.csv"])
        write_totals(target / "totals.csv", gained)
        print((target / "totals.csv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
