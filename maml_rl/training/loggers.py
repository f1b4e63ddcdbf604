"""Loggers: places for a run's numbers besides its CSV files."""

import importlib
import re
import secrets
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from maml_rl._system.files import write_atomically, writing
from maml_rl.config import LoggerName
from maml_rl.errors import UsageError
from maml_rl.training.metrics import Iteration

ADAPTATION = "adaptation"
CHARTS = ("return", "success")
"""What the names of metrics begin with that are numbers before and after adaptation."""
OFFLINE = "run 'wandb login', or set WANDB_MODE=offline"
"""What helps where the server of Weights & Biases cannot be had."""


class Logger:
    """Takes one iteration after another. This one keeps none: for those who want the CSV files alone."""

    def write(self, iteration: Iteration) -> None:
        """Log one iteration."""

    def close(self) -> None:
        """Write what is left."""


def check_logger(name: LoggerName) -> None:
    """Check that the logger called ``name`` can be used, before a run is begun for it.

    Raises:
        UsageError: the logger's package is not installed, or its server cannot be reached or lets nobody in.
    """
    if name != "wandb":
        return
    wandb = _wandb()
    if wandb.setup().settings.mode != "online":
        return
    try:
        let_in = wandb.login(verify=True)
    except Exception as error:  # Of a network that fails, it raises all sorts.
        said = str(error).partition("\n")[0] or type(error).__name__
        raise UsageError(f"logger wandb: {said}; {OFFLINE}") from None
    if not let_in:
        raise UsageError(f"logger wandb: not logged in; {OFFLINE}")


def _wandb() -> Any:
    try:
        wandb: Any = importlib.import_module("wandb")
    except ImportError:
        wandb = None
    if not hasattr(wandb, "init"):  # A folder called wandb, as the package itself makes, is imported too.
        raise UsageError("logger wandb: not installed here; try pip install wandb")
    return wandb


def make_logger(name: LoggerName, folder: Path, config: dict[str, Any], done: int) -> Logger:
    """Return the logger called ``name``.

    Args:
        folder: of the run.
        config: the effective config, for loggers that keep it.
        done: meta-updates made before; what was logged behind them is taken back where that is possible.
    """
    if name == "tensorboard":
        return TensorBoardLogger(folder / "tensorboard", done)
    if name == "wandb":
        return WandbLogger(folder, config, resume=done > 0)
    return Logger()


class TensorBoardLogger(Logger):
    """Event files, to be seen with ``tensorboard --logdir runs``.

    Returns and rates of success are the group ``adaptation``, for TensorBoard shows groups by the alphabet.
    Its tab Custom Scalars has those before and after adaptation in one chart.

    Args:
        done: meta-updates that the run has made; those of a run that is replaced (0) are removed.
    """

    def __init__(self, folder: Path, done: int):
        from torch.utils.tensorboard import SummaryWriter

        if not done:
            with writing(folder):
                for path in folder.glob("events.out.tfevents.*"):
                    path.unlink()
        self._folder = folder
        self._excepthook = threading.excepthook
        threading.excepthook = self._report
        with writing(folder):
            self._writer = SummaryWriter(str(folder), purge_step=done + 1 if done else None)
        self._has_layout = False

    def write(self, iteration: Iteration) -> None:
        """Add one point to every curve."""
        metrics = {f"{group_of(key)}/{key}": value for key, value in iteration.metrics.items()}
        timings = {f"timings/{key}": value for key, value in iteration.timings.items()}
        with writing(self._folder):
            if not self._has_layout:
                self._writer.add_custom_scalars(_layout(metrics))
                self._has_layout = True
            for tag, value in (metrics | timings).items():
                if not tag.endswith("/iteration"):
                    self._writer.add_scalar(tag, value, iteration.number)
            self._writer.flush()

    def close(self) -> None:
        """Close the event file."""
        threading.excepthook = self._excepthook
        with writing(self._folder):
            self._writer.close()

    def _report(self, error: threading.ExceptHookArgs) -> None:
        # TensorBoard writes in a thread of its own; what goes wrong there comes up again in our next call.
        its_own = type(error.thread).__module__.startswith("tensorboard")
        if not (its_own and isinstance(error.exc_value, OSError)):
            self._excepthook(error)


def group_of(metric: str) -> str:
    """Return the group of curves that TensorBoard shows a metric in."""
    return ADAPTATION if metric.startswith(CHARTS) else "metrics"


def _layout(tags: Iterable[str]) -> dict[str, dict[str, list[Any]]]:
    """Return a chart of the returns after 0, 1, … steps, and one of rates of success if there are any."""
    charts = {name: rf"{ADAPTATION}/{name}_\d+$" for name in CHARTS}
    known = {name: tag for name, tag in charts.items() if any(re.match(tag, other) for other in tags)}
    return {ADAPTATION: {name: ["Multiline", [tag]] for name, tag in known.items()}}


class WandbLogger(Logger):
    """A run at Weights & Biases; ``WANDB_MODE=offline`` keeps it in the folder.

    Args:
        folder: of the run. It keeps the id at Weights & Biases, which a run that goes on has again.
        config: the effective config.
        resume: whether the run goes on.
    """

    def __init__(self, folder: Path, config: dict[str, Any], resume: bool):
        wandb = _wandb()
        kept = folder / "wandb-id"
        if not (resume and kept.is_file()):
            write_atomically(kept, lambda file: file.write(f"{secrets.token_hex(6)}\n".encode()))
        self._run = wandb.init(
            project="maml_rl",
            name=folder.name,
            dir=str(folder),
            config=config,
            id=kept.read_text(encoding="utf-8").strip(),
            resume="allow",
        )

    def write(self, iteration: Iteration) -> None:
        """Log one iteration."""
        self._run.log({**iteration.metrics, **iteration.timings}, step=iteration.number)

    def close(self) -> None:
        """End the run."""
        self._run.finish()
