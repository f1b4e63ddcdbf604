"""``maml-rl test``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from maml_rl import forkserver
from maml_rl.cli.options import ConfigOptions, config_from, default_workers, options_of
from maml_rl.config import WORKER_TIMEOUT, Config
from maml_rl.errors import UsageError

if TYPE_CHECKING:
    from maml_rl.evaluation import AdaptationResults

TASKS, BATCHES = 40, 10
"""Defaults of the 2020 ``test.py``; the config's own numbers are for training."""


@dataclass
class Test:
    """Adapt a trained policy to unseen tasks; print and save the returns after each gradient step."""

    options: tyro.conf.OmitArgPrefixes[ConfigOptions]  # type: ignore[valid-type]
    policy: Path = tyro.MISSING
    """State dict: policy.th of a run."""
    config: Path | None = None
    """Config file: config.json of the run. Its values, but for batches and tasks, are the defaults below."""
    output: Path | None = None
    """Where the results go: an .npz file."""
    step_size_schedule: tuple[float, ...] = ()
    """Factors of fast-lr, one per gradient step; the last one is repeated."""
    overwrite: bool = False
    """Replace the output file."""
    seed: int | None = None
    """Seed of tasks and episodes, never those of training; drawn and recorded if not given."""
    num_workers: int = field(default_factory=default_workers)
    """Sampler processes; 0 samples in this one. The result is the same for any number."""
    worker_timeout: float = WORKER_TIMEOUT
    """Seconds without an answer after which a sampler process counts as dead."""
    device: str = "cpu"
    """Accepted for 2020 command lines; testing samples on the CPU."""
    use_cuda: bool = False
    """Likewise."""

    @staticmethod
    def defaults(config: Config | None) -> "Test":
        """Return the command with the file's values."""
        ours = options_of(config)
        ours.meta_batch_size, ours.num_batches = TASKS, BATCHES
        return Test(ours)

    def run(self) -> None:
        """Evaluate."""
        config = config_from(self.options)
        if self.num_workers:
            forkserver.start()
        from maml_rl.evaluation import evaluate
        from maml_rl.seeding import draw_seed
        from maml_rl.training import Run, RunSettings
        from maml_rl.training.files import load_policy

        seed = draw_seed() if self.seed is None else self.seed
        if self.output is not None and self.output.exists() and not self.overwrite:
            raise UsageError(f"'{self.output}' exists: choose another --output, or pass --overwrite")
        settings = RunSettings(seed, self.num_workers, worker_timeout=self.worker_timeout)
        with Run(config, settings) as run:
            load_policy(run.policy, self.policy)
            results = evaluate(run.sampler, config, self.step_size_schedule)
        _print_table(results)
        if self.output is not None:
            results.save(self.output)
            print(f"seed {seed}; returns and tasks are in {self.output}")


def _print_table(results: "AdaptationResults") -> None:
    from rich.console import Console
    from rich.table import Table

    _, tasks, episodes = results.returns.shape
    table = Table(title=f"return over {tasks} unseen tasks, {episodes} episodes each")
    for column in ("gradient steps", "step size", "mean return", "standard error"):
        table.add_column(column, justify="right")
    for step, (mean, error) in enumerate(zip(results.means, results.standard_errors, strict=True)):
        size = f"{results.step_sizes[step - 1]:g}" if step else ""
        table.add_row(str(step), size, f"{mean:.2f}", f"{error:.2f}")
    Console().print(table)
