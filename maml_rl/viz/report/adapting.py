"""What the policies of a report's runs come to on unseen tasks."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from maml_rl._system.threads import one_intra_op_thread
from maml_rl.errors import check_number
from maml_rl.evaluation import AdaptationResults, evaluate
from maml_rl.evaluation.results import check_policy
from maml_rl.training.folder import POLICY
from maml_rl.training.run import RunSettings, trained_run
from maml_rl.viz.adaptation_video import VideoSettings, adaptation_video
from maml_rl.viz.navigation import Paths
from maml_rl.viz.pictures import sample_paths
from maml_rl.viz.report.runs import ReportedRun
from maml_rl.viz.video import default_format

MOST_TASKS = 1000
"""More tasks than anybody reads through."""


@dataclass(frozen=True)
class ReportSettings:
    """The settings of a report.

    Args:
        results: name of the file of a test in each run's folder.
        num_tasks: unseen tasks to adapt to where there is no such file; 0 leaves adaptation out.
        num_steps: gradient steps; as in training if None.
        schedule: factors of their size, see `step_scales`.
        seed: of tasks and episodes.
        video: whether an episode is filmed.

    Raises:
        UsageError: a value is out of range.
    """

    results: str = "results.npz"
    num_tasks: int = 40
    num_steps: int | None = None
    schedule: Sequence[float] = ()
    seed: int = 0
    video: bool = False

    def __post_init__(self) -> None:
        check_number("num-tasks", self.num_tasks, 0, MOST_TASKS)
        check_number("seed", self.seed, 0)
        if self.num_steps is not None:
            check_number("num-steps", self.num_steps, 0)


@dataclass(frozen=True)
class Adapted:
    """How a run's policy adapts.

    Args:
        results: of a test; None if there is none.
        file: name of the file that they are from; None if the test was made for the report.
        paths: of 2D navigation.
        video: an address that holds the whole film, ``data:…``.
    """

    results: AdaptationResults | None = None
    file: str | None = None
    paths: Paths | None = None
    video: str | None = None


def adapt(run: ReportedRun, settings: ReportSettings) -> Adapted:
    """Read the results of a run's test, or test its policy; and sample paths or a film of it.

    Raises:
        UsageError: the results or the policy cannot be read, the environment cannot be made, or has no
            pictures to film.
    """
    file = run.folder / settings.results
    results = AdaptationResults.load(file) if file.exists() else None
    found = None if results is None else file.name
    if results is not None:
        check_policy(file, results.policy, run.folder / POLICY)
    if not run.has_policy:
        return Adapted(results, found)
    if results is None and settings.num_tasks:
        results = _tested(run, settings)
    steps = run.config.num_steps if settings.num_steps is None else settings.num_steps
    paths = sample_paths(run.folder, steps, settings.seed, settings.schedule) if settings.num_tasks else None
    return Adapted(results, found, paths, _film(run, steps, settings) if settings.video else None)


def _tested(run: ReportedRun, settings: ReportSettings) -> AdaptationResults:
    changes = {"meta_batch_size": settings.num_tasks, "num_batches": 1}
    if settings.num_steps is not None:
        changes["num_steps"] = settings.num_steps
    tested = trained_run(run.folder, RunSettings(settings.seed), **changes)
    with tested as (made, theta), one_intra_op_thread():
        return evaluate(made, theta, settings.schedule)


def _film(run: ReportedRun, steps: int, settings: ReportSettings) -> str:
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"adaptation{default_format()}"
        adaptation_video(run.folder, path, VideoSettings(steps, settings.schedule, settings.seed))
        kind = "video/mp4" if path.suffix == ".mp4" else "image/gif"
        return f"data:{kind};base64,{base64.b64encode(path.read_bytes()).decode()}"
