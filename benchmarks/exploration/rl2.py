"""Total reward of RL² over the episodes of a trial, beside the other strategies.

    python -m benchmarks.exploration.rl2 [NAME ...] [--seed SEED] [--runs FOLDER]

Trains by configs/rl2 (a run that was interrupted goes on), tests on 1,000 unseen tasks, one trial of each,
and adds the row to results/NAME/totals.csv; config, metrics, curve and cost go to results/NAME/rl2, and what
ships with the policy to policies.
"""

import numpy as np

from benchmarks.exploration import bandits
from benchmarks.exploration.__main__ import TASKS, TEST_SEED, Array, write_totals
from benchmarks.exploration.settings import HERE, SETTINGS
from benchmarks.running import ROOT, keep, maml_rl, note_cost, parse_names, train
from maml_rl.evaluation import evaluate
from maml_rl.training import RunSettings, trained_run

NAMES = [name for name, setting in SETTINGS.items() if (ROOT / f"configs/{setting.rl2}.yaml").exists()]


def main() -> None:
    """Do the named settings, or all that have a config."""
    arguments = parse_names(__doc__, SETTINGS, NAMES, "exploration")
    for name in arguments.names:
        setting, run = SETTINGS[name], arguments.runs / f"rl2-{name}-{arguments.seed}"
        train(run, arguments.seed, ("--config", f"configs/{setting.rl2}.yaml", "--device", arguments.device))
        changes = {"num_batches": 10, "meta_batch_size": TASKS // 10, "fast_batch_size": 1}
        with trained_run(run, RunSettings(TEST_SEED, num_workers=2), **changes) as (trained, theta):
            gained: dict[str, Array] = {
                "RL²": evaluate(trained, theta).returns.sum((0, 2)).astype(np.float64)
            }
        if setting.optimum_is_known:
            gained["optimum"] = np.array([bandits.optimum(setting.arms, setting.episodes)])
        target = HERE / "results" / name
        keep(run, target / "rl2", ["metrics.csv"])
        note_cost(run, target / "rl2")
        keep(run, HERE / "policies" / setting.rl2.partition("/")[2], ["policy.th", "metrics.csv"])
        maml_rl("plot", run, "--output", target / "rl2")
        write_totals(target / "totals.csv", gained)
        print((target / "totals.csv").read_text(encoding="utf-8"))


if __name__ == "__main__":
    main()
