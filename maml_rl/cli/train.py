"""``maml-rl train``."""

import logging
import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maml_rl._system.processors import usable_processors
from maml_rl.cli.interrupts import advising, held_back, on_signal, signal_named, time_limit
from maml_rl.cli.options import Origin, SamplerName, config_from, ray_cluster, with_config
from maml_rl.config import WORKER_TIMEOUT, Config, LearnerName, LoggerName, load_config
from maml_rl.errors import UsageError

if TYPE_CHECKING:
    from maml_rl.metalearners import MetaState
    from maml_rl.training import Run, RunFolder
    from maml_rl.training.checkpoints import Progress
    from maml_rl.training.folder import Replaceable
    from maml_rl.training.progress import Detail

logger = logging.getLogger(__name__)


@dataclass
class Train:
    """Meta-train a policy; write its config, parameters, metrics and checkpoints."""

    hyperparameters: Any
    """The keys of the config."""
    config: Path | None = None
    """Config file, YAML or JSON; its values are the defaults of the options below."""
    output_folder: Path | None = None
    """Where the results go; runs/ENVIRONMENT-SEED if not given."""
    overwrite: bool = False
    """Replace a run that the output folder holds."""
    resume: Path | None = None
    """Go on with the run in this folder from its newest checkpoint. Only num-batches and env-copies may
    be others."""
    resume_or_start: bool = False
    """Go on with the run that --output-folder holds, or begin it: for jobs that are started again."""
    checkpoint_every: int = 10
    """Meta-updates from one checkpoint to the next."""
    keep_checkpoints: int = 3
    """Checkpoints that stay, besides the best."""
    checkpoint_signal: str | None = None
    """Signal that saves a checkpoint while the run goes on, such as USR1; otherwise it would end the run."""
    max_seconds: float | None = None
    """Seconds after which the run saves a checkpoint and ends, with exit code 75."""
    seed: int | None = None
    """Seed of the whole run; drawn and recorded if not given."""
    num_workers: int = field(default_factory=usable_processors)
    """Sampler processes, or Ray actors; 0 samples in this process. The result is the same for any number."""
    sampler: SamplerName = "processes"
    """Where workers are: processes of this machine, or actors of a Ray cluster. The result is the same."""
    ray_address: str | None = None
    """Ray cluster that is running, 'auto' or HOST:PORT; one is started on this machine if not given."""
    learner: LearnerName = "local"
    """Where meta-updates are computed: in this process, or remote, by the workers that hold the episodes.
    The result is the same."""
    device: str = "cpu"
    """What meta-updates of this process are computed on: cpu or cuda."""
    use_cuda: bool = False
    """The 2020 spelling of --device cuda."""
    worker_timeout: float = WORKER_TIMEOUT
    """Seconds without an answer after which a sampler process counts as dead."""
    logger: LoggerName = "tensorboard"
    """Where metrics go besides metrics.csv. Weights & Biases needs pip install wandb."""
    quiet: bool = False
    """Print warnings and errors alone."""
    verbose: bool = False
    """Print every metric of every meta-update."""
    rebuild_graphs: bool = False
    """Bound the memory of meta-updates: graphs are rebuilt for each use. Slower; the result is the same."""
    trust: bool = False
    """Import code that lies in the folder of the config.json in use, if that names any."""

    @classmethod
    def defaults(cls, origin: Origin) -> "Train":
        """Return the command with the file's values."""
        return with_config(cls, origin)

    def run(self) -> None:
        """Train until the last batch, with checkpoints on the way."""
        with time_limit(self.max_seconds):
            self._run(config_from(self.hyperparameters))

    def _run(self, config: Config) -> None:
        if self.num_workers and self.sampler == "processes":
            from maml_rl._system import forkserver

            forkserver.start()
        # Imported here: PyTorch and MuJoCo take seconds, and "--help" must not.
        from maml_rl.envs.check import quick_findings
        from maml_rl.training import Run, RunFolder, RunSettings
        from maml_rl.training.loggers import check_logger

        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose: choose one")
        check_logger(self.logger)
        signal_named(self.checkpoint_signal)
        resumed = self._resumed()
        seed, path, source = self._origin(config, resumed)
        device = "cuda" if self.use_cuda else self.device
        cluster = ray_cluster(self.sampler, self.ray_address, self.verbose)
        settings = RunSettings(
            seed, self.num_workers, device, self.worker_timeout, self.rebuild_graphs, cluster, self.learner
        )
        execution = {
            "config": source,
            "output_folder": str(path),
            "seed": seed,
            "num_workers": self.num_workers,
            "device": device,
        }
        folder = RunFolder(path, config, execution, self.checkpoint_every, self.keep_checkpoints)
        replaceable: Replaceable = "any" if self.overwrite else "bare" if self.resume_or_start else "none"
        if resumed is None:
            folder.check_free(replaceable)
        for finding in quick_findings(config.env_name, config.env_arguments, config.env_copies):
            logger.warning("environment '%s': %s", config.env_name, finding.message)
        # Whatever ends the run, the folder keeps a checkpoint of the last whole meta-update.
        with Run(config, settings) as run, closed_whole(folder):
            state, layout = run.init(), run.learner.layout
            with held_back():
                if resumed is None:
                    done = folder.start(layout, state, replaceable)
                else:
                    state, done = folder.resume(layout, state, run.columns)
            self._train(run, folder, state, done, {**config.to_dict(), **execution})
        if not self.quiet:
            print(f"seed {seed}; config, policy, metrics and checkpoints are in {path}")

    def _train(
        self, run: "Run", folder: "RunFolder", state: "MetaState", done: "Progress", entries: dict[str, Any]
    ) -> None:
        """Make the meta-updates that are left."""
        from maml_rl.training import train
        from maml_rl.training.loggers import make_logger
        from maml_rl.training.progress import ProgressReport

        detail: Detail = "quiet" if self.quiet else "verbose" if self.verbose else "normal"
        with (
            advising(f"go on with: maml-rl train --resume {shlex.quote(str(folder.path))}"),
            on_signal(signal_named(self.checkpoint_signal), folder.checkpoint),
            closing(make_logger(self.logger, folder.path, entries, done.iteration)) as numbers,
            ProgressReport(type(run.learner), run.config.num_batches, done.iteration, detail) as report,
        ):
            for iteration in train(run, state, done):
                with held_back():
                    folder.write_iteration(iteration)
                numbers.write(iteration)
                report.update(iteration)

    def _resumed(self) -> Path | None:
        """Return the folder of the run to go on with; None to begin one."""
        from maml_rl.training.folder import is_begun

        if not self.resume_or_start:
            if self.resume is not None and (self.output_folder is not None or self.overwrite):
                raise UsageError(
                    "--resume goes on in the run's own folder: leave out --output-folder and --overwrite"
                )
            return self.resume
        if self.output_folder is None or self.resume is not None or self.overwrite:
            raise UsageError("--resume-or-start needs --output-folder, and neither --resume nor --overwrite")
        return self.output_folder if is_begun(self.output_folder) else None

    def _origin(self, config: Config, resumed: Path | None) -> tuple[int, Path, str | None]:
        """Return the run's seed, its folder, and the config file that it was begun with."""
        from maml_rl.seeding import draw_seed

        source = None if self.config is None else str(self.config)
        if resumed is None:
            seed = draw_seed() if self.seed is None else self.seed
            return seed, self.output_folder or Path("runs") / f"{config.env_name}-{seed}", source
        path = resumed / "config.json"
        _, recorded = load_config(path)
        if not isinstance(recorded.get("seed"), int):
            raise UsageError(f"'{path}' names no seed: it is not the config of a run")
        seed = recorded["seed"] if self.seed is None else self.seed
        return seed, resumed, recorded.get("config") if source is None else source


@contextmanager
def closed_whole(folder: "RunFolder") -> Iterator[None]:
    """Close the folder after the block; a signal that comes meanwhile waits until its files are whole."""
    try:
        yield
    finally:
        with held_back():
            folder.close()
