"""What do the methods reach? Training runs, and tests on unseen tasks; the results stay beside this file.

    python -m benchmarks.metalearners NAME [NAME ...] [--seed SEED] [--runs FOLDER]

A run that was interrupted goes on. For each it keeps in results/NAME/seed-SEED the metrics of every
meta-update and their curve, the effective config, what it took, and the returns on 40 unseen tasks after
0 … 3 steps of an untrained policy and of the trained one.
"""

from pathlib import Path

from benchmarks.running import learn_each, parse_names
from maml_rl.config.methods import DEFAULT_METHOD, METHODS

HERE = Path(__file__).parent
OTHERS = [method for method in METHODS if method != DEFAULT_METHOD]
EXPERIMENTS: dict[str, tuple[object, ...]] = {
    "maml-trpo-navigation": ("--config", "configs/paper/navigation.yaml"),
    **{f"{method}-navigation": ("--config", f"configs/{method}/navigation.yaml") for method in OTHERS},
    "promp-halfcheetah-dir": ("--config", "configs/promp/halfcheetah-dir.yaml"),
}
"""Arguments of ``maml-rl train``, by name."""


def main() -> None:
    """Run the named experiments."""
    learn_each(parse_names(__doc__, EXPERIMENTS, [], "metalearners"), EXPERIMENTS, HERE)


if __name__ == "__main__":
    main()
