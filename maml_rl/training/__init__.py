"""Training runs: the loop, what it writes, and where."""

from maml_rl.training.folder import RunFolder
from maml_rl.training.run import Run, RunSettings, trained_run
from maml_rl.training.trainer import train

__all__ = ["Run", "RunFolder", "RunSettings", "train", "trained_run"]
