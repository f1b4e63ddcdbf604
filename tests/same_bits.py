"""Comparison of two revisions of the package: whether they compute the same bits on one machine.

    python -m tests.same_bits HEAD  # Against the working tree, as it is now.
    python -m tests.same_bits v1 HEAD --only navigation resume --keep /tmp/same-bits

Each revision runs in a folder of its own; the working tree in a copy, so that later edits count for nothing.
``--keep`` keeps v1's outputs by its commit and uses them again; HEAD's, replaced each time, are in ``other``.
"""

import argparse
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from importlib.metadata import version
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import numpy as np
from filelock import FileLock

ROOT = Path(__file__).parents[1]
WALK = "--config configs/maml/2d-navigation.yaml --num-batches"
CASES = {
    "navigation": "--config configs/paper/navigation.yaml --num-batches 5",
    "cheetah": "--config configs/maml/halfcheetah-vel.yaml --num-batches 3 --meta-batch-size 20",
    "ant": "--config configs/paper/ant-vel.yaml --num-batches 3 --meta-batch-size 10 --tasks-per-item 5",
    "tabular": "--config configs/maml/tabular-mdp.yaml --num-batches 3",
    "bandit": "--config configs/maml/bandit/bandit-k5-n10.yaml --num-batches 3",
    "two-steps": f"{WALK} 3 --num-steps 2",
    "first-order": f"{WALK} 3 --first-order",
    "mean-over-steps": f"{WALK} 3 --mean-over steps",
    "resume": f"{WALK} 4",
}
"""Options of each case's training. In the last, the other revision ends what the reference began."""
RESUME, HALF, BEGIN, END = "resume", "half", f"{WALK} 2", "--num-batches 4"
TRAIN = "--seed 1 --checkpoint-every 1 --keep-checkpoints 10 --logger none --quiet"
TEST = "--seed 2 --num-batches 1 --meta-batch-size 10 --num-steps 2"
RUNS = {"0-workers": 0, "2-workers": 2}
OUTPUTS = {"metrics.csv", "policy.th", "checkpoints/*", "results.npz", "results.csv"}
RESUMED = {"metrics.csv", "policy.th", "checkpoints/*.th"}
PACKAGES = [sys.version, *map(version, ("torch", "numpy", "gymnasium", "mujoco"))]


def output(folder: Path, *command: object) -> str:
    """Run a command in a folder, where Python finds modules first; return what it printed."""
    words, environment = [str(word) for word in command], os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(words)}: {(done.stderr.strip().splitlines() or ['failed'])[-1]}")
    return str(done.stdout)


class Side(NamedTuple):
    """Revision, by the folder that its commands run in and the one that their outputs go to."""

    name: str
    tree: Path
    outputs: Path

    def make(self, case: str, begun: Path | None = None) -> None:
        """Run a case's commands, or end runs that were begun in a folder."""
        cli = (self.tree, sys.executable, "-m", "maml_rl")
        shutil.rmtree(self.outputs / case, ignore_errors=True)
        for name, workers in RUNS.items():
            run, count = self.outputs / case / name, ("--num-workers", workers)
            how = ["--output-folder", run, *CASES.get(case, BEGIN).split()]
            if begun is not None:
                shutil.copytree(begun / name, run)
                how = ["--resume", run, *END.split()]
            output(*cli, "train", *how, *TRAIN.split(), *count)
            if case not in (RESUME, HALF):
                files = ("--config", run / "config.json", "--policy", run / "policy.th")
                output(*cli, "test", *files, "--output", run / "results.npz", *TEST.split(), *count)

    def make_once(self, case: str) -> None:
        """Run a case's commands unless the outputs of the very same are there."""
        stamp = self.outputs / case / "made-by.json"
        made_by = json.dumps([CASES.get(case, BEGIN), TRAIN, TEST, RUNS, PACKAGES])
        if not stamp.exists() or stamp.read_text() != made_by:
            self.make(case)
            stamp.write_text(made_by)


def compare(rev: str, to: str | None = None, only: Iterable[str] = (), keep: Path | None = None) -> list[str]:
    """Print and return how outputs of revisions differ; by default ``to`` is the working tree."""
    found = []
    commit = output(ROOT, "git", "rev-parse", "--verify", f"{rev}^{{commit}}").strip()
    with tempfile.TemporaryDirectory(prefix="same-bits-") as name:
        here = Path(name).resolve()
        outputs = (keep or here / "outputs").resolve()
        outputs.mkdir(parents=True, exist_ok=True)
        with tree_of(commit, here / "old") as before, tree_of(to, here / "new") as after:
            old = Side(rev, before, outputs / commit)
            new = Side(to or "the working tree", after, outputs / "other")
            for case in only or CASES:
                with FileLock(outputs / f".{case}.lock"):  # Another comparison may keep outputs there, too.
                    of_case = list(differences(case, old, new))
                files = "; ".join(d.partition("\n")[0] for d in of_case)
                details = (d for d in of_case if "\n" in d)
                print(f"{case}: {files or 'same'}", *details, sep="\n  ", flush=True)
                found += [f"{case}: {difference}" for difference in of_case]
    return found


