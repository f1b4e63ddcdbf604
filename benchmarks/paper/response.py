"""How fast the half-cheetah runs for each goal velocity, before and after gradient steps.

    python -m benchmarks.paper.response [ROW]

ROW is a folder of cheetah-vel with a trained policy; into it go response.csv and response.png. Goals are on a
grid, otherwise it is the test of `benchmarks.paper`.
"""

import argparse
import csv
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.paper.methods import TASKS
from benchmarks.paper.results import trained_row
from maml_rl.envs import Task
from maml_rl.episode import BatchEpisodes
from maml_rl.evaluation import sample_adaptation, step_scales
from maml_rl.training import RunSettings, trained_run
from maml_rl.viz.style import new_figure, save_figure

GOALS = np.linspace(0.05, 1.95, 20)
SECONDS_PER_STEP = 0.01
SEED = 77
"""Not of the test."""


def velocities(row: Path) -> NDArray[np.float64]:
    """Return mean velocities in the second half of the episodes, m/s, ``[steps + 1, GOALS]``."""
    task = TASKS["cheetah-vel"]
    settings = RunSettings(SEED, num_workers=2)
    with trained_run(row, settings, fast_batch_size=task.test_episodes) as (run, theta):
        scales = step_scales(len(task.schedule), task.schedule)
        goals: list[Task] = [{"velocity": goal} for goal in GOALS]
        rounds = sample_adaptation(run, theta, goals, scales)
    return np.array([[late_velocity(episodes) for episodes in tasks] for tasks in rounds])


def late_velocity(episodes: BatchEpisodes) -> float:
    """Return the mean velocity in the second half, m/s."""
    x = episodes.observations[..., -3].numpy()  # Centre of mass.
    half = len(x) // 2
    return float((x[-1] - x[half]).mean() / ((len(x) - 1 - half) * SECONDS_PER_STEP))


def write(row: Path, reached: NDArray[np.float64]) -> None:
    """Write the table and the picture."""
    names = [f"after {step} step{'s' * (step != 1)}" for step in range(len(reached))]
    with (row / "response.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(["goal", *names])
        writer.writerows([f"{x:.3f}" for x in line] for line in zip(GOALS, *reached, strict=True))
    figure = new_figure(5, 4)
    ax = figure.subplots()
    ax.plot(GOALS, GOALS, ":", color="black", label="goal")
    for name, line in zip(names, reached, strict=True):
        ax.plot(GOALS, line, ".-", label=name)
    ax.set(xlabel="goal velocity (m/s)", ylabel="velocity in the second half (m/s)")
    ax.grid(alpha=0.25)
    ax.legend(frameon=False)
    save_figure(figure, row / "response.png")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("row", nargs="?", default="maml-1")
    row = trained_row("cheetah-vel", parser.parse_args().row)
    write(row, velocities(row))
    print((row / "response.csv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
