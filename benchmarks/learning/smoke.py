"""Does it learn? Short training runs, and tests on unseen tasks; the results stay beside this file.

    python -m benchmarks.learning.smoke [NAME ...] [--seed SEED]

For each run it prints (and writes to results/NAME/seed-SEED/) what the claims in the README rest on: the
metrics of every meta-update, the effective config, and the returns on 40 unseen tasks after 0 … 3 gradient
steps of an untrained policy and of the trained one.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from maml_rl.config import load_config
from maml_rl.evaluation import AdaptationResults, evaluate
from maml_rl.training import Run, RunSettings
from maml_rl.training.files import load_policy

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
TEST_SEED = 2


@dataclass(frozen=True)
class Experiment:
    """How to train, and what the test changes.

    Args:
        train: arguments of ``maml-rl train``.
        test: fields of the config.
        schedules: of step sizes in the tests of the trained policy.
    """

    train: tuple[object, ...]
    test: Mapping[str, object] = field(default_factory=dict)
    schedules: Mapping[str, tuple[float, ...]] = field(default_factory=lambda: {"trained": ()})


EXPERIMENTS = {
    "2d-navigation": Experiment(
        ("--config", "configs/paper/navigation.yaml"),
        {"fast_batch_size": 40},  # 4,000 steps per gradient step, as in the paper.
        {"trained": (1, 0.25, 0.25), "trained; steps halved": (1, 0.5, 0.5)},
    ),
    "tabular-mdp": Experiment(("--config", "configs/maml/tabular-mdp.yaml", "--num-batches", 100)),
    "bandit-k5-n100": Experiment(("--config", "configs/maml/bandit/bandit-k5-n100.yaml")),
    "halfcheetah-dir": Experiment(("--config", "configs/maml/halfcheetah-dir.yaml", "--num-batches", 20)),
}


def maml_rl(*arguments: object) -> None:
    """Run a command of the command line, and show it."""
    print("$ maml-rl", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "maml_rl", *map(str, arguments)], check=True, cwd=ROOT)


def learn(name: str, seed: int, folder: Path) -> None:
    """Train, test before and after training on the same unseen tasks, and keep the results."""
    experiment = EXPERIMENTS[name]
    maml_rl("train", *experiment.train, "--output-folder", folder, "--seed", seed)
    config, _ = load_config(folder / "config.json")
    test = {"num_steps": 3, "num_batches": 1, "meta_batch_size": 40, **experiment.test}
    config = config.model_copy(update=test)
    with Run(config, RunSettings(TEST_SEED, num_workers=2)) as run:
        results = {"untrained": evaluate(run.sampler, config)}
        load_policy(run.policy, folder / "policy.th")
        for policy, schedule in experiment.schedules.items():
            results[policy] = evaluate(run.sampler, config, schedule)
    target = HERE / "results" / name / f"seed-{seed}"
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "metrics.csv", target)
    entries = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del entries["output_folder"]  # A temporary one.
    (target / "config.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    write_table(target / "test.csv", results)
    maml_rl("plot", folder, "--output", target)
    (target / "paths.png").unlink(missing_ok=True)  # Not those of the test.


def write_table(path: Path, results: Mapping[str, AdaptationResults]) -> None:
    """Write and print one row per policy and number of gradient steps."""
    rows = ["policy,gradient_steps,step_size,tasks,mean_return,standard_error"]
    for policy, result in results.items():
        tasks = result.returns.shape[1]
        numbers = zip(("", *result.step_sizes), result.means, result.standard_errors, strict=True)
        rows += [
            f"{policy},{i},{size},{tasks},{mean:.3f},{error:.3f}"
            for i, (size, mean, error) in enumerate(numbers)
        ]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


def main() -> None:
    """Run the named experiments, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    names = list(EXPERIMENTS)
    parser.add_argument("names", nargs="*", default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--seed", type=int, default=1, help="of training")
    arguments = parser.parse_args()
    for name in arguments.names:
        with tempfile.TemporaryDirectory() as folder:
            learn(name, arguments.seed, Path(folder) / name)


if __name__ == "__main__":
    main()
