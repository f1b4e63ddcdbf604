"""Seconds of a meta-update with parts of the episodes in the Fisher matrix, in turns on the same episodes.

    python -m benchmarks.fisher_fraction.seconds

Writes ``results/seconds.csv``: medians, and their ratios to the update with all episodes.
"""

import csv
from statistics import median

from benchmarks.fisher_fraction.__main__ import FRACTIONS, HERE
from benchmarks.running import machine
from benchmarks.speed.measure import take_turns
from benchmarks.speed.sampling import Sampling, shipped
from benchmarks.speed.updating import meta_update
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.training import Run, RunSettings


def measure(task: str) -> list[tuple[str, float, str, str]]:
    """Return rows of task, fraction, seconds, and seconds over those of the whole."""
    config = shipped(f"paper/{task}")
    with Run(config, RunSettings(seed=1, num_workers=2)) as run:
        rounds, policy = Sampling(run).episodes(), run.learner.adaptation.policy
    updates = [
        meta_update(TrustRegionMAML(policy, config.model_copy(update={"fisher_fraction": fraction})), rounds)
        for fraction in FRACTIONS.values()
    ]
    times = take_turns(*updates)
    ratios = [median(x / y for x, y in zip(each, times[0], strict=True)) for each in times]
    return [
        (task, fraction, f"{median(each):.3f}", f"{ratio:.2f}")
        for fraction, each, ratio in zip(FRACTIONS.values(), times, ratios, strict=True)
    ]


def main() -> None:
    """Measure, print and write."""
    rows = [row for task in ("navigation", "cheetah-vel") for row in measure(task)]
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    with (results / "seconds.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("task", "fraction", "seconds", "over_whole"))
        writer.writerows(rows)
    (results / "machine.txt").write_text(machine() + "\n", encoding="utf-8")
    print((results / "seconds.csv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
