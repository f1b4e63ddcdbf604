"""``maml-rl render``."""

from dataclasses import dataclass
from pathlib import Path

import tyro

from maml_rl.cli.options import check_free, run_and_place


@dataclass
class Render:
    """Film an episode of one task before adaptation and after each gradient step, side by side."""

    folder: tyro.conf.Positional[Path]
    """Output folder of 'maml-rl train', or maml-rl://NAME; 2D navigation, or an environment that renders."""
    output: Path | None = None
    """The video, an .mp4 or .gif; adaptation.mp4 in the run's folder if not given (here for a policy that
    ships), .gif without ffmpeg."""
    num_steps: int = 3
    """Gradient steps, each with a panel of its own."""
    step_size_schedule: tuple[float, ...] = ()
    """Factors of fast-lr, one per gradient step; the last one is repeated."""
    seed: int = 0
    """Seed of tasks and episodes."""
    task: int = 0
    """Which of the seed's tasks, from 0: those of the first batch of 'maml-rl test' with that seed."""
    fps: float | None = None
    """Environment steps shown per second; real time, but at most 50, if not given."""
    size: int = 320
    """Width and height of a panel, in pixels."""
    env_copies: int | None = None
    """Copies of the environment that there may be at once; as many as in training if not given."""
    trust: bool = False
    """Import code that lies in the run's own folder, if its config names any."""
    overwrite: bool = False
    """Replace the file."""

    def run(self) -> None:
        """Write the video and say where it is."""
        from maml_rl.viz.adaptation_video import VideoSettings, adaptation_video
        from maml_rl.viz.video import default_format

        settings = VideoSettings(
            self.num_steps,
            self.step_size_schedule,
            self.seed,
            self.task,
            self.fps,
            self.size,
            self.env_copies,
        )
        if self.output is not None:
            check_free(self.output, self.overwrite)
        folder, place = run_and_place(self.folder)
        print(adaptation_video(folder, self.output or place / f"adaptation{default_format()}", settings))
