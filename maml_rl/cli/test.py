"""``maml-rl test``."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from maml_rl._system.processors import usable_processors
from maml_rl.cli.options import Origin, config_from, with_config
from maml_rl.config import WORKER_TIMEOUT
from maml_rl.errors import UsageError
from maml_rl.zoo import policy_folder

if TYPE_CHECKING:
    from maml_rl.evaluation import AdaptationResults

RANDOM = "random"
"""Name of the untrained policy in comparisons."""
TASKS, BATCHES = 40, 10
"""Defaults of the 2020 ``test.py``; the config's own numbers are for training."""


@dataclass
class Test:
    """Adapt a trained policy to new or given tasks; print and save the returns after each gradient step."""

    hyperparameters: Any
    """The keys of the config."""
    policy: Path = tyro.MISSING
    """State dict: policy.th of a run; maml-rl://NAME, one that ships ('maml-rl configs' lists them); or
    'random', the untrained initialisation."""
    config: Path | None = None
    """Config file: config.json of the run. Its values, but for batches and tasks, are the defaults below."""
    compare: tuple[str, ...] = ()
    """Other policies to test on the same tasks: NAME=POLICY, or 'random' for the untrained initialisation."""
    tasks: Path | None = None
    """File of tasks to adapt to, where they are not to be drawn: a YAML list, a line for each as
    '- {velocity: 0.5}'. They make one batch, whatever num-batches and meta-batch-size."""
    output: Path | None = None
    """Where the results go: an .npz file; a table (.csv) and a picture (.png) are written beside it."""
    step_size_schedule: tuple[float, ...] = ()
    """Factors of fast-lr, one per gradient step; the last one is repeated."""
    overwrite: bool = False
    """Replace the output files."""
    seed: int | None = None
    """Seed of tasks and episodes, never those of training; drawn and recorded if not given."""
    num_workers: int = field(default_factory=usable_processors)
    """Sampler processes; 0 samples in this one. The result is the same for any number."""
    worker_timeout: float = WORKER_TIMEOUT
    """Seconds without an answer after which a sampler process counts as dead."""
    device: str = "cpu"
    """Accepted for 2020 command lines; testing samples on the CPU."""
    use_cuda: bool = False
    """Accepted for 2020 command lines, too."""

    @classmethod
    def defaults(cls, origin: Origin) -> "Test":
        """Return the command with the file's values."""
        return with_config(cls, origin, meta_batch_size=TASKS, num_batches=BATCHES)

    def run(self) -> None:
        """Evaluate."""
        config = config_from(self.hyperparameters)
        if self.num_workers:
            from maml_rl._system import forkserver

            forkserver.start()
        from maml_rl.envs.tasks_file import load_tasks
        from maml_rl.evaluation import evaluate
        from maml_rl.seeding import draw_seed
        from maml_rl.training import Run, RunSettings
        from maml_rl.training.state import load_theta

        seed = draw_seed() if self.seed is None else self.seed
        policies = {self.policy.stem: _file(self.policy), **self._others()}
        self._check_free()
        results: dict[str, AdaptationResults] = {}
        settings = RunSettings(seed, self.num_workers, worker_timeout=self.worker_timeout)
        with Run(config, settings) as run:
            tasks = (
                None
                if self.tasks is None
                else load_tasks(self.tasks, run.sampler.sample_tasks(1, iteration=0)[0])
            )
            untrained = run.learner.init().theta
            thetas = {  # All of them before the first test, which takes long.
                name: untrained if path is None else load_theta(path, run.learner.layout)
                for name, path in policies.items()
            }
            for name, theta in thetas.items():
                results[name] = evaluate(run, theta, self.step_size_schedule, tasks)
        _print_table(results)
        if not self.step_size_schedule:
            _advise(results)
        if self.output is None:
            print(f"seed {seed}")
        else:
            self._write(results)
            print(f"seed {seed}; returns and tasks are in {self.output}")

    def _others(self) -> dict[str, Path | None]:
        """Return the policies to compare with, by name; the untrained one has no file."""
        others: dict[str, Path | None] = {}
        for entry in self.compare:
            name, equals, path = entry.partition("=")
            if not name or bool(equals) != (name != RANDOM) or name in (*others, self.policy.stem):
                raise UsageError(
                    f"compare: expected different names, each as NAME=POLICY or '{RANDOM}', got '{entry}'"
                )
            others[name] = _file(Path(path or RANDOM))
        return others

    def _check_free(self) -> None:
        if self.output is None:
            return
        if not self.output.name or self.output.suffix in (".csv", ".png"):
            raise UsageError(f"'{self.output}': expected an .npz; the .csv and .png come beside it")
        for path in (self.output, *map(self.output.with_suffix, (".csv", ".png"))):
            if path.is_dir():
                raise UsageError(f"'{path}' is a folder: expected the name of a file")
            if path.exists() and not self.overwrite:
                raise UsageError(f"'{path}' exists: choose another --output, or pass --overwrite")

    def _write(self, results: dict[str, "AdaptationResults"]) -> None:
        from maml_rl.evaluation import write_csv
        from maml_rl.viz.adaptation_curve import plot_adaptation_curves
        from maml_rl.viz.style import save_figure

        assert self.output is not None
        results[self.policy.stem].save(self.output)
        write_csv(self.output.with_suffix(".csv"), results)
        save_figure(plot_adaptation_curves(results), self.output.with_suffix(".png"))


def _file(policy: Path) -> Path | None:
    """Return the file of a policy, which may be one that ships; the untrained one has none."""
    shipped = policy_folder(policy)
    if shipped is not None:
        return shipped / "policy.th"
    return None if policy == Path(RANDOM) else policy


def _print_table(results: dict[str, "AdaptationResults"]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    _, tasks, episodes = next(iter(results.values())).returns.shape
    table = Table(title=f"return over {tasks} tasks, {episodes} episodes each")
    table.add_column("policy", no_wrap=True)
    succeeding = all(result.successes is not None for result in results.values())
    success = ("success",) if succeeding else ()
    for column in ("steps", "step size", "mean ± s.e.", "95 % interval", "IQM", *success):
        table.add_column(column, justify="right", no_wrap=True)
    for name, result in results.items():
        for row in result.summary():
            low, high = row.interval
            table.add_row(
                "" if row.gradient_steps else Text(name),  # As it is: brackets would be markup.
                str(row.gradient_steps),
                "" if row.step_size is None else f"{row.step_size:g}",
                f"{row.mean:.2f} ± {row.standard_error:.2f}",
                f"{low:.2f} … {high:.2f}",
                f"{row.interquartile_mean:.2f}",
                *([f"{row.success:.1%}"] if succeeding else []),
            )
        table.add_section()
    Console().print(table)


def _advise(results: dict[str, "AdaptationResults"]) -> None:
    """Say where steps after the first undo what it did, by more than twice the standard error."""
    for name, result in results.items():
        least = result.means + 2 * result.standard_errors
        falls = [step for step in range(2, len(least)) if least[step] < result.means[step - 1]]
        if falls:
            print(
                f"{name}: the return falls with step {falls[0]}; if later steps are too long, "
                "shorten them: --step-size-schedule 1 0.5"
            )
