"""``maml-rl train``."""

from dataclasses import dataclass, field
from pathlib import Path

import tyro

from maml_rl import forkserver
from maml_rl.cli.options import ConfigOptions, config_from, default_workers, options_of
from maml_rl.config import Config


@dataclass
class Train:
    """Meta-train a policy; write config.json, policy.th and metrics.csv."""

    options: tyro.conf.OmitArgPrefixes[ConfigOptions]  # type: ignore[valid-type]
    config: Path | None = None
    """Config file, YAML or JSON; its values are the defaults of the options below."""
    output_folder: Path | None = None
    """Where the results go; runs/ENVIRONMENT-SEED if not given."""
    overwrite: bool = False
    """Replace a run that the output folder holds."""
    seed: int | None = None
    """Seed of the whole run; drawn and recorded if not given."""
    num_workers: int = field(default_factory=default_workers)
    """Sampler processes; 0 samples in this one. The result is the same for any number."""
    device: str = "cpu"
    """Where meta-updates are computed: cpu or cuda."""
    use_cuda: bool = False
    """The 2020 spelling of --device cuda."""
    rebuild_graphs: bool = False
    """Bound the memory of meta-updates: graphs are rebuilt for each use. Slower; the result is the same."""

    @staticmethod
    def defaults(config: Config | None) -> "Train":
        """Return the command with the file's values."""
        return Train(options=options_of(config))

    def run(self) -> None:
        """Train until the last batch, saving the policy after each."""
        config = config_from(self.options)
        if self.num_workers:
            forkserver.start()
        # Imported here: PyTorch and MuJoCo take seconds, and "--help" must not.
        from maml_rl.seeding import draw_seed
        from maml_rl.training import Run, RunFolder, RunSettings, train
        from maml_rl.training.loggers import ProgressReport

        seed = draw_seed() if self.seed is None else self.seed
        device = "cuda" if self.use_cuda else self.device
        path = self.output_folder or Path("runs") / f"{config.env_name}-{seed}"
        folder = RunFolder(path, self.overwrite)
        execution = {
            "config": None if self.config is None else str(self.config),
            "output_folder": str(path),
            "seed": seed,
            "num_workers": self.num_workers,
            "device": device,
        }
        settings = RunSettings(seed, self.num_workers, device, self.rebuild_graphs)
        with Run(config, settings) as run:
            folder.open(config, execution)
            with ProgressReport(config.num_batches) as report:
                for metrics in train(run):
                    folder.write_iteration(run.policy, metrics)
                    report.update(metrics)
        folder.close()
        print(f"seed {seed}; config, policy and metrics are in {path}")
