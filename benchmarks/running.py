"""What benchmarks that train share: calling the command line, and keeping what is small of a run."""

import argparse
import json
import platform
import shutil
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from datetime import date
from pathlib import Path

import mujoco
import numpy as np
import torch

from maml_rl._system.processors import processor_name, usable_processors
from maml_rl.config import load_config
from maml_rl.evaluation import evaluate, write_csv
from maml_rl.training import Run, RunSettings
from maml_rl.training.state import load_theta
from maml_rl.training.tables import read_columns

ROOT = Path(__file__).parents[1]
TEST_SEED = 2
"""Seed of tests of trained policies; no run is trained with it to choose anything."""


def maml_rl(*arguments: object) -> None:
    """Run a command of the command line, and show it."""
    print("$ maml-rl", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "maml_rl", *map(str, arguments)], check=True, cwd=ROOT)


def parse_names(doc: str, known: Collection[str], default: Sequence[str], runs: str) -> argparse.Namespace:
    """Parse ``[NAME ...] [--seed SEED] [--runs FOLDER] [--device DEVICE]``.

    Args:
        doc: of the module; its first line describes the command.
        known: names that may be given.
        default: names if none is given.
        runs: folder of `runs` for the whole runs, if none is given.
    """
    parser = argparse.ArgumentParser(description=doc.splitlines()[0])
    expected = ", ".join(known)
    parser.add_argument("names", nargs="*", default=list(default), metavar="NAME", help=expected)
    parser.add_argument("--seed", type=int, default=1, help="of training")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / runs, help="for the whole runs")
    parser.add_argument("--device", default="cpu", help="of meta-updates")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(known)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; expected some of {expected}")
    return arguments


def train(run: Path, seed: int, options: Sequence[object]) -> None:
    """Train into the folder ``run``, or go on where it stopped, which fails if the options are others."""
    where = "--resume" if (run / "config.json").exists() else "--output-folder"
    maml_rl("train", *options, where, run, "--seed", seed)


def learn(options: Sequence[object], seed: int, run: Path, target: Path) -> None:
    """Train, test before and after training on the same unseen tasks, and keep the results.

    Args:
        options: of ``maml-rl train``.
        run: the whole run's folder; what is small of it goes to ``target``.
    """
    train(run, seed, options)
    config, _ = load_config(run / "config.json")
    config = config.model_copy(update={"num_steps": 3, "num_batches": 1, "meta_batch_size": 40})
    with Run(config, RunSettings(TEST_SEED, num_workers=2)) as tested:
        results = {"untrained": evaluate(tested, tested.learner.init().theta)}
        results["trained"] = evaluate(tested, load_theta(run / "policy.th", tested.learner.layout))
    keep(run, target, ["metrics.csv"])
    note_cost(run, target)
    write_csv(target / "test.csv", results)
    print((target / "test.csv").read_text(encoding="utf-8"))
    maml_rl("plot", run, "--output", target)
    (target / "paths.png").unlink(missing_ok=True)  # Not those of the test.


def learn_each(
    arguments: argparse.Namespace, experiments: Mapping[str, Sequence[object]], here: Path
) -> None:
    """Call `learn` for each experiment that `parse_names` was given.

    Args:
        experiments: options of ``maml-rl train``, by name.
        here: the benchmark's folder; what is kept goes to ``results/NAME/seed-SEED`` in it.
    """
    for name in arguments.names:
        run = arguments.runs / f"{name}-{arguments.seed}"
        options = (*experiments[name], "--device", arguments.device)
        learn(options, arguments.seed, run, here / "results" / name / f"seed-{arguments.seed}")


def keep(run: Path, target: Path, names: Sequence[str]) -> None:
    """Copy the files called ``names`` and the config of a run."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(run / name, target)
    entries = json.loads((run / "config.json").read_text(encoding="utf-8"))
    del entries["output_folder"]  # Of this machine.
    (target / "config.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")


def machine() -> str:
    """Describe where this ran."""
    return (
        f"{date.today()}: {usable_processors()} processors, {processor_name()}; {platform.system()}, "
        f"Python {platform.python_version()}, torch {torch.__version__}, mujoco {mujoco.__version__}"
    )


def test_policy(run: Path, results: Path, *options: object) -> None:
    """Test the policy of a run; leave ``results``, an .npz, and the CSV of all tasks beside it.

    Args:
        options: of ``maml-rl test``.
    """
    policy = ("--config", run / "config.json", "--policy", run / "policy.th", "--seed", TEST_SEED)
    maml_rl("test", *policy, *options, "--output", results, "--overwrite")
    for ending in (".tasks.csv", ".png", ".environments.png"):
        results.with_suffix(ending).unlink(missing_ok=True)


def note_cost(run: Path, target: Path) -> None:
    """Write how long the training took, and on what; null if the clock of a machine has jumped meanwhile."""
    timings = read_columns(run / "timings.csv", ("seconds_sampling", "seconds_updating"))
    seconds = timings["seconds_sampling"] + timings["seconds_updating"]
    jumped = seconds.max() > 1000 * np.median(seconds)
    taken = {"training_seconds": None if jumped else round(float(seconds.sum())), "machine": machine()}
    (target / "machine.json").write_text(json.dumps(taken, indent=2) + "\n", encoding="utf-8")
