"""``maml-rl plot``."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from maml_rl.cli.options import run_and_place

if TYPE_CHECKING:
    from maml_rl.viz.learning_curve import Axis


@dataclass
class Plot:
    """Draw the learning curves of runs; for 2D navigation, also the paths of the first.

    Runs that differ in their seed alone are one curve.
    """

    runs: tyro.conf.Positional[tuple[Path, ...]]
    """Output folders of 'maml-rl train', folders of such, as 'maml-rl sweep' makes them, or maml-rl://NAME."""
    output: Path | None = None
    """Where the pictures go; the first folder if not given, here for a policy that ships."""
    x: Literal["iterations", "env-steps"] = "iterations"
    """What the learning curves run along."""
    format: Annotated[str, tyro.conf.arg(metavar="png|svg|pdf")] = "png"
    """Kind of picture."""
    num_steps: int = 1
    """Gradient steps whose paths are drawn."""
    step_size_schedule: tuple[float, ...] = ()
    """Factors of fast-lr, one per gradient step; the last one is repeated."""
    seed: int = 0
    """Seed of the tasks and episodes whose paths are drawn."""
    trust: bool = False
    """Import code that lies in a run's own folder, if its config names any."""

    def run(self) -> None:
        """Write the pictures and say where they are."""
        from maml_rl.errors import UsageError
        from maml_rl.training.groups import learning_folders
        from maml_rl.viz.pictures import learning_curve_picture, paths_picture

        if not self.runs:
            raise UsageError("plot: name at least one output folder of 'maml-rl train'")
        if self.format not in ("png", "svg", "pdf"):
            raise UsageError(f"format '{self.format}': expected png, svg or pdf")
        named, places = zip(*map(run_and_place, self.runs), strict=True)
        folders = [folder for path in named for folder in learning_folders(path)]
        output = self.output or places[0]
        axis: Axis = "iteration" if self.x == "iterations" else "env_steps"
        print(learning_curve_picture(folders, output / f"learning-curve.{self.format}", axis))
        for folder in folders[:1]:
            path = output / f"paths.{self.format}"
            if paths_picture(folder, path, self.num_steps, self.seed, self.step_size_schedule):
                print(path)
