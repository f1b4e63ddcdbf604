"""How noisy the inner gradients of a trained policy are, by the lambda of its advantages.

    python -m benchmarks.paper.noise TASK [ROW]

ROW is a folder of TASK with a trained policy; into it goes noise.csv. For one task of each kind, 60
independent batches of the trained size are sampled. *alike* is the mean cosine between a batch's gradient and
the mean of the other batches'; *direction* the cosine between the mean gradients with this lambda and with 1:
what the bias of a smaller lambda turns it by. Lambdas are compared on the same episodes.
"""

import argparse
import csv
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from benchmarks.paper.results import trained_row
from maml_rl.adaptation import GradientStep
from maml_rl.envs import Task
from maml_rl.losses import reinforce
from maml_rl.samplers import Recipe
from maml_rl.seeding import FIRST_EVALUATION
from maml_rl.stacked import stack_episodes
from maml_rl.training import Run, RunSettings, trained_run

KINDS: dict[str, tuple[Task, ...]] = {
    "cheetah-vel": ({"velocity": 0.4}, {"velocity": 1.6}),
    "cheetah-dir": ({"direction": 1}, {"direction": -1}),
}
LAMBDAS = (1.0, 0.98, 0.95, 0.9, 0.8)
BATCHES = 60
SEED = 77
"""Not of the test."""


def gradients(run: Run, theta: Tensor, task: Task, gae_lambda: float) -> Tensor:
    """Return the inner gradient of each batch, ``[BATCHES, P]``."""
    recipe = Recipe.of(run.config, scales=())
    recipe = replace(recipe, credit=replace(recipe.credit, gae_lambda=gae_lambda))
    # The same episodes each time.
    (batches,) = run.sampler.sample([task] * BATCHES, theta, recipe, FIRST_EVALUATION)
    descent = GradientStep(run.learner.adaptation.policy, reinforce, length=1.0)
    before = descent.start(theta, 1)
    return torch.cat([descent.step(before, stack_episodes([batch])) - before for batch in batches]).double()


def alike(batches: Tensor) -> float:
    """Return the mean cosine between each row and the mean of the others."""
    others = (batches.sum(0) - batches) / (len(batches) - 1)
    return torch.cosine_similarity(batches, others, dim=1).mean().item()


def measure(task: str, row: Path) -> list[list[str]]:
    """Return the table's lines."""
    lines: list[list[str]] = []
    with trained_run(row, RunSettings(SEED, num_workers=2)) as (run, theta):
        for kind in KINDS[task]:
            name = " ".join(f"{key} {value}" for key, value in kind.items())
            batches = {gae_lambda: gradients(run, theta, kind, gae_lambda) for gae_lambda in LAMBDAS}
            unbiased = batches[1.0].mean(0)
            for gae_lambda, each in batches.items():
                direction = torch.cosine_similarity(each.mean(0), unbiased, dim=0).item()
                lines.append([name, str(gae_lambda), f"{alike(each):.3f}", f"{direction:.3f}"])
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(KINDS))
    parser.add_argument("row", nargs="?", default="maml-1")
    arguments = parser.parse_args()
    row = trained_row(arguments.task, arguments.row)
    lines = measure(arguments.task, row)
    with (row / "noise.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["task", "gae_lambda", "alike", "direction"])
        writer.writerows(lines)
    print((row / "noise.csv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
