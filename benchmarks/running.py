"""What benchmarks that train share: calling the command line, and keeping what is small of a run."""

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).parents[1]


def maml_rl(*arguments: object) -> None:
    """Run a command of the command line, and show it."""
    print("$ maml-rl", *arguments, flush=True)
    subprocess.run([sys.executable, "-m", "maml_rl", *map(str, arguments)], check=True, cwd=ROOT)


def keep(run: Path, target: Path, names: Sequence[str]) -> None:
    """Copy the files called ``names`` and the config of a run."""
    target.mkdir(parents=True, exist_ok=True)
    for name in names:
        shutil.copy(run / name, target)
    entries = json.loads((run / "config.json").read_text(encoding="utf-8"))
    del entries["output_folder"]  # Of this machine.
    (target / "config.json").write_text(json.dumps(entries, indent=2) + "\n", encoding="utf-8")
