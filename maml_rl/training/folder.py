"""The folder of a run: config, policy, metrics, timings and checkpoints."""

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from maml_rl import __version__
from maml_rl._system.files import Tensors, save_tensors, write_atomically, writing
from maml_rl.config import Config, load_config
from maml_rl.errors import UsageError, check_number
from maml_rl.metalearners.base import MetaState
from maml_rl.parameters import Layout
from maml_rl.training.checkpoints import Checkpoints, Progress
from maml_rl.training.metrics import Iteration
from maml_rl.training.state import load_state, state_tensors, theta_tensors
from maml_rl.training.tables import CSVLogger

CONFIG, POLICY, METRICS, TIMINGS = "config.json", "policy.th", "metrics.csv", "timings.csv"
CHECKPOINTS, LOCK = "checkpoints", ".lock"
MAY_CHANGE = {"num_batches"}
"""Keys that a resumed run may have other values of than the run had before."""


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
        origin = {"version": __version__, "config": config.to_dict() | {"seed": execution["seed"]}}
        self.checkpoints = Checkpoints(path / CHECKPOINTS, keep_checkpoints, origin)
        self._lock = FileLock(path / LOCK, blocking=False)
        self._every = checkpoint_every
        self._last: tuple[MetaState, Progress] | None = None
        self._saved: Progress | None = None

    def check_free(self, overwrite: bool) -> None:
        """Raise `UsageError` if the folder holds another run and that may not be replaced."""
        names = (CONFIG, POLICY, METRICS, CHECKPOINTS)
        taken = [name for name in names if (self.path / name).exists()]
        if taken and not overwrite:
            raise UsageError(
                f"'{self.path}' holds another run ({', '.join(taken)}): "
                "choose another --output-folder, or pass --overwrite"
            )

    def start(self, layout: Layout, state: MetaState) -> Progress:
        """Begin a run in place of what is there: write the whole, effective config and the initial policy.

        Args:
            layout: of theta.
            state: before the first update.

        Raises:
            UsageError: the folder cannot be made or written to, or another process has it.
        """
        with writing(self.path):
            self.path.mkdir(parents=True, exist_ok=True)
        self._take()
        self.checkpoints.remove()
        self._write_config()
        self._begin(layout, state, Progress())
        return Progress()

    def resume(self, layout: Layout, like: MetaState) -> tuple[MetaState, Progress]:
        """Go on from the newest whole checkpoint; return what it holds.

        Args:
            layout: of theta.
            like: a state of the method, before the first update.

        Raises:
            UsageError: the config or the seed is another than the run's, there is no whole checkpoint, or
                another process has the folder.
        """
        old, run = load_config(self.path / CONFIG)
        before, after = old.model_dump(), self._config.model_dump()
        before["seed"], after["seed"] = run.get("seed"), self._execution["seed"]
        changed = [
            f"{key.replace('_', '-')} was {before[key]!r}, is {after[key]!r}"
            for key in before
            if key in after and before[key] != after[key] and key not in MAY_CHANGE
        ]
        if changed:
            raise UsageError(f"'{self.path}' cannot be resumed with another config: {'; '.join(changed)}")
        self._take()
        state, progress = self.checkpoints.load_newest(lambda path: load_state(path, layout, like))
        if progress.iteration > self._config.num_batches:
            raise UsageError(
                f"'{self.path}' has made {progress.iteration} meta-updates, more than num-batches "
                f"({self._config.num_batches}); it may grow"
            )
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
            self.checkpoints.save_best(
                self._tensors(before), Progress(progress.iteration, progress.env_steps, best)
            )
        env_steps = int(iteration.metrics["env_steps"])
        self._last = (iteration.state, Progress(iteration.number, env_steps, best))
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
        if self._last is not None:
            self.checkpoint()
            self._metrics.close()
            self._timings.close()
        self._lock.release()

    def _take(self) -> None:
        if not os.access(self.path, os.W_OK):
            raise UsageError(f"cannot write to the folder '{self.path}'")
        with writing(self.path / LOCK):
            try:
                self._lock.acquire()
            except Timeout:
                raise UsageError(f"'{self.path}' is in use: another process trains there") from None

    def _tensors(self, state: MetaState) -> Tensors:
        return state_tensors(self._layout, state)

    def _begin(self, layout: Layout, state: MetaState, progress: Progress) -> None:
        self._layout = layout
        self._metrics = CSVLogger(self.path / METRICS, progress.iteration)
        self._timings = CSVLogger(self.path / TIMINGS, progress.iteration)
        self._last = (state, progress)
        self.checkpoint()

    def _write_config(self) -> None:
        entries = {**self._config.to_dict(), **self._execution, "version": __version__}
        text = json.dumps(entries, indent=2) + "\n"
        write_atomically(self.path / CONFIG, lambda file: file.write(text.encode()))


def is_begun(path: Path) -> bool:
    """Return whether the folder holds a checkpoint that a run could go on from."""
    return any(manifest.stem.isdecimal() for manifest in (path / CHECKPOINTS).glob("*.json"))
