"""Compare two methods on the same unseen tasks, over a few seeds each.

Two seeds and a few meta-updates show how it is done, and not which method is better. ``maml-rl compare``
makes such a table of runs in folders, and with ``--output`` a picture; ``maml-rl report`` one page of all.
"""

from pathlib import Path

import numpy as np

from maml_rl import Run, RunSettings, evaluate, load_config, train
from maml_rl.evaluation.comparison import Comparison

CONFIGS = Path(__file__).parents[1] / "configs"
METHODS = {"maml-trpo": "paper/navigation.yaml", "promp": "promp/navigation.yaml"}
SEEDS = (1, 2)
TEST_SEED = 7
SMALL = {"num_batches": 6, "meta_batch_size": 8, "fast_batch_size": 8}


def returns_after_training(config_file: str, seed: int) -> np.ndarray:
    """Train, and return mean returns on the test tasks, ``[steps + 1, tasks]``."""
    config = load_config(CONFIGS / config_file)[0].model_copy(update=SMALL)
    with Run(config, RunSettings(seed)) as run:
        *_, last = train(run)
    test = config.model_copy(update={"num_batches": 1, "meta_batch_size": 20, "num_steps": 2})
    with Run(
        test, RunSettings(TEST_SEED)
    ) as run:  # The seed decides on the tasks, so that all have the same.
        return evaluate(run, last.state.theta).returns.mean(2)


if __name__ == "__main__":
    returns = {
        method: np.stack([returns_after_training(file, seed) for seed in SEEDS])
        for method, file in METHODS.items()
    }
    for row in Comparison("2DNavigation-v0", returns).rows(reference="maml-trpo"):
        value, low, high = row.mean
        line = f"{row.method} after {row.gradient_steps} steps: {value:.1f} ({low:.1f} … {high:.1f})"
        if row.method != row.reference:
            line += f", better than {row.reference} with probability {row.improvement.value:.2f}"
        print(line)
