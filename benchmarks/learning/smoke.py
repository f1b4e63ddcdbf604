"""Does it learn? Short training runs, and tests on unseen tasks; the results stay beside this file.

    python benchmarks/learning/smoke.py [NAME ...]

For each run it prints (and writes to results/NAME/) what the claims in the README rest on: the metrics of
every meta-update, the effective config, and the returns on 40 unseen tasks after 0 … 3 gradient steps of an
untrained policy and of the trained one.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from maml_rl.config import load_config
from maml_rl.evaluation import AdaptationResults, evaluate
from maml_rl.training import Run, RunSettings
from maml_rl.training.files import load_policy

HERE = Path(__file__).parent
ROOT = HERE.parents[1]

RUNS = {
    "tabular-mdp": ["--config", "configs/maml/tabular-mdp.yaml", "--num-batches", 100],
    "bandit-k5-n100": [
        "--config",
        "configs/maml/bandit/bandit-k5-n100.yaml",
        "--num-batches",
        60,
        "--fast-lr",
        10,
    ],
    "halfcheetah-dir": ["--config", "configs/maml/halfcheetah-dir.yaml", "--num-batches", 20],
}
TRAIN_SEED, TEST_SEED = 1, 2


def maml_rl(*arguments: object) -> None:
    """Run a command of the command line, and show it."""
    print("$ maml-rl", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "maml_rl", *map(str, arguments)], check=True, cwd=ROOT)


def learn(name: str, folder: Path) -> None:
    """Train, test before and after training on the same unseen tasks, and keep the results."""
    maml_rl("train", *RUNS[name], "--output-folder", folder, "--seed", TRAIN_SEED)
    config, _ = load_config(folder / "config.json")
    config = config.model_copy(update={"num_steps": 3, "num_batches": 1, "meta_batch_size": 40})
    with Run(config, RunSettings(TEST_SEED, num_workers=2)) as run:
        results = {"untrained": evaluate(run.sampler, config)}
        load_policy(run.policy, folder / "policy.th")
        results["trained"] = evaluate(run.sampler, config)
    target = HERE / "results" / name
    target.mkdir(parents=True, exist_ok=True)
    shutil.copy(folder / "metrics.csv", target)
    entries = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    del entries["output_folder"]  # A temporary one.
    (target / "config.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
    write_table(target / "test.csv", results)
    maml_rl("plot", folder, "--output", target)


def write_table(path: Path, results: dict[str, AdaptationResults]) -> None:
    """Write and print one row per policy and number of gradient steps."""
    rows = ["policy,gradient_steps,tasks,mean_return,standard_error"]
    for policy, result in results.items():
        tasks = result.returns.shape[1]
        numbers = zip(result.means, result.standard_errors, strict=True)
        rows += [f"{policy},{i},{tasks},{mean:.3f},{error:.3f}" for i, (mean, error) in enumerate(numbers)]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    print(path.read_text(encoding="utf-8"))


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", default=list(RUNS), metavar="NAME", help=", ".join(RUNS))
    for name in parser.parse_args().names:
        with tempfile.TemporaryDirectory() as folder:
            learn(name, Path(folder) / name)


if __name__ == "__main__":
    main()
