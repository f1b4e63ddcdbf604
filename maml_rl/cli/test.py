"""``maml-rl test``."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import tyro

from maml_rl._system.processors import usable_processors
from maml_rl.cli.interrupts import advising
from maml_rl.cli.options import Origin, SamplerName, check_free, config_from, ray_cluster, with_config
from maml_rl.config import WORKER_TIMEOUT
from maml_rl.errors import UsageError
from maml_rl.zoo import policy_folder

if TYPE_CHECKING:
    from maml_rl.evaluation import AdaptationResults
    from maml_rl.training import Run

logger = logging.getLogger(__name__)
RANDOM = "random"
"""Name of the untrained policy in comparisons."""
TASKS, BATCHES = 40, 10
"""Defaults of the 2020 ``test.py``; the config's own numbers are for training."""
BATCHES_OF_SHIPPED = 1
"""Batches for a policy that ships: as many tasks as its published test had, within a minute."""
BESIDE = (".csv", ".tasks.csv", ".png", ".environments.png")
"""Endings of what is written beside the results; the last one only where tasks name their environments."""
OF_PAPER = "paper"
"""Part of the names of policies whose published returns are on tasks of the paper's."""
OTHER_TASKS = "these tasks were drawn; the returns that maml_rl publishes are on the paper's own 40 tasks"


