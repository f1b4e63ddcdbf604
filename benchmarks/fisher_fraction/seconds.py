"""Seconds of a meta-update with parts of the steps in the Fisher matrix, in turns on the same episodes.

    python -m benchmarks.fisher_fraction.seconds

Writes ``results/seconds.csv``: medians, their ratios to the update with all steps, and the cosine between the
step that theta takes and that with all of them.
"""

import csv
from statistics import median

from torch.nn.functional import cosine_similarity

from benchmarks.fisher_fraction.__main__ import FRACTIONS, HERE
from benchmarks.running import machine
from benchmarks.speed.measure import take_turns
from benchmarks.speed.sampling import Sampling, shipped
from benchmarks.speed.updating import meta_update
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.training import Run, RunSettings

COLUMNS = ("task", "fraction", "seconds", "over_whole", "cosine")


def measure(task: str) -> list[tuple[str, float, str, str, str]]:
    """Return rows of `COLUMNS`."""
    config = shipped(f"paper/{task}")
    with Run(config, RunSettings(seed=1, num_workers=2)) as run:
        rounds, learner = Sampling(run).episodes(), run.learner
    updates = [
        meta_update(
            TrustRegionMAML(
                learner.adaptation.policy, config.model_copy(update={"fisher_fraction": fraction})
            ),
            rounds,
        )
        for fraction in FRACTIONS.values()
    ]
    times = take_turns(*updates)
    ratios = [median(x / y for x, y in zip(each, times[0], strict=True)) for each in times]
    steps = [update() - learner.init().theta for update in updates]
    cosines = [cosine_similarity(step, steps[0], dim=0).item() for step in steps]
    return [
        (task, fraction, f"{median(each):.3f}", f"{ratio:.2f}", f"{cosine:.3f}")
        for fraction, each, ratio, cosine in zip(FRACTIONS.values(), times, ratios, cosines, strict=True)
    ]


def main() -> None:
    """Measure, print and write."""
    rows = [row for task in ("navigation", "cheetah-vel") for row in measure(task)]
    results = HERE / "results"
    results.mkdir(exist_ok=True)
    with (results / "seconds.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows)
    (results / "machine.txt").write_text(machine() + "\n", encoding="utf-8")
    print((results / "seconds.csv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
