"""The video of a run: one task before adaptation, and after each gradient step."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from torch import Tensor

from maml_rl._system.threads import one_intra_op_thread
from maml_rl.adaptation import Adaptation
from maml_rl.envs import Task
from maml_rl.episode import BatchEpisodes
from maml_rl.errors import UsageError, check_number
from maml_rl.evaluation import evaluation_tasks, sample_adaptation, step_scales
from maml_rl.evaluation.task_arrays import task_text
from maml_rl.stacked import stack_episodes
from maml_rl.training.run import RunSettings, trained_run
from maml_rl.viz.rendering import check_renderable, record_episodes
from maml_rl.viz.video import check_format, side_by_side, write_video

DEFAULT_FPS, MOST_FPS = 20, 50
"""Frames per second of an environment that names none, and the most that a gif can show."""
FPS = 0.1, 1000.0
"""Least and most that can be asked for: video files have no slower ones, and no screen shows more."""
SMALLEST, LARGEST = 200, 4000
"""Pixels; in narrower panels the titles cannot be read, and wider ones no screen has."""
FEW_NUMBERS = 6
"""Numbers of an array that a heading has room for."""
LAST_TASK = 99
"""All tasks up to the one that is filmed are sampled."""


@dataclass(frozen=True)
class VideoSettings:
    """The settings of a video.

    Args:
        num_steps: gradient steps, each with a panel of its own.
        schedule: factors of their size (see `step_scales`).
        seed: of tasks and episodes. Tasks and gradient steps are those of an evaluation's first batch.
        task: the task's number, from 0.
        fps: frames per second; real time, but at most 50, if None.
        size: width and height of a panel in pixels.
        env_copies: of the environment, at most; as the run's config says if None.

    Raises:
        UsageError: a value is out of range.
    """

    num_steps: int = 3
    schedule: Sequence[float] = ()
    seed: int = 0
    task: int = 0
    fps: float | None = None
    size: int = 320
    env_copies: int | None = None

    def __post_init__(self) -> None:
        check_number("num-steps", self.num_steps, 0)
        check_number("task", self.task, 0, LAST_TASK)
        check_number("size", self.size, SMALLEST, LARGEST)
        if self.fps is not None:
            check_number("fps", self.fps, *FPS)


def adaptation_video(folder: Path, path: Path, settings: VideoSettings) -> Path:
    """Film how the policy in ``folder`` adapts to one unseen task; return where the video is.

    Args:
        folder: of the run.
        path: an .mp4 or .gif.

    Raises:
        UsageError: the folder has no readable config or policy, its environment has no pictures, there
            is no OpenGL, or ``path`` cannot be written.
    """
    check_format(path)
    # Adapting to the tasks before it too makes the steps those of 'maml-rl test' with the same seed.
    changes = {"meta_batch_size": settings.task + 1}
    if settings.env_copies is not None:
        changes["env_copies"] = settings.env_copies
    adapted = trained_run(folder, RunSettings(settings.seed), **changes)
    with adapted as (run, theta), one_intra_op_thread():
        check_renderable(run.env)
        scales = step_scales(settings.num_steps, settings.schedule)
        tasks = evaluation_tasks(run)[: settings.task + 1]
        if settings.task >= len(tasks):
            raise UsageError(
                f"task: expected 0 to {len(tasks) - 1}, the config's test-tasks, got {settings.task}"
            )
        rounds = sample_adaptation(run, theta, tasks, scales)
        task = tasks[settings.task]
        of_task = [episodes[settings.task] for episodes in rounds]
        params = adapted_parameters(run.learner.adaptation, theta, of_task, scales)
        fps = settings.fps or float(min(run.env.metadata.get("render_fps", DEFAULT_FPS), MOST_FPS))
        recordings = record_episodes(run, task, settings.task, params, settings.size)
    titles = [run.learner.adaptation.round_name(step) for step in range(len(scales) + 1)]
    heading = f"{run.config.env_name}, {describe(task)}"
    write_video(side_by_side(recordings, titles, heading), path, fps)
    return path


def adapted_parameters(
    adaptation: Adaptation,
    theta: Float[Tensor, "P"],
    rounds: Sequence[BatchEpisodes],
    scales: Sequence[float],
) -> list[Float[Tensor, "1 P"]]:
    """Return a task's parameters after 0, 1, … steps.

    Args:
        theta: the parameters before the first step.
        rounds: the task's episodes, before each step and after the last; those after it do not matter.
        scales: factors of the steps' size.
    """
    params = [adaptation.start(theta, 1)]
    if not adaptation.needs_advantages:  # Nor does it look at the episodes in any other way.
        return params * (len(scales) + 1)
    for episodes, scale in zip(rounds, scales, strict=False):
        params.append(adaptation.step(params[-1], stack_episodes([episodes]), scale))
    return params


def describe(task: Task) -> str:
    """Return the task in words: ``velocity 1.34``, ``goal (0.31, −0.2)``."""
    if not isinstance(task, Mapping):
        return task_text(task)
    words = []
    for name, value in task.items():
        numbers = [_short(x) for x in np.ravel(value)[:FEW_NUMBERS]]
        numbers += ["…"] * (np.size(value) > FEW_NUMBERS)
        words.append(f"{name} {numbers[0]}" if len(numbers) == 1 else f"{name} ({', '.join(numbers)})")
    return ", ".join(words)


def _short(value: object) -> str:
    if isinstance(value, int | float | np.number):
        return f"{round(float(value), 2) + 0.0:g}".replace("-", "−")
    return str(value)
