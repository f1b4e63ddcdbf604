"""Pictures of runs, from their folders to files."""

import os
from collections.abc import Sequence
from pathlib import Path

from maml_rl.config import load_config
from maml_rl.evaluation import evaluation_tasks, sample_adaptation, step_scales
from maml_rl.training.folder import CONFIG, METRICS, POLICY
from maml_rl.training.groups import NAMED_KEYS, RunGroup, differing_keys, grouped
from maml_rl.training.run import RunSettings, trained_run
from maml_rl.training.tables import read_columns
from maml_rl.viz.learning_curve import NEEDED, Axis, plot_learning_curves
from maml_rl.viz.navigation import Paths, plot_paths
from maml_rl.viz.style import save_figure

NAVIGATION = "2DNavigation-v0"
GOALS_SHOWN = 4
SEED = "seed-"
"""What the names of folders begin with that differ in the seed alone, as those of a sweep do."""


def learning_curve_picture(folders: Sequence[Path], path: Path, axis: Axis = "iteration") -> Path:
    """Draw the learning curves of the runs in ``folders``; return ``path``.

    Runs of the same config are one curve: they differ in their seed alone.

    Raises:
        UsageError: a folder has no readable config or metrics, or ``path`` cannot be written.
    """
    groups = grouped(folders)
    labels = _labels(groups)
    metrics = {
        label: [read_columns(folder / METRICS, NEEDED) for folder in members]
        for label, (_, members) in zip(labels, groups, strict=True)
    }
    save_figure(plot_learning_curves(metrics, axis), path)
    return path


def _labels(groups: Sequence[RunGroup]) -> list[str]:
    """Name groups of runs by their folders, by as much of the path as tells the groups apart.

    The shared keys of the config that differ follow, if they are few and the folder is not named by them.
    """
    paths = [_folder_of_seeds([member.resolve() for member in members]) for _, members in groups]
    if len(set(paths)) < len(paths):
        paths = [members[0].resolve() for _, members in groups]
    if len({path.name for path in paths}) == len(paths):
        names = [path.name for path in paths]
    else:
        common = os.path.commonpath(paths)
        names = [str(path.relative_to(common)) for path in paths]
    configs = [config.to_dict() for config, _ in groups]
    differing = differing_keys([config for config, _ in groups])
    named = differing if len(differing) <= NAMED_KEYS else []
    labels = []
    for name, config, (_, members) in zip(names, configs, groups, strict=True):
        notes = [f"{key} {config[key]}" for key in named if f"{key}=" not in name]
        notes += [f"{len(members)} seeds"] if len(members) > 1 else []
        labels.append(f"{name} ({', '.join(notes)})" if notes else name)
    return labels


def _folder_of_seeds(folders: Sequence[Path]) -> Path:
    """Return the folder that holds all, if they are called by their seeds; otherwise the first."""
    parent = folders[0].parent
    seeds = all(path.parent == parent and path.name.startswith(SEED) for path in folders)
    return parent if seeds else folders[0]


def paths_picture(
    folder: Path, path: Path, num_steps: int, seed: int, schedule: Sequence[float] = ()
) -> bool:
    """Draw paths of the policy in ``folder`` to unseen goals; false where `sample_paths` has none.

    Args:
        num_steps, seed, schedule: see `sample_paths`.

    Raises:
        UsageError: ``path`` cannot be written, or `sample_paths` raises it.
    """
    sampled = sample_paths(folder, num_steps, seed, schedule)
    if sampled is None:
        return False
    save_figure(plot_paths(sampled), path)
    return True


def sample_paths(folder: Path, num_steps: int, seed: int, schedule: Sequence[float] = ()) -> Paths | None:
    """Return unseen goals and the episodes to them.

    There are none without a policy in ``folder``, or of another environment than 2D navigation.

    Args:
        num_steps, schedule: gradient steps taken, and the factors of their size (see `step_scales`).
        seed: of goals and episodes.

    Raises:
        UsageError: the config cannot be read, or the policy does not fit it.
    """
    config, _ = load_config(folder / CONFIG)
    if config.env_name != NAVIGATION or not (folder / POLICY).exists():
        return None
    with trained_run(folder, RunSettings(seed), meta_batch_size=GOALS_SHOWN) as (run, theta):
        tasks = evaluation_tasks(run)[:GOALS_SHOWN]
        rounds = sample_adaptation(run, theta, tasks, step_scales(num_steps, schedule))
        return Paths(tasks, rounds, [run.learner.adaptation.round_name(step) for step in range(len(rounds))])
