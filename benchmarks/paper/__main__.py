"""A row of the paper's figures: train, test on the paper's 40 tasks by its protocol, keep the results.

    python -m benchmarks.paper TASK [--method METHOD] [--seed SEED] [--runs FOLDER]

TASK is the name of a config in configs/paper. A run that was interrupted goes on. Into TASK/METHOD-SEED
beside this file go config, metrics, the test's table and picture, policy, and what it took (machine.json).
"""

import argparse
import json
from pathlib import Path

from benchmarks.paper.held_out import tasks_file
from benchmarks.paper.methods import HERE, METHODS, TASKS
from benchmarks.paper.table import comparison
from benchmarks.running import ROOT, keep, maml_rl, note_cost, train
from maml_rl.config import load_config

TEST_SEED = 2
"""Of the test's episodes."""


def reproduce(task: str, method: str, seed: int, run: Path) -> None:
    """Train (or go on) if there is anything to train, test, and keep the results."""
    target = HERE / task / f"{method}-{seed}"
    settings = config_options(task, method)
    policy: list[object] = [*settings, "--policy", "random"]
    if METHODS[method].trained:
        train(run, seed, settings)
        keep(run, target, ["metrics.csv", "policy.th"])
        note_cost(run, target)
        policy = ["--config", run / "config.json", "--policy", run / "policy.th"]
    target.mkdir(parents=True, exist_ok=True)
    tested = ("--seed", TEST_SEED, "--output", target / "test.npz", "--overwrite")
    maml_rl("test", *policy, *test_options(task, method), *tested)


def config_options(task: str, method: str) -> list[object]:
    """Return the config of a task, and the changes that make it the method's."""
    path = Path("configs", "paper", f"{task}.yaml")
    config, _ = load_config(ROOT / path)
    options: list[object] = ["--config", path]
    for name, value in METHODS[method].changes.items():
        options += [f"--{name.replace('_', '-')}", value]
    if METHODS[method].env_kwargs:
        options += ["--env-kwargs", json.dumps({**config.env_kwargs, **METHODS[method].env_kwargs})]
    return options


def test_options(task: str, method: str) -> list[object]:
    """Return how a method's policy is tested."""
    options: list[object] = ["--tasks", tasks_file(task).relative_to(ROOT)]
    options += ["--fast-batch-size", TASKS[task].test_episodes]
    if method in TASKS[task].first_steps:
        options += ["--fast-lr", TASKS[task].first_steps[method]]
    if TASKS[task].gae_lambda is not None:
        options += ["--gae-lambda", TASKS[task].gae_lambda]
    if not METHODS[method].adapts:
        return [*options, "--num-steps", 0]
    return [*options, "--num-steps", 3, "--step-size-schedule", *TASKS[task].schedule]


def main() -> None:
    """Do one row, and print the task's rows beside the published ones."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(TASKS))
    parser.add_argument("--method", choices=list(METHODS), default="maml")
    parser.add_argument("--seed", type=int, default=1, help="of training")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "paper", help="where the whole runs go")
    arguments = parser.parse_args()
    run = arguments.runs / f"{arguments.task}-{arguments.method}-{arguments.seed}"
    reproduce(arguments.task, arguments.method, arguments.seed, run)
    print(comparison(arguments.task))


if __name__ == "__main__":
    main()
