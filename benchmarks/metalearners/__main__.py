"""What do the methods reach? Training runs, and tests on unseen tasks; the results stay beside this file.

    python -m benchmarks.metalearners [NAME ...] [--seed SEED] [--runs FOLDER] [--device DEVICE]

A run that was interrupted goes on. For each it keeps in results/NAME/seed-SEED the metrics of every
meta-update and their curve, the effective config, what it took, and the returns on 40 unseen tasks after
0 … 3 steps of an untrained policy and of the trained one. Where the MAML paper has the tasks,
test-paper-tasks.csv is of its 40, by its protocol; test-corners.csv has the returns towards each corner.
"""

import csv
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paper.__main__ import test_options
from benchmarks.paper.held_out import tasks_file
from benchmarks.paper.methods import TASKS
from benchmarks.running import learn_each, parse_names, test_policy
from maml_rl.config import load_config
from maml_rl.config.methods import DEFAULT_METHOD, METHODS

HERE = Path(__file__).parent
OTHERS = [method for method in METHODS if method not in (DEFAULT_METHOD, "rl2")]
WITH_REGION = (DEFAULT_METHOD, "fomaml-trpo", "e-maml", "anil")
WITH_ADAM = ("promp", "maml-ppo")
CORNERS = ("--config", "configs/maml/navigation-corners.yaml")
DIRECTION = ("--config", "configs/paper/cheetah-dir.yaml", "--metalearner")
# The robot, horizon, network and region of Rothfuss et al. 2019, and the env steps that ProMP needs.
HORIZON_100 = (
    *("--config", "configs/paper/cheetah-dir.yaml", "--num-batches", 250, "--max-kl", 0.01),
    *("--env-name", "HalfCheetahDir-v2", "--env-kwargs", "{max_episode_steps: 100}"),
    *("--hidden-sizes", 64, 64, "--nonlinearity", "tanh", "--init-gain", 1.0, "--metalearner"),
)
VELOCITY = ("--config", "configs/paper/cheetah-vel.yaml", "--num-batches", 200, "--metalearner")
EXPERIMENTS: dict[str, tuple[object, ...]] = {
    "maml-trpo-navigation": ("--config", "configs/paper/navigation.yaml"),
    **{f"{method}-navigation": ("--config", f"configs/{method}/navigation.yaml") for method in OTHERS},
    "maml-trpo-corners": CORNERS,
    "maml-trpo-likelihood-ratio-corners": (*CORNERS, "--inner-loss", "likelihood-ratio"),
    "e-maml-corners": (*CORNERS, "--metalearner", "e-maml"),
    "promp-corners": ("--config", "configs/promp/navigation-corners.yaml"),
    **{
        f"{method}-cheetah-vel": (*VELOCITY, method)
        for method in (DEFAULT_METHOD, "e-maml", "anil", "meta-sgd")
    },
    "maml-trpo-3-steps-cheetah-vel": (*VELOCITY, DEFAULT_METHOD, "--num-steps", 3),
    # Step size and size of the context are those of Zintgraf et al. 2019.
    "cavia-cheetah-vel": (*VELOCITY, "cavia", "--context-size", 50, "--fast-lr", 10),
    **{f"{method}-cheetah-dir": (*DIRECTION, method) for method in WITH_REGION},
    **{f"{method}-halfcheetah-dir": (*HORIZON_100, method) for method in WITH_REGION},
    **{
        f"{method}-{task}": ("--config", f"configs/{method}/{task}.yaml")
        for method in WITH_ADAM
        for task in ("cheetah-dir", "halfcheetah-dir")
    },
    "rl2-cheetah-vel": ("--config", "configs/rl2/cheetah-vel.yaml"),
    "rl2-cheetah-dir": ("--config", "configs/rl2/cheetah-dir.yaml"),
}
"""Arguments of ``maml-rl train``, by name."""


def main() -> None:
    """Run the named experiments, or all."""
    arguments = parse_names(__doc__, EXPERIMENTS, list(EXPERIMENTS), "metalearners")
    learn_each(arguments, EXPERIMENTS, HERE)
    for name in arguments.names:
        run = arguments.runs / f"{name}-{arguments.seed}"
        target = HERE / "results" / name / f"seed-{arguments.seed}"
        test_on_paper_tasks(name, run, target)
        if name.endswith("-corners"):
            test_by_corner(run, target)


def test_on_paper_tasks(name: str, run: Path, target: Path) -> None:
    """Test the policy of a run on the MAML paper's tasks, if it has such."""
    for task in TASKS:
        if name.endswith(f"-{task}"):
            results, options = target / "test-paper-tasks.npz", test_options(task, "maml")
            config: Any = load_config(run / "config.json")[0]
            if config.metalearner == "rl2":  # Four episodes of a trial, where others take three steps.
                options = ["--tasks", tasks_file(task), "--fast-batch-size", 20, "--num-steps", 3]
            elif config.num_steps > 1:  # Steps that were trained are taken as they were.
                options[-len(TASKS[task].schedule) :] = (1.0,) * config.num_steps
            test_policy(run, results, *options)
            results.unlink()  # The CSV has the numbers.


def test_by_corner(run: Path, target: Path) -> None:
    """Test a run on the tasks of its test.csv, and write the mean returns towards each corner."""
    results = target / "test-corners.npz"
    test_policy(run, results, "--num-batches", 1, "--meta-batch-size", 40, "--num-steps", 3)
    with np.load(results) as tested:
        goals, returns = tested["task_goal"], tested["returns"].mean(-1)
    with results.with_suffix(".csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["x", "y", "tasks", *(f"return_{step}" for step in range(len(returns)))])
        for corner in np.unique(goals, axis=0):
            there = (goals == corner).all(1)
            writer.writerow([*corner, there.sum(), *returns[:, there].mean(1).round(3)])
    results.unlink()


if __name__ == "__main__":
    main()
