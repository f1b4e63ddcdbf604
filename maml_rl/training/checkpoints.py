"""Checkpoints: all that a run remembers after a meta-update, and how far it had come.

No state of a random generator is in them, because none is needed: what a meta-update draws is a function of
the seed and of the update's number.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, TypeVar

from maml_rl._system.files import Tensors, save_tensors, write_atomically, writing
from maml_rl.errors import UsageError

BEST = "best"
T = TypeVar("T")

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Args:
        iteration: meta-updates made.
        env_steps: of all of them.
        best_return: highest mean return after adaptation of a training batch; None before the first.
    """

    iteration: int = 0
    env_steps: int = 0
    best_return: float | None = None


class Checkpoints:
    """A folder of them: ``000010.th`` holds a run's state, ``000010.json`` tells of it.

    That is its digest, how far the run had come, and the run's config and version.
    The second file is written after the first, and each appears whole or not at all, so that a crash leaves
    no checkpoint that looks whole and is not.

    Args:
        folder: made at the first `save`.
        keep: of those named by iterations, how many stay.
        origin: entries that every checkpoint repeats, so that it can be read without its run.
    """

    def __init__(self, folder: Path, keep: int, origin: Mapping[str, Any]):
        self.folder = folder
        self._keep = keep
        self._origin = origin

    def save(self, state: Tensors, progress: Progress) -> None:
        """Write a checkpoint, and remove others but for the last few before it.

        One that is named by a later update is damaged, for the run would have gone on from it.

        Raises:
            UsageError: the folder cannot be written to, or the disk is full.
        """
        self._write(f"{progress.iteration:06d}", state, progress)
        manifests = self._manifests()
        kept = [path for path in manifests if int(path.stem) <= progress.iteration][-self._keep :]
        self._remove(path for path in manifests if path not in kept)

    def save_best(self, state: Tensors, progress: Progress) -> None:
        """Write ``best``, which is never removed."""
        self._write(BEST, state, progress)

    def load_newest(self, read: Callable[[Path], T]) -> tuple[T, Progress]:
        """Return what ``read`` makes of the newest whole checkpoint; damaged ones are reported and skipped.

        Raises:
            UsageError: there is none.
        """
        for path in reversed(self._manifests()):
            try:
                return self._load(path, read)
            except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
                logger.warning("checkpoint '%s' is damaged (%s); trying the one before it", path, error)
        raise UsageError(f"'{self.folder}' holds no whole checkpoint to resume from")

    def remove(self) -> None:
        """Remove every checkpoint, and nothing else that the folder holds.

        Raises:
            UsageError: one cannot be removed.
        """
        # Both, for a crash leaves one without the other.
        files = [*self.folder.glob("*.json"), *self.folder.glob("*.th")]
        self._remove(path for path in files if path.stem.isdecimal() or path.stem == BEST)

    def _remove(self, paths: Iterable[Path]) -> None:
        """Remove both files of the checkpoints that ``paths`` name, first what makes them look whole."""
        with writing(self.folder):
            for path in paths:
                path.with_suffix(".json").unlink(missing_ok=True)
                path.with_suffix(".th").unlink(missing_ok=True)

    def _manifests(self) -> list[Path]:
        """Return the manifests of iterations, oldest first."""
        return sorted(path for path in self.folder.glob("*.json") if path.stem.isdecimal())

    def _write(self, name: str, state: Tensors, progress: Progress) -> None:
        path = self.folder / f"{name}.th"
        manifest = {**asdict(progress), "sha256": save_tensors(state, path), **self._origin}
        text = json.dumps(manifest, indent=2) + "\n"
        write_atomically(path.with_suffix(".json"), lambda file: file.write(text.encode()))

    def _load(self, manifest: Path, read: Callable[[Path], T]) -> tuple[T, Progress]:
        entries = json.loads(manifest.read_text(encoding="utf-8"))
        path = manifest.with_suffix(".th")
        if hashlib.sha256(path.read_bytes()).hexdigest() != entries["sha256"]:
            raise ValueError("its digest is another")
        progress = Progress(**{field.name: entries[field.name] for field in fields(Progress)})
        return read(path), progress