@contextmanager
def tree_of(revision: str | None, tree: Path) -> Iterator[Path]:
    """Make a work tree of a revision, and remove it in the end; for None, copy the working tree's package."""
    try:
        if revision is not None:
            output(ROOT, "git", "worktree", "add", "--detach", tree, revision)
        else:
            for name in ("maml_rl", "configs"):
                shutil.copytree(ROOT / name, tree / name)
        found = output(tree, sys.executable, "-c", "import maml_rl; print(maml_rl.__file__)").strip()
        assert Path(found) == tree / "maml_rl" / "__init__.py", f"'{found}' is not the package of '{tree}'"
        yield tree
    finally:
        shutil.rmtree(tree, ignore_errors=True)
        output(ROOT, "git", "worktree", "prune")


def differences(case: str, old: Side, new: Side) -> Iterator[str]:
    """Run a case; yield what differs between the sides, or on one of them with the number of workers."""
    side = old
    try:
        for name in (RESUME, HALF) if case == RESUME else (case,):
            old.make_once(name)
        side = new
        new.make(case, old.outputs / HALF if case == RESUME else None)
    except RuntimeError as error:
        yield f"failed: {side.name}\n    {error}"
        return
    before, after = ([side.outputs / case / run for run in RUNS] for side in (old, new))
    patterns = RESUMED if case == RESUME else OUTPUTS
    for a, b in zip(before, after, strict=True):
        yield from (f"{b.name}/{file}" for file in files_that_differ(patterns, a, b, may_grow=True))
    for side, (a, b) in ((old, before), (new, after)):
        yield from (f"workers of {side.name}: {file}" for file in files_that_differ(patterns, a, b))


def files_that_differ(patterns: set[str], old: Path, new: Path, may_grow: bool = False) -> Iterator[str]:
    """Yield the files that differ between two runs; ``may_grow``: manifests may have more entries."""
    names = {pattern for pattern in patterns if "*" not in pattern}  # These must be there.
    names |= {str(path.relative_to(run)) for run in (old, new) for p in patterns for path in run.glob(p)}
    for name in sorted(names):
        a, b = old / name, new / name
        if missing := [str(path) for path in (a, b) if not path.is_file()]:
            yield f"{name}\n    missing: {', '.join(missing)}"
        elif a.suffix == ".npz":
            yield from (f"{name} ({array})" for array in arrays_that_differ(a, b))
        elif a.read_bytes() != b.read_bytes() and not (may_grow and a.suffix == ".json" and is_grown(a, b)):
            yield name + (first_line_that_differs(a, b) if a.suffix == ".csv" else "")


def arrays_that_differ(old: Path, new: Path) -> list[str]:
    """Return the names of arrays that one file lacks or that differ in type, shape or bytes."""
    with np.load(old, allow_pickle=False) as a, np.load(new, allow_pickle=False) as b:
        before, after = ({key: (x.dtype, x.shape, x.tobytes()) for key, x in file.items()} for file in (a, b))
    return sorted(key for key in before.keys() | after.keys() if before.get(key) != after.get(key))


def is_grown(old: Path, new: Path) -> bool:
    """Whether manifests are equal but for the version, and for what only the newer has, as config keys."""
    before, after = json.loads(old.read_text()), json.loads(new.read_text())
    for manifest in (before, after):
        for of_version in ("version", "manifest_sha256"):
            manifest.pop(of_version, None)
    known = {key: value for key, value in after.items() if key in before}
    known["config"] = {key: value for key, value in after["config"].items() if key in before["config"]}
    return bool(before == known)


def first_line_that_differs(old: Path, new: Path) -> str:
    """Return its number, and what it is in both tables."""
    tables = [path.read_bytes().decode(errors="replace").split("\n") for path in (old, new)]
    pairs = enumerate(zip_longest(*tables, fillvalue="(the end)"), 1)
    return next((f", line {n}\n    {a}\n    {b}" for n, (a, b) in pairs if a != b), "")


def main() -> None:
    """Compare what the command line names; exit with 1 if anything differs."""
    parser = argparse.ArgumentParser(prog="python -m tests.same_bits", description=__doc__.splitlines()[0])
    parser.add_argument("revision", metavar="REV", help="the reference")
    parser.add_argument("other", metavar="REV2", nargs="?", help="by default the working tree")
    parser.add_argument("--only", metavar="NAME", nargs="+", choices=CASES, default=[], help=", ".join(CASES))
    parser.add_argument("--keep", metavar="FOLDER", type=Path, help="where outputs stay")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # So that work trees are removed.
    try:
        sys.exit(bool(compare(options.revision, options.other, options.only, options.keep)))
    except RuntimeError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
