"""``maml-rl train``."""

from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maml_rl._system.processors import usable_processors
from maml_rl.cli.options import Origin, config_from, with_config
from maml_rl.config import WORKER_TIMEOUT, Config, LoggerName, load_config
from maml_rl.errors import UsageError

if TYPE_CHECKING:
    from maml_rl.training.progress import Detail


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
    """Go on with the run in this folder from its newest checkpoint. Only num-batches may be another."""
    checkpoint_every: int = 10
    """Meta-updates from one checkpoint to the next."""
    keep_checkpoints: int = 3
    """Checkpoints that stay, besides the best."""
    seed: int | None = None
    """Seed of the whole run; drawn and recorded if not given."""
    num_workers: int = field(default_factory=usable_processors)
    """Sampler processes; 0 samples in this one. The result is the same for any number."""
    device: str = "cpu"
    """Where meta-updates are computed: cpu or cuda."""
    use_cuda: bool = False
    """The 2020 spelling of --device cuda."""
    worker_timeout: float = WORKER_TIMEOUT
    """Seconds without an answer after which a sampler process counts as dead."""
    logger: LoggerName = "tensorboard"
    """Where metrics go besides metrics.csv. Weights & Biases needs pip install 'maml-rl[wandb]'."""
    quiet: bool = False
    """Print warnings and errors alone."""
    verbose: bool = False
    """Print every metric of every meta-update."""
    rebuild_graphs: bool = False
    """Bound the memory of meta-updates: graphs are rebuilt for each use. Slower; the result is the same."""

    @classmethod
    def defaults(cls, origin: Origin) -> "Train":
        """Return the command with the file's values."""
        return with_config(cls, origin)

    def run(self) -> None:
        """Train until the last batch, with checkpoints on the way."""
        config = config_from(self.hyperparameters)
        if self.num_workers:
            from maml_rl._system import forkserver

            forkserver.start()
        # Imported here: PyTorch and MuJoCo take seconds, and "--help" must not.
        from maml_rl.training import Run, RunFolder, RunSettings, train
        from maml_rl.training.loggers import check_logger, make_logger
        from maml_rl.training.progress import ProgressReport

        if self.quiet and self.verbose:
            raise UsageError("--quiet and --verbose: choose one")
        check_logger(self.logger)
        detail: Detail = "quiet" if self.quiet else "verbose" if self.verbose else "normal"
        seed, path, source = self._origin(config)
        device = "cuda" if self.use_cuda else self.device
        settings = RunSettings(seed, self.num_workers, device, self.worker_timeout, self.rebuild_graphs)
        execution = {
            "config": source,
            "output_folder": str(path),
            "seed": seed,
            "num_workers": self.num_workers,
            "device": device,
        }
        folder = RunFolder(path, config, execution, self.checkpoint_every, self.keep_checkpoints)
        if self.resume is None:
            folder.check_free(self.overwrite)
        # Whatever ends the run, the folder keeps a checkpoint of the last whole meta-update.
        with Run(config, settings) as run, closing(folder):
            state, layout = run.learner.init(), run.learner.layout
            if self.resume is None:
                done = folder.start(layout, state)
            else:
                state, done = folder.resume(layout, state)
            entries = {**config.to_dict(), **execution}
            with (
                closing(make_logger(self.logger, path, entries, done.iteration)) as logger,
                ProgressReport(type(run.learner), config.num_batches, done.iteration, detail) as report,
            ):
                for iteration in train(run, state, done):
                    folder.write_iteration(iteration)
                    logger.write(iteration)
                    report.update(iteration)
        if not self.quiet:
            print(f"seed {seed}; config, policy, metrics and checkpoints are in {path}")

    def _origin(self, config: Config) -> tuple[int, Path, str | None]:
        """Return the run's seed, its folder, and the config file that it was begun with."""
        from maml_rl.seeding import draw_seed

        source = None if self.config is None else str(self.config)
        if self.resume is None:
            seed = draw_seed() if self.seed is None else self.seed
            return seed, self.output_folder or Path("runs") / f"{config.env_name}-{seed}", source
        if self.output_folder is not None or self.overwrite:
            raise UsageError(
                "--resume goes on in the run's own folder: leave out --output-folder and --overwrite"
            )
        path = self.resume / "config.json"
        _, recorded = load_config(path)
        if not isinstance(recorded.get("seed"), int):
            raise UsageError(f"'{path}' names no seed: it is not the config of a run")
        seed = recorded["seed"] if self.seed is None else self.seed
        return seed, self.resume, recorded.get("config") if source is None else source
