"""Results of tests in the folders of runs, grouped into comparisons of methods."""

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from maml_rl.config import Config, load_config
from maml_rl.errors import UsageError
from maml_rl.evaluation.aggregates import Values
from maml_rl.evaluation.comparison import Comparison
from maml_rl.evaluation.results import check_policy, read_results
from maml_rl.evaluation.task_arrays import of_tasks, task_text
from maml_rl.training.folder import CONFIG, POLICY
from maml_rl.training.groups import NAMED_KEYS, differing_keys, run_folders

logger = logging.getLogger(__name__)
TASK_KEYS = ("env-name", "env-kwargs", "task-space", "tasks", "test-tasks")
"""Keys of a config that say what the tasks are; all others are of the method."""


class RunResults(NamedTuple):
    """A run and its returns on test tasks.

    Args:
        seed: of the training.
        returns: means over each task's episodes, ``[gradient steps + 1, tasks]``.
        episodes: of a task, from which each step learned; 0 if no step did.
        tasks: arrays with one row per task, see `task_arrays`.
    """

    file: Path
    config: Config
    seed: int | None
    returns: Values
    episodes: int
    tasks: Mapping[str, NDArray[Any]]

    @property
    def family(self) -> str:
        """The family of tasks, as one line of YAML."""
        config = self.config.to_dict()
        return task_text({key: config[key] for key in TASK_KEYS if config[key]})

    @property
    def settings(self) -> str:
        """All that the run was trained with and that its result depends on, but for tasks and seed."""
        passed = {*TASK_KEYS, "env-copies"}
        return repr({key: value for key, value in self.config.to_dict().items() if key not in passed})


def run_results(paths: Sequence[Path], name: str) -> list[RunResults]:
    """Read the results of runs.

    Args:
        paths: folders of runs, folders of such folders, or files of results in a run's folder.
        name: of the file of results in each run's folder.

    Raises:
        UsageError: a run has no config or no results, they cannot be read, or a run is there twice.
    """
    files = [
        file
        for path in paths
        for file in ([path] if path.is_file() else [folder / name for folder in run_folders(path)])
    ]
    return [_read(file) for file in dict.fromkeys(files)]


def comparisons(runs: Sequence[RunResults]) -> list[Comparison]:
    """Return a comparison of the runs' methods for each family of tasks, in the order of the runs.

    Runs that differ in their seed alone are one method. Its name is the config's ``metalearner``, and what
    differs between the settings of the same one.

    Raises:
        UsageError: runs of a family were tested on different tasks or with different numbers of steps, or two
            of a method have the same seed.
    """
    families = _grouped(runs, "family")
    ids = {family: members[0].config.env_name for family, members in families.items()}
    shared = Counter(ids.values())
    return [
        _comparison(ids[family] if shared[ids[family]] == 1 else family, members)
        for family, members in families.items()
    ]


def _comparison(task: str, runs: Sequence[RunResults]) -> Comparison:
    first = runs[0]
    for run in runs:
        same = run.tasks.keys() == first.tasks.keys() and all(
            run.tasks[key].tobytes() == first.tasks[key].tobytes() for key in run.tasks
        )
        if not same or run.returns.shape != first.returns.shape:
            raise UsageError(
                f"'{first.file}' and '{run.file}' are not of the same tasks and gradient steps: test both "
                "with the same --seed, --meta-batch-size, --num-batches and --num-steps"
            )
    if len(numbers := {run.episodes for run in runs} - {0}) > 1:
        few, many = (next(run for run in runs if run.episodes == end(numbers)) for end in (min, max))
        logger.warning(
            "'%s' has %d episodes for each task and step, '%s' %d: more teach a step more; "
            "test both with the same --fast-batch-size, unless that is what you compare",
            *(few.file, few.episodes, many.file, many.episodes),
        )
    settings = _grouped(runs, "settings")
    for members in settings.values():
        _check_seeds(members)
    names = _names(list(settings.values()))
    return Comparison(
        task,
        {
            name: np.stack([run.returns for run in members])
            for name, members in zip(names, settings.values(), strict=True)
        },
    )


def _names(groups: Sequence[Sequence[RunResults]]) -> list[str]:
    """Name each group of runs by its method, and by what differs between the groups of the same method."""
    names = []
    for group in groups:
        config = group[0].config
        others = [other[0].config for other in groups if other[0].config.metalearner == config.metalearner]
        keys = differing_keys(others)
        values = config.to_dict()
        notes = ", ".join(f"{key} {values[key]}" for key in keys)
        if len(keys) > NAMED_KEYS:
            notes = str(group[0].file.parent)
        names.append(f"{config.metalearner} ({notes})" if notes else config.metalearner)
    return names


def _check_seeds(runs: Sequence[RunResults]) -> None:
    by_seed = sorted(runs, key=lambda run: str(run.seed))
    for seed, members in groupby(by_seed, key=lambda run: run.seed):
        first, *others = members
        if others and seed is not None:
            raise UsageError(
                f"'{first.file}' and '{others[0].file}' are of runs with the same config and seed {seed}: "
                "such runs are no two samples; leave one out"
            )


def _grouped(runs: Sequence[RunResults], by: str) -> dict[str, list[RunResults]]:
    groups: dict[str, list[RunResults]] = {}
    for run in runs:
        groups.setdefault(getattr(run, by), []).append(run)
    return groups


def _read(file: Path) -> RunResults:
    folder = file.parent
    config, execution = load_config(folder / CONFIG)
    if not file.exists():
        raise UsageError(
            f"'{folder}' has no {file.name}: maml-rl test --config {folder / CONFIG} "
            f"--policy {folder / POLICY} --output {file}, with the same --seed for all runs"
        )
    arrays = read_results(file)
    check_policy(file, str(arrays.get("policy", "")), folder / POLICY)
    returns = arrays["returns"].astype(np.float64).mean(2)
    learns = not np.isnan(arrays.get("step_sizes", np.zeros(0))).any()  # A memory's episodes are its own.
    episodes = arrays["returns"].shape[2] if learns else 0
    return RunResults(file, config, execution.get("seed"), returns, episodes, of_tasks(arrays))
