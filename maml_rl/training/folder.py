"""The folder of a run: config, policy, metrics, timings and checkpoints."""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

from maml_rl import __version__
from maml_rl._system.files import Tensors, clear_leftovers, save_tensors, write_atomically
from maml_rl.config import Config, load_config
from maml_rl.config.parsing import RUN_CONFIG
from maml_rl.errors import UsageError, check_number
from maml_rl.metalearners.base import MetaState
from maml_rl.parameters import Layout
from maml_rl.training.checkpoints import Checkpoints, Progress, changes, numbered
from maml_rl.training.lock import FolderLock
from maml_rl.training.metrics import TIMING_NAMES, Iteration, metric_names
from maml_rl.training.state import load_state, state_tensors, theta_tensors
from maml_rl.training.tables import CSVLogger, check_columns, columns_of, first_rows

CONFIG, POLICY, METRICS, TIMINGS = RUN_CONFIG, "policy.th", "metrics.csv", "timings.csv"
CHECKPOINTS = "checkpoints"

Replaceable = Literal["none", "bare", "any"]
"""Runs that a new one may replace; bare is one that was killed before its first checkpoint."""


class RunFolder:
    """Keeps what comes of a run. Nothing changes in the folder before `start` or `resume`.

    From then on until `close` or the process's end, no other process can start or resume a run there.

    Args:
        path: the folder.
        config: the run's.
        execution: what ``config.json`` holds besides, as the 2020 ``train.py`` wrote it: ``seed``, …
        checkpoint_every: meta-updates between checkpoints.
        keep_checkpoints: how many of them stay, besides the best.
    """

    def __init__(
        self,
        path: Path,
        config: Config,
        execution: Mapping[str, Any],
        checkpoint_every: int = 10,
        keep_checkpoints: int = 3,
    ):
        check_number("checkpoint-every", checkpoint_every, 1)
        check_number("keep-checkpoints", keep_checkpoints, 1)
        self.path = path
        self._config, self._execution = config, execution
        self._seeded = config.to_dict() | {"seed": execution["seed"]}
        origin = {"version": __version__, "config": self._seeded}
        self.checkpoints = Checkpoints(path / CHECKPOINTS, keep_checkpoints, origin)
        self._lock = FolderLock(path)
        self._every = checkpoint_every
        self._last: tuple[MetaState, Progress] | None = None
        self._saved: Progress | None = None

    def check_free(self, replaceable: Replaceable) -> None:
        """Raise `UsageError` if the folder holds another run and that may not be replaced."""
        names = (CONFIG, POLICY, METRICS, CHECKPOINTS)
        taken = [name for name in names if (self.path / name).exists()]
        may_go = replaceable == "any" or (replaceable == "bare" and self._is_bare())
        if taken and not may_go:
            raise UsageError(
                f"'{self.path}' holds another run ({', '.join(taken)}): "
                "choose another --output-folder, or pass --overwrite"
            )

    def start(self, layout: Layout, state: MetaState, replaceable: Replaceable = "none") -> Progress:
        """Begin a run: write the whole, effective config and the initial policy.

        Args:
            layout: of theta.
            state: before the first update.
            replaceable: which run that is there may go.

        Raises:
            UsageError: the folder cannot be made or written to, another process has it, or it holds another
                run. It is left as it was.
        """
        with self._lock.taking():
            self.check_free(replaceable)  # Only now is it sure that nobody begins a run there.
        self.checkpoints.remove()
        self._write_config()
        self._begin(layout, state, Progress())
        return Progress()

    def resume(self, layout: Layout, like: MetaState, columns: Collection[str]) -> tuple[MetaState, Progress]:
        """Go on from the newest whole checkpoint; return what it holds.

        Args:
            layout: of theta.
            like: a state of the method, before the first update.
            columns: the method's columns of metrics.

        Raises:
            UsageError: the config or the seed is another than the run's, there is no whole checkpoint, the
                metrics have columns that the method does not write, or another process has the folder. The
                folder is left as it was.
        """
        with self._lock.taking():
            old, run = load_config(self.path / CONFIG)
            if changed := changes(old.to_dict() | {"seed": run.get("seed")}, self._seeded):
                raise UsageError(f"'{self.path}' cannot be resumed with another config: {'; '.join(changed)}")
            state, progress = self.checkpoints.load_newest(
                lambda path: load_state(path, layout, like), self._check_rows
            )
            done, wanted = progress.iteration, self._config.num_batches
            if done > wanted:
                raise UsageError(
                    f"'{self.path}' has made {done} meta-updates, "
                    f"more than num-batches ({wanted}); it may grow"
                )
            known = metric_names(columns, self._config.num_steps)
            for path, names in ((self.path / METRICS, known), (self.path / TIMINGS, TIMING_NAMES)):
                check_columns(path, columns_of(first_rows(path, done)), names)
        self._begin(layout, state, progress)
        self._write_config()
        return state, progress

    def write_iteration(self, iteration: Iteration) -> None:
        """Keep what a meta-update left: its metrics, the policy, and now and then a checkpoint."""
        assert self._last is not None
        before, progress = self._last
        self._timings.write({"iteration": iteration.number, **iteration.timings})
        self._metrics.write(iteration.metrics)
        # The batch's return after adaptation is that of the parameters before this update.
        score, best = iteration.returns[-1], progress.best_return
        if best is None or score > best:
            best = score
            self.checkpoints.save_best(self._tensors(before), replace(progress, best_return=best))
        env_steps = int(iteration.metrics["env_steps"])
        self._last = (iteration.state, Progress(iteration.number, env_steps, best, self._metrics.sha256))
        if iteration.number % self._every == 0:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Save where the run stands, after the last whole meta-update, unless that is saved already."""
        if self._last is None or self._last[1] == self._saved:
            return
        self._metrics.sync()
        self._timings.sync()
        state, progress = self._last
        self.checkpoints.save(self._tensors(state), progress)
        save_tensors(theta_tensors(self._layout, state.theta), self.path / POLICY)
        self._saved = self._last[1]

    def close(self) -> None:
        """Save a last checkpoint and close the files."""
        try:
            self.checkpoint()
        finally:
            if self._last is not None:
                self._metrics.close()
                self._timings.close()
            self._lock.release()

    def _check_rows(self, progress: Progress) -> None:
        """Check that the rows of the tables agree with a checkpoint.

        Raises:
            UsageError: rows are missing or damaged, or the last one has other ``env_steps``.
        """
        rows = progress.iteration
        first_rows(self.path / TIMINGS, rows)
        text = first_rows(self.path / METRICS, rows, progress.metrics_sha256)
        if not text:
            return
        last = dict(zip(columns_of(text), text.splitlines()[-1].split(","), strict=True))
        written = last.get("env_steps", str(progress.env_steps))
        if written != str(progress.env_steps):
            raise UsageError(
                f"its env_steps is {progress.env_steps}, that of '{self.path / METRICS}' {written}"
            )

    def _is_bare(self) -> bool:
        """Return whether no run has got as far there as its first checkpoint: there is nothing to lose."""
        table = self.path / METRICS
        rows = table.exists() and table.stat().st_size > 0
        return not (rows or is_begun(self.path) or (self.path / POLICY).exists())

    def _tensors(self, state: MetaState) -> Tensors:
        return state_tensors(self._layout, state)

    def _begin(self, layout: Layout, state: MetaState, progress: Progress) -> None:
        self._layout = layout
        clear_leftovers(self.path, "|".join(re.escape(x) for x in (CONFIG, POLICY, METRICS, TIMINGS)))
        self.checkpoints.clear_leftovers()
        self._metrics = CSVLogger(self.path / METRICS, progress.iteration)
        self._timings = CSVLogger(self.path / TIMINGS, progress.iteration)
        self._last = (state, replace(progress, metrics_sha256=self._metrics.sha256))
        self.checkpoint()

    def _write_config(self) -> None:
        entries = {**self._config.to_dict(), **self._execution, "version": __version__}
        text = json.dumps(entries, indent=2) + "\n"
        write_atomically(self.path / CONFIG, lambda file: file.write(text.encode()))


def is_begun(path: Path) -> bool:
    """Return whether the folder holds a checkpoint that a run could go on from."""
    return bool(numbered(path / CHECKPOINTS))
