"""Pictures of runs, from their folders to files."""

from collections.abc import Sequence
from pathlib import Path

from maml_rl.config import load_config
from maml_rl.evaluation import sample_adaptation, step_sizes
from maml_rl.training.files import load_policy
from maml_rl.training.folder import CONFIG, METRICS, POLICY
from maml_rl.training.run import Run, RunSettings
from maml_rl.viz.learning_curve import plot_learning_curves, read_metrics
from maml_rl.viz.navigation import plot_paths
from maml_rl.viz.style import save_figure

NAVIGATION = "2DNavigation-v0"
GOALS_SHOWN = 4


def learning_curve_picture(folders: Sequence[Path], path: Path) -> Path:
    """Draw the learning curves of the runs in ``folders``; return ``path``.

    Raises:
        UsageError: a folder has no readable metrics, or ``path`` cannot be written.
    """
    names = [folder.resolve().name for folder in folders]
    if len(set(names)) < len(names):
        names = [str(folder) for folder in folders]
    metrics = [read_metrics(folder / METRICS) for folder in folders]
    save_figure(plot_learning_curves(dict(zip(names, metrics, strict=True))), path)
    return path


def paths_picture(
    folder: Path, path: Path, num_steps: int, seed: int, schedule: Sequence[float] = ()
) -> bool:
    """Draw paths of the policy in ``folder`` to unseen goals; false if it is not of 2D navigation.

    Args:
        num_steps, schedule: gradient steps taken, and the factors of their size (see `step_sizes`).
        seed: of goals and episodes.

    Raises:
        UsageError: the folder has no readable config or policy, or ``path`` cannot be written.
    """
    config, _ = load_config(folder / CONFIG)
    if config.env_name != NAVIGATION:
        return False
    config = config.model_copy(update={"meta_batch_size": GOALS_SHOWN})
    with Run(config, RunSettings(seed)) as run:
        load_policy(run.policy, folder / POLICY)
        tasks, rounds = sample_adaptation(
            run.sampler, config, step_sizes(config.fast_lr, num_steps, schedule)
        )
    save_figure(plot_paths(tasks, rounds), path)
    return True
