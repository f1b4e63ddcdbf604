"""One row of the paper's figures: train, test on 40 held-out tasks by the paper's protocol, keep the results.

    python -m benchmarks.paper TASK [--seed SEED] [--runs FOLDER]

TASK is the name of a config in configs/paper. A run that was interrupted goes on. Into TASK/seed-SEED
beside this file go config, metrics, the test's table and picture, policy, and what it took (machine.json).
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.paper.table import comparison
from benchmarks.running import ROOT, keep, maml_rl
from benchmarks.speed.report import machine
from maml_rl.training.tables import read_columns

HERE = Path(__file__).parent
TEST_SEED = 2
"""Of the held-out tasks. Nothing was chosen on it."""


@dataclass(frozen=True)
class Protocol:
    """How a policy is tested: episodes per gradient step, and the factors of the trained step size."""

    episodes: int = 20
    schedule: tuple[float, ...] = (1, 0.5, 0.5)


PROTOCOLS = {
    "navigation": Protocol(40, (1, 0.25, 0.25)),
    "cheetah-dir": Protocol(),
    "cheetah-vel": Protocol(),
    "ant-vel": Protocol(),
    "ant-dir": Protocol(40, (1, 0.01, 0.01)),
}


def reproduce(task: str, seed: int, run: Path) -> Path:
    """Train (or go on), test, and return the folder of the results."""
    if (run / "config.json").exists():
        maml_rl("train", "--resume", run)
    else:
        maml_rl("train", "--config", f"configs/paper/{task}.yaml", "--output-folder", run, "--seed", seed)
    target = HERE / task / f"seed-{seed}"
    keep(run, target, ["metrics.csv", "policy.th"])
    protocol = PROTOCOLS[task]
    maml_rl(
        *("test", "--config", run / "config.json", "--policy", run / "policy.th", "--compare", "random"),
        *("--num-batches", 1, "--meta-batch-size", 40, "--fast-batch-size", protocol.episodes),
        *("--num-steps", 3, "--step-size-schedule", *protocol.schedule, "--seed", TEST_SEED),
        *("--output", target / "test.npz", "--overwrite"),
    )
    note_cost(run, target)
    return target


def note_cost(run: Path, target: Path) -> None:
    """Write how long the training took, and on what."""
    timings = read_columns(run / "timings.csv", ("seconds_sampling", "seconds_updating"))
    seconds = float(timings["seconds_sampling"].sum() + timings["seconds_updating"].sum())
    taken = {"training_seconds": round(seconds), "machine": machine()}
    (target / "machine.json").write_text(json.dumps(taken, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Do one row, and print it beside the published one."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("task", choices=list(PROTOCOLS))
    parser.add_argument("--seed", type=int, default=1, help="of training")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "paper", help="where the whole runs go")
    arguments = parser.parse_args()
    run = arguments.runs / f"{arguments.task}-{arguments.seed}"
    print(comparison(arguments.task, reproduce(arguments.task, arguments.seed, run)))


if __name__ == "__main__":
    main()
