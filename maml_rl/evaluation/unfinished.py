"""The finished batches of a test that goes on, kept in a file beside where its results will be."""

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from maml_rl._system.files import write_atomically, writing
from maml_rl._system.reading import read_regular
from maml_rl.envs import Task
from maml_rl.envs.task_space import Split
from maml_rl.errors import UsageError
from maml_rl.evaluation.results import AdaptedBatch, BatchNumbers
from maml_rl.evaluation.task_arrays import task_text
from maml_rl.training.checkpoints import MAY_CHANGE
from maml_rl.training.run import Run


class UnfinishedTest:
    """Keeps the finished batches of a test, by the policy's name.

    Args:
        output: where the test's results will be; the file is beside it. None keeps nothing.
        about: all that the batches depend on, as JSON has it; ``policies`` are digests by name.
    """

    def __init__(self, output: Path | None, about: Mapping[str, Any]):
        self._path = None if output is None else unfinished_path(output)
        self._about = json.loads(json.dumps(about))
        self._batches: dict[str, list[BatchNumbers]] = {name: [] for name in about["policies"]}
        self._kept = False

    def __enter__(self) -> "UnfinishedTest":
        """Write the file, so that what cannot be written is known before anything is sampled.

        Raises:
            UsageError: the file cannot be written.
        """
        self._write()
        return self

    def __exit__(self, *_: object) -> None:
        if not self._kept:
            self.remove()

    def load(self) -> None:
        """Read the batches that an earlier process kept, if there is their file.

        Raises:
            UsageError: the file is damaged, or is of another test.
        """
        if self._path is None or not self._path.exists():
            return
        about, arrays = _read(self._path)
        about.setdefault("task-set", "test")  # Older versions drew no others.
        if differing := [key for key in self._about if about.get(key) != self._about[key]]:
            raise UsageError(
                f"'{self._path}' is of a test with another {', '.join(differing)}: test with the same, "
                "or pass --overwrite to begin anew"
            )
        for name, batches in self._batches.items():
            while (steps := arrays.get(self._key("success_steps", name, len(batches)))) is not None:
                returns = arrays[self._key("returns", name, len(batches))]
                successes = arrays.get(self._key("successes", name, len(batches)))
                batches.append(BatchNumbers(returns, successes, steps))

    def batches(self, name: str) -> tuple[BatchNumbers, ...]:
        """Return what the finished batches of the policy ``name`` came to, in their order."""
        return tuple(self._batches[name])

    def keep(self, name: str, batch: AdaptedBatch) -> None:
        """Keep the next batch of the policy ``name``.

        Raises:
            UsageError: the file cannot be written.
        """
        self._batches[name].append(BatchNumbers(batch.returns, batch.successes, batch.success_steps))
        self._write()

    def remove(self) -> None:
        """Remove the file: the results are written."""
        if self._path is not None:
            with writing(self._path):
                self._path.unlink(missing_ok=True)

    def _write(self) -> None:
        if self._path is None:
            return
        arrays = {"about": np.array(json.dumps(self._about))}
        for name, batches in self._batches.items():
            for number, batch in enumerate(batches):
                for what, array in batch._asdict().items():
                    if array is not None:
                        arrays[self._key(what, name, number)] = array
        write_atomically(self._path, lambda file: np.savez(file, allow_pickle=False, **arrays))
        self._kept = any(self._batches.values())

    def _key(self, what: str, name: str, number: int) -> str:
        """Return the name of an array: by the policy's digest, which is one whatever the policies' order."""
        return f"{what}-{self._about['policies'][name]}-{number}"


def about_test(
    run: Run,
    thetas: Mapping[str, Tensor],
    scales: Sequence[float],
    tasks: Sequence[Task] | None,
    split: Split,
) -> dict[str, Any]:
    """Return all that the batches of a test depend on, without their number and what changes no result.

    Args:
        thetas: the meta-parameters to adapt from, by the policy's name.
        scales: factors of the steps' size.
        tasks: to adapt to in place of drawn ones.
        split: what tasks are drawn from.
    """
    config = {key: value for key, value in run.config.to_dict().items() if key not in MAY_CHANGE}
    return {
        **config,
        "seed": run.sampler.seed,
        "step-size-schedule": scales,
        "task-set": split,
        # Where none are given, they may be drawn from those of training.
        "tasks": config["tasks"] if tasks is None else [task_text(task) for task in tasks],
        "policies": {name: sha256(x.cpu().numpy().tobytes()).hexdigest() for name, x in thetas.items()},
    }


def unfinished_path(output: Path) -> Path:
    """Return the file of the batches of a test whose results will be in ``output``."""
    return output.with_name(f"{output.name}.unfinished")


def unfinished_seed(output: Path) -> int | None:
    """Return the seed of the unfinished test beside ``output``; None if there is none.

    Raises:
        UsageError: its file is damaged.
    """
    path = unfinished_path(output)
    return int(_read(path)[0]["seed"]) if path.exists() else None


def _read(path: Path) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    try:
        content = io.BytesIO(read_regular(path))  # Of a path, a damaged file would stay open.
        with np.load(content, allow_pickle=False) as file:
            arrays = dict(file)
        about = json.loads(str(arrays.pop("about")))
        int(about["seed"])
    except (OSError, ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(
            f"'{path}' is no unfinished test ({reason}): pass --overwrite to begin anew"
        ) from None
    return about, arrays
