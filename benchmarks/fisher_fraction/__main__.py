"""Is as much learned with a part of the steps in the Fisher matrix? Training runs, kept beside this file.

    python -m benchmarks.fisher_fraction [NAME ...] [--seed SEED] [--runs FOLDER] [--device DEVICE]

Navigation is the paper's config, half-cheetah velocity its first 100 updates. A run that was interrupted goes
on. What an update takes is measured by ``python -m benchmarks.fisher_fraction.seconds``.
"""

from pathlib import Path

from benchmarks.running import learn_each, parse_names

HERE = Path(__file__).parent
FRACTIONS = {"whole": 1.0, "half": 0.5, "quarter": 0.25, "eighth": 0.125}
EXPERIMENTS: dict[str, tuple[object, ...]] = {
    f"{task}-{name}": (
        *("--config", f"configs/paper/{task}.yaml", "--num-batches", 100),
        *("--fisher-fraction", fraction),
    )
    for task in ("navigation", "cheetah-vel")
    for name, fraction in FRACTIONS.items()
}
"""Arguments of ``maml-rl train``, by name."""


def main() -> None:
    """Run the named experiments, or all."""
    learn_each(parse_names(__doc__, EXPERIMENTS, list(EXPERIMENTS), "fisher-fraction"), EXPERIMENTS, HERE)


if __name__ == "__main__":
    main()
