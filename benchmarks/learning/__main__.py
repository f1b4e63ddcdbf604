"""Does it learn? Training runs, and tests on unseen tasks; the results stay beside this file.

    python -m benchmarks.learning [NAME ...] [--seed SEED] [--runs FOLDER]

The short runs, if none is named. Those of a name with -2020 train a shipped config to its end, which takes
hours. A run that was interrupted goes on. For each it prints (and writes to results/NAME/seed-SEED/) what the
claims in the README rest on: the metrics of every meta-update and their curve, the effective config, what it
took, and the returns on 40 unseen tasks after 0 … 3 gradient steps of an untrained policy and of the trained
one.
"""

from pathlib import Path

from benchmarks.running import learn_each, parse_names

HERE = Path(__file__).parent

SHORT: dict[str, tuple[object, ...]] = {
    "tabular-mdp": ("--config", "configs/maml/tabular-mdp.yaml", "--num-batches", 100),
    "bandit-k5-n100": ("--config", "configs/maml/bandit/bandit-k5-n100.yaml"),
    "halfcheetah-dir": ("--config", "configs/maml/halfcheetah-dir.yaml", "--num-batches", 20),
}
WHOLE: dict[str, tuple[object, ...]] = {
    f"{name}-2020": ("--config", f"configs/maml/{name}.yaml")
    for name in ("2d-navigation", "halfcheetah-vel", "halfcheetah-dir", "ant-vel")
}
EXPERIMENTS = SHORT | WHOLE
"""Arguments of ``maml-rl train``, by name."""


def main() -> None:
    """Run the named experiments, or the short ones."""
    learn_each(parse_names(__doc__, EXPERIMENTS, list(SHORT), "learning"), EXPERIMENTS, HERE)


if __name__ == "__main__":
    main()
