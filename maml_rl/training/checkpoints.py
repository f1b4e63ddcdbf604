"""Checkpoints: all that a run remembers after a meta-update, and how far it had come.

No state of a random generator is in them, because none is needed: what a meta-update draws is a function of
the seed and of the update's number.
"""

import hashlib
import json
import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TypeVar

from maml_rl._system.files import Tensors, clear_leftovers, save_tensors, write_atomically, writing
from maml_rl._system.reading import read_regular
from maml_rl.errors import UsageError

BEST = "best"
DIGEST = "manifest_sha256"
"""The entry of a manifest that is the digest of all others."""
MAY_CHANGE = {"num-batches", "env-copies"}
"""Keys that a resumed run or test may have other values of than it had before."""
T = TypeVar("T")

logger = logging.getLogger(__name__)


class OtherConfigError(UsageError):
    """A checkpoint is whole, and was saved with another config than the run has."""


@dataclass(frozen=True)
class Progress:
    """The progress of a run.

    Args:
        iteration: meta-updates made.
        env_steps: of all of them.
        best_return: highest mean return after adaptation of a training batch; None before the first.
        metrics_sha256: digest of the rows of metrics so far; None if an older version saved it.
    """

    iteration: int = 0
    env_steps: int = 0
    best_return: float | None = None
    metrics_sha256: str | None = None


class Checkpoints:
    """A folder of them: ``000010.th`` holds a run's state, ``000010.json``, its manifest, tells of it.

    That is digests, how far the run had come, and the run's config and version.
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
        manifests = numbered(self.folder)
        kept = [path for path in manifests if int(path.stem) <= progress.iteration][-self._keep :]
        self._remove(path for path in manifests if path not in kept)

    def save_best(self, state: Tensors, progress: Progress) -> None:
        """Write ``best``, which is never removed."""
        self._write(BEST, state, progress)

    def load_newest(
        self, read: Callable[[Path], T], check: Callable[[Progress], object] = lambda _: None
    ) -> tuple[T, Progress]:
        """Return what ``read`` makes of the newest whole checkpoint; damaged ones are reported and skipped.

        Args:
            check: raises `UsageError` if what else the run left does not agree with the checkpoint.

        Raises:
            UsageError: there is none.
            OtherConfigError: it was saved with another config.
        """
        reasons = []
        for path in reversed(numbered(self.folder)):
            try:
                entries = _whole_manifest(path)
                self._check_config(path, entries.get("config", {}))
                progress = _progress(entries, int(path.stem))
                check(progress)
                state = read(path.with_suffix(".th"))
            except OtherConfigError:
                raise
            except (OSError, ValueError, TypeError, RecursionError) as error:
                logger.warning("checkpoint '%s' cannot be used (%s); trying the one before it", path, error)
                reasons.append(f": {error}")
                continue
            if reasons:
                logger.warning("going on from '%s', after meta-update %d", path, progress.iteration)
            return state, progress
        newest = reasons[0] if reasons else ""
        raise UsageError(f"'{self.folder}' holds no whole checkpoint to resume from{newest}")

    def remove(self) -> None:
        """Remove every checkpoint, and nothing else that the folder holds.

        Raises:
            UsageError: one cannot be removed.
        """
        # Both, for a crash leaves one without the other.
        files = [*self.folder.glob("*.json"), *self.folder.glob("*.th")]
        self._remove(path for path in files if path.stem.isdecimal() or path.stem == BEST)

    def clear_leftovers(self) -> None:
        """Remove what processes that were killed left of checkpoints that they wrote.

        Raises:
            UsageError: a file cannot be removed.
        """
        clear_leftovers(self.folder, rf"(\d+|{BEST})\.(json|th)")

    def _check_config(self, path: Path, config: Mapping[str, Any]) -> None:
        if changed := changes(config, self._origin.get("config", {})):
            raise OtherConfigError(
                f"config.json and the config in '{path}' differ, so one of them is damaged "
                f"({'; '.join(changed)}): correct config.json, or remove that checkpoint"
            )

    def _remove(self, paths: Iterable[Path]) -> None:
        """Remove both files of the checkpoints that ``paths`` name, first what makes them look whole."""
        with writing(self.folder):
            for path in paths:
                path.with_suffix(".json").unlink(missing_ok=True)
                path.with_suffix(".th").unlink(missing_ok=True)

    def _write(self, name: str, state: Tensors, progress: Progress) -> None:
        path = self.folder / f"{name}.th"
        entries = {**asdict(progress), "sha256": save_tensors(state, path), **self._origin}
        entries[DIGEST] = _digest(entries)
        text = json.dumps(entries, indent=2) + "\n"
        write_atomically(path.with_suffix(".json"), lambda file: file.write(text.encode()))


def numbered(folder: Path) -> list[Path]:
    """Return the manifests of a folder of checkpoints that are named by iterations, oldest first."""
    paths = (path for path in folder.glob("*.json") if path.stem.isdecimal())
    return sorted(paths, key=lambda path: int(path.stem))


def changes(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the keys of configs, seeds included, whose values differ and may not, each with both values."""
    return [
        f"{key} was {before[key]!r}, is {after[key]!r}"
        for key in before
        if key in after and before[key] != after[key] and key not in MAY_CHANGE
    ]


def _digest(entries: Mapping[str, Any]) -> str:
    """Return the SHA-256 of a manifest's entries, as JSON would give them back."""
    read_back = json.loads(json.dumps(entries))
    return hashlib.sha256(json.dumps(read_back, sort_keys=True).encode()).hexdigest()


def _whole_manifest(path: Path) -> dict[str, Any]:
    """Read a manifest; compare its digests with itself and with the state beside it.

    Raises:
        OSError: one of the two files cannot be read.
        ValueError: a digest is another, or an entry is missing or unknown.
    """
    entries = json.loads(read_regular(path))
    required = {"iteration", "env_steps", "best_return", "sha256"}
    since_then = {"metrics_sha256", DIGEST}
    if not isinstance(entries, dict) or not required <= entries.keys():
        raise ValueError("entries are missing")
    if not isinstance(entries.get("config", {}), dict):
        raise ValueError("its config is none")
    # An unknown name may be one of a digest, whose absence would make this an older version's manifest.
    if unknown := entries.keys() - required - since_then - {"version", "config"}:
        raise ValueError(f"unknown entry {min(unknown)!r}")
    others = {key: value for key, value in entries.items() if key != DIGEST}
    if since_then & entries.keys() and entries.get(DIGEST) != _digest(others):
        raise ValueError("its own digest is another")
    if hashlib.sha256(read_regular(path.with_suffix(".th"))).hexdigest() != entries["sha256"]:
        raise ValueError("its digest is another")
    return entries


def _progress(entries: Mapping[str, Any], number: int) -> Progress:
    """Return what a manifest says of the progress after ``number`` meta-updates.

    Raises:
        ValueError: it says something else.
    """
    iteration, env_steps, best = (entries[key] for key in ("iteration", "env_steps", "best_return"))
    if type(iteration) is not int or iteration != number:
        raise ValueError(f"iteration is {iteration!r}, expected {number}")
    if type(env_steps) is not int or env_steps < 0:
        raise ValueError(f"env_steps is {env_steps!r}, expected a whole number")
    if not isinstance(best, float | None):
        raise ValueError(f"best_return is {best!r}, expected a number")
    return Progress(iteration, env_steps, best, entries.get("metrics_sha256"))
