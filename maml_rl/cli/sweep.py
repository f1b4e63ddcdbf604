"""``maml-rl sweep``."""

import dataclasses
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from maml_rl.cli.interrupts import OUT_OF_TIME, Interrupted, advising
from maml_rl.cli.train import Train
from maml_rl.cli.whole_tables import print_whole
from maml_rl.errors import RunsFailedError, UsageError, check_number, did_you_mean, printable

if TYPE_CHECKING:
    from maml_rl.training.sweep import PlannedRun, RunProgress

OWN = {"hyperparameters", "config", "seed", "output-folder", "overwrite", "resume", "resume-or-start"}
"""Fields of `Train` that the sweep itself decides on."""


@dataclass
class Sweep:
    """Train a config with several seeds, and with several values of its keys, runs side by side.

    Given again, the command goes on with runs that were stopped or have failed, and leaves alone those that
    are done.
    """

    config: tyro.conf.Positional[Path]
    """Config file, YAML or JSON."""
    seeds: str = tyro.MISSING
    """Seeds: '1-5', or '1,3,7-9'."""
    settings: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set")] = ()
    """Values of a key, as fast-lr=0.05,0.1; may be given for several keys, whose values are combined."""
    output_folder: Path | None = None
    """Where the runs go, each in SETTING/seed-SEED; runs/CONFIG-sweep if not given."""
    jobs: int | None = None
    """Runs at a time; as many as there are processors if not given."""
    train: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Option of 'maml-rl train' for every run, as device=cuda, logger=none or rebuild-graphs; may be
    repeated. num-workers is each run's share of the processors if not given."""
    slurm: bool = False
    """Submit the runs to Slurm as an array of jobs in place of training here. Needs pip install submitit."""
    slurm_settings: Annotated[
        tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="slurm-set")
    ] = ()
    """Setting of the jobs, as partition=gpu, time=1440 (minutes), cpus_per_task=8 or mem=16GB; may be
    repeated."""
    show: bool = False
    """Show how far the runs are, and train nothing."""
    trust: bool = False
    """Import code that lies in the folder of the config.json in use, if that names any."""

    def run(self) -> None:
        """Train, or submit, what is not done; then show all."""
        from maml_rl.training.sweep import parse_seeds, parse_settings, plan, write_configs

        self._check()
        folder = self.output_folder or Path("runs") / f"{self.config.stem}-sweep"
        configs, runs = plan(self.config, parse_settings(self.settings), parse_seeds(self.seeds), folder)
        failed: set[PlannedRun] = set()
        late: list[PlannedRun] = []
        if not self.show:
            write_configs(configs)
            todo = [run for run in runs if not run.is_done]
            try:
                if self.slurm:
                    self._submit(todo, folder)
                else:
                    late = self._train(todo, folder, failed)
            except Interrupted:
                show_progress(folder, runs, failed)
                raise
        show_progress(folder, runs, failed)
        if failed:
            raise RunsFailedError(
                f"{len(failed)} of {len(runs)} runs failed; the same command tries them again"
            )
        if late:
            up = f"the time of {len(late)} of {len(runs)} runs was up; the same command goes on with them"
            raise Interrupted(up, OUT_OF_TIME)

    def _check(self) -> None:
        """Check the options that are not of the runs themselves."""
        if self.jobs is not None:
            check_number("jobs", self.jobs, 1)
        if self.slurm and self.jobs is not None:
            raise UsageError("--jobs is for runs here; for those of --slurm: --slurm-set array_parallelism=N")
        if self.slurm_settings and not self.slurm:
            raise UsageError("--slurm-set is for --slurm")
        of_runs = training_options(self.train)
        if self.slurm and any(option.startswith("--max-seconds") for option in of_runs):
            raise UsageError(
                "--train max-seconds is for runs here; jobs have --slurm-set time=MINUTES, and go on after it"
            )

    def _train(
        self, runs: Sequence["PlannedRun"], folder: Path, failed: set["PlannedRun"]
    ) -> list["PlannedRun"]:
        """Train the runs, and put into ``failed`` those whose process ends with an error.

        Returns:
            Those whose ``max-seconds`` were up.
        """
        from maml_rl._system.processors import usable_processors
        from maml_rl.cli.side_by_side import finished_runs, last_line
        from maml_rl.training.sweep import LOG

        if not runs:
            return []
        late = []
        jobs = min(self.jobs or usable_processors(), len(runs))
        share = max(1, usable_processors() // jobs)
        options = training_options(self.train, {"num-workers": str(share)})
        print(f"{len(runs)} runs to train, {jobs} at a time, into {folder}", flush=True)
        with (
            advising("the same command goes on with the runs"),
            closing(finished_runs(runs, jobs, options, share)) as finished,
        ):
            for run, code in finished:
                if code == 0 and run.is_done:  # An environment may end its process, with any code.
                    print(f"{run.name} is done", flush=True)
                    continue
                if code == OUT_OF_TIME:
                    print(f"{run.name} goes on another time: its seconds are over", flush=True)
                    late.append(run)
                    continue
                failed.add(run)
                log = run.folder / LOG
                why = f"exit code {code}: {printable(last_line(log))}"
                print(f"maml-rl: {run.name} failed with {why}; log: {log}", file=sys.stderr, flush=True)
        return late

    def _submit(self, runs: Sequence["PlannedRun"], folder: Path) -> None:
        from maml_rl.cli.slurm import submit

        if runs:
            submit(runs, training_options(self.train), folder / "slurm", self.slurm_settings)


def training_options(texts: Sequence[str], defaults: Mapping[str, str] | None = None) -> list[str]:
    """Return options of ``maml-rl train`` for texts such as ``device=cuda`` and ``rebuild-graphs``.

    Args:
        defaults: values of options that are not among the texts.

    Raises:
        UsageError: train has no such option, or the sweep gives it itself.
    """
    known = {field.name.replace("_", "-") for field in dataclasses.fields(Train)} - OWN
    given: dict[str, str | None] = {**(defaults or {})}
    for text in texts:
        name, equals, value = text.removeprefix("--").partition("=")
        if name not in known:
            raise UsageError(f"train: no option '{name}' for the runs of a sweep{did_you_mean(name, known)}")
        given[name] = value if equals else None
    return [f"--{name}" if value is None else f"--{name}={value}" for name, value in given.items()]


def show_progress(folder: Path, runs: Sequence["PlannedRun"], failed: Collection["PlannedRun"]) -> None:
    """Print how far the runs are, and write it to sweep.csv if anything has begun."""
    from rich.table import Table
    from rich.text import Text

    from maml_rl.training.sweep import progress_of, write_progress

    rows = [progress_of(run, run in failed) for run in sorted(runs, key=_by_setting)]
    table = Table(title=Text(str(folder)))
    table.add_column("run", overflow="fold")
    for column in ("state", "meta-updates", "return before", "after"):
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(
            Text(row.run.name), row.state, f"{row.meta_updates} of {row.run.num_batches}", *_returns(row)
        )
    print_whole(table)
    if folder.is_dir():
        write_progress(folder / "sweep.csv", rows)


def _returns(row: "RunProgress") -> tuple[str, str]:
    if row.returns is None:
        return "", ""
    before, after = row.returns
    return f"{before:.2f}", f"{after:.2f}"


def _by_setting(run: "PlannedRun") -> tuple[str, int]:
    return str(run.folder.parent), run.seed