@dataclass
class Test:
    """Adapt a trained policy to new or given tasks; print and save the returns after each gradient step."""

    hyperparameters: Any
    """The keys of the config."""
    policy: Path = tyro.MISSING
    """State dict: policy.th of a run; maml-rl://NAME, one that ships ('maml-rl configs' lists them); or
    'random', the untrained initialisation."""
    config: Path | None = None
    """Config file: config.json of the run. Its values, but for batches and tasks, are the defaults below: 10
    batches of 40 tasks, and one batch for a policy that ships."""
    compare: tuple[str, ...] = ()
    """Other policies to test on the same tasks: NAME=POLICY, or 'random' for the untrained initialisation."""
    tasks: Path | None = None
    """File of tasks to adapt to, where they are not to be drawn, nor the config's test-tasks: a YAML list, a
    line for each as '- {velocity: 0.5}'. They make one batch, whatever num-batches and meta-batch-size."""
    task_set: Literal["test", "train"] = "test"
    """Tasks to adapt to: unseen ones, or those that training draws from."""
    output: Path | None = None
    """Where the results go: an .npz file; tables (.csv) and pictures (.png) are written beside it."""
    step_size_schedule: tuple[float, ...] = ()
    """Factors of fast-lr, one per gradient step; the last one is repeated."""
    overwrite: bool = False
    """Replace the output files."""
    resume: bool = False
    """Go on with a test that was stopped: the batches that --output kept are not sampled again."""
    quiet: bool = False
    """Print the table of results alone."""
    seed: int | None = None
    """Seed of tasks and episodes, never those of training; drawn and recorded if not given."""
    num_workers: int = field(default_factory=usable_processors)
    """Sampler processes, or Ray actors; 0 samples in this process. The result is the same for any number."""
    sampler: SamplerName = "processes"
    """Where workers are: processes of this machine, or actors of a Ray cluster. The result is the same."""
    ray_address: str | None = None
    """Ray cluster that is running, 'auto' or HOST:PORT; one is started on this machine if not given."""
    worker_timeout: float = WORKER_TIMEOUT
    """Seconds without an answer after which a sampler process counts as dead."""
    device: str = "cpu"
    """Accepted for 2020 command lines; testing samples on the CPU."""
    use_cuda: bool = False
    """Accepted for 2020 command lines, too."""
    trust: bool = False
    """Import code that lies in the folder of the config.json in use, if that names any."""

    @classmethod
    def defaults(cls, origin: Origin) -> "Test":
        """Return the command with the file's values."""
        batches = BATCHES_OF_SHIPPED if origin.ships else BATCHES
        return with_config(cls, origin, meta_batch_size=TASKS, num_batches=batches)

    def run(self) -> None:
        """Evaluate; whatever ends it, finished batches are kept if there is an ``output``."""
        config = config_from(self.hyperparameters)
        if self.num_workers and self.sampler == "processes":
            from maml_rl._system import forkserver

            forkserver.start()
        from maml_rl.cli.results_table import print_advice, print_environments, print_table
        from maml_rl.training import Run, RunSettings

        if self.tasks is not None and self.task_set == "train":
            raise UsageError("--tasks says what to adapt to: leave --task-set out")
        if len(self.step_size_schedule) > max(config.num_steps, 1):
            raise UsageError(
                f"step-size-schedule: {len(self.step_size_schedule)} factors are for as many gradient steps, "
                f"and num-steps is {config.num_steps}"
            )
        seed = self._seed()
        policies = {self.policy.stem: _file(self.policy), **self._others()}
        self._check_free()
        cluster = ray_cluster(self.sampler, self.ray_address)
        settings = RunSettings(seed, self.num_workers, worker_timeout=self.worker_timeout, ray=cluster)
        with Run(config, settings) as run, advising(self._how_to_go_on):
            results = self._evaluate(run, policies)
        print_table(results)
        print_environments(results)
        if not self.step_size_schedule:
            print_advice(results)
        if self.tasks is None and policy_folder(self.policy) is not None and OF_PAPER in self.policy.parts:
            print(OTHER_TASKS)
        print(f"seed {seed}" + (f"; returns and tasks are in {self.output}" if self.output else ""))

    def _evaluate(self, run: "Run", policies: Mapping[str, Path | None]) -> dict[str, "AdaptationResults"]:
        """Test every policy, and write the results."""
        from maml_rl.evaluation import adapted_batches, evaluation_batches, gather, step_scales
        from maml_rl.evaluation.progress import BatchProgress
        from maml_rl.evaluation.results import digest_of
        from maml_rl.evaluation.unfinished import UnfinishedTest, about_test
        from maml_rl.training.state import load_theta

        tasks = self._given_tasks(run)
        untrained = run.learner.init().theta
        thetas = {  # All of them before the first test, which takes long.
            name: untrained if path is None else load_theta(path, run.learner.layout)
            for name, path in policies.items()
        }
        digests = {name: "" if path is None else digest_of(path) for name, path in policies.items()}
        scales = step_scales(run.config.num_steps, self.step_size_schedule)
        unfinished = UnfinishedTest(self.output, about_test(run, thetas, scales, tasks, self.task_set))
        if self.resume:
            unfinished.load()
        results: dict[str, AdaptationResults] = {}
        of_tasks = evaluation_batches(run, tasks, self.task_set)
        with unfinished, BatchProgress(len(thetas) * len(of_tasks), self.quiet) as progress:
            for name, theta in thetas.items():
                done, batches = unfinished.batches(name), []
                for batch in adapted_batches(run, theta, scales, of_tasks, done):
                    batches.append(batch)
                    if len(batches) > len(done):
                        unfinished.keep(name, batch)
                    progress.update(name, batch)
                results[name] = replace(gather(run, batches, scales), policy=digests[name])
        if self.output is not None:
            _write(results, self.policy.stem, self.output)
            unfinished.remove()
        return results

    def _how_to_go_on(self) -> str:
        """Say what has become of the batches of a test that is interrupted."""
        from maml_rl.evaluation.unfinished import unfinished_path

        if self.output is None:
            return "finished batches are lost without --output"
        if unfinished_path(self.output).exists():
            return "finished batches are kept: go on with --resume"
        return "no batch was finished"

    def _given_tasks(self, run: "Run") -> list[Any] | None:
        """Return the tasks that are given or held out for tests; None if they are to be drawn."""
        from maml_rl.config import read_tasks
        from maml_rl.envs.tasks_file import checked_tasks
        from maml_rl.evaluation import are_seen

        if self.tasks is not None:
            return checked_tasks(run.env, read_tasks(self.tasks), str(self.tasks))
        if self.task_set == "train":
            return None
        if are_seen(run):
            logger.warning(
                "these are the tasks of training: give others as --tasks, or as the config's test-tasks"
            )
        return run.test_tasks or None

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
        """Check the names of the output files, and that none is there that may not be replaced."""
        from maml_rl._system.files import writing
        from maml_rl.evaluation.unfinished import unfinished_path

        if self.output is None:
            if self.resume:
                raise UsageError("--resume needs --output: the results of the test to go on with")
            return
        if not self.output.name or self.output.suffix in (".csv", ".png"):
            raise UsageError(f"'{self.output}': expected an .npz; the .csv and .png come beside it")
        for path in (self.output, *map(self.output.with_suffix, BESIDE)):
            check_free(path, self.overwrite)
        unfinished = unfinished_path(self.output)
        with writing(unfinished):
            if unfinished.exists() and not (self.resume or self.overwrite):
                raise UsageError(f"'{unfinished}' holds a test to go on with: pass --resume, or --overwrite")

    def _seed(self) -> int:
        from maml_rl.evaluation.unfinished import unfinished_seed
        from maml_rl.seeding import draw_seed

        if self.seed is None and self.resume and self.output is not None:
            recorded = unfinished_seed(self.output)
            return draw_seed() if recorded is None else recorded
        return draw_seed() if self.seed is None else self.seed


def _write(results: Mapping[str, "AdaptationResults"], tested: str, output: Path) -> None:
    """Write the returns of the policy called ``tested``, and tables and pictures of all."""
    from maml_rl.evaluation import write_csv, write_task_csv
    from maml_rl.evaluation.environments import have_environments
    from maml_rl.viz.adaptation_curve import plot_adaptation_curves
    from maml_rl.viz.environment_bars import plot_environments
    from maml_rl.viz.style import save_figure

    results[tested].save(output)
    write_csv(output.with_suffix(".csv"), results)
    write_task_csv(output.with_suffix(".tasks.csv"), results)
    save_figure(plot_adaptation_curves(results), output.with_suffix(".png"))
    if have_environments(results):
        save_figure(plot_environments(results), output.with_suffix(".environments.png"))


def _file(policy: Path) -> Path | None:
    """Return the file of a policy, which may be one that ships; the untrained one has none."""
    shipped = policy_folder(policy)
    if shipped is not None:
        return shipped / "policy.th"
    return None if policy == Path(RANDOM) else policy
