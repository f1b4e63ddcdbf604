"""``maml-rl report``."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from maml_rl.cli.options import check_free, run_and_place

NAME = "report.html"


@dataclass
class Report:
    """Write one HTML file about runs, for sending to somebody.

    It holds their curves, their returns after each adaptation step and on each task, paths or a film,
    configs, seeds and versions. It asks nobody for anything, and names no folder of this machine.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Output folders of 'maml-rl train', folders of such, as 'maml-rl sweep' makes them, or maml-rl://NAME."""
    output: Path | None = None
    """The file, an .html; report.html in the first folder if not given, here for a policy that ships."""
    results: str = "results.npz"
    """Name of the file of 'maml-rl test --output' in each run's folder, which its adaptation is told from."""
    num_tasks: int = 40
    """Unseen tasks that a run without such a file is tested on; 0 leaves its adaptation and paths out."""
    num_steps: int | None = None
    """Gradient steps of such tests, paths and films; as in training if not given."""
    step_size_schedule: tuple[float, ...] = ()
    """Factors of fast-lr, one per gradient step; the last one is repeated."""
    seed: int = 0
    """Seed of the tasks and episodes of such tests, paths and films."""
    video: bool = False
    """Film an episode of each run, as 'maml-rl render' does."""
    overwrite: bool = False
    """Replace the file."""
    trust: bool = False
    """Import code that lies in a run's own folder, if its config names any."""

    def run(self) -> None:
        """Write the report and say where it is."""
        from maml_rl.errors import UsageError
        from maml_rl.training.groups import learning_folders
        from maml_rl.viz.report.adapting import ReportSettings, adapt
        from maml_rl.viz.report.page import write_report
        from maml_rl.viz.report.runs import read_runs

        if not self.runs:
            raise UsageError("report: name at least one output folder of 'maml-rl train'")
        named, places = zip(*map(run_and_place, self.runs), strict=True)
        output = places[0] / NAME if self.output is None else self.output
        if output.suffix not in (".html", ".htm"):
            raise UsageError(f"'{output}': expected a name that ends in .html")
        check_free(output, self.overwrite)
        settings = ReportSettings(
            self.results, self.num_tasks, self.num_steps, self.step_size_schedule, self.seed, self.video
        )
        runs = read_runs([folder for path in named for folder in learning_folders(path)])
        write_report(output, runs, [adapt(run, settings) for run in runs])
        print(output)
