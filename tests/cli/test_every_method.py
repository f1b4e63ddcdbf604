"""What holds of every method from the command line. A method is tested here by being registered."""

from pathlib import Path

import psutil
import pytest

from maml_rl.cli import main
from maml_rl.config.methods import METHODS
from maml_rl.samplers.backends.processes import ProcessBackend
from maml_rl.viz.pictures import sample_paths
from tests.cli.helpers import Command, contents, power_cut, read_metrics, results
from tests.samplers.helpers import process_id
from tests.viz.files import assert_picture

SIZES = ("--num-batches", 3, "--meta-batch-size", 4, "--fast-batch-size", 3, "--tasks-per-item", 2)
ENV = ("--env-name", "2DNavigation-v0", "--env-kwargs", "{max_episode_steps: 8}")
RUN = ("train", *ENV, *SIZES, "--num-steps", 2, "--hidden-sizes", 6, "--seed", 4, "--checkpoint-every", 1)
each_method = pytest.mark.parametrize("method", METHODS)


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A finished run of each method, by name; not to be changed. Each is made when it is asked for."""
    folder = tmp_path_factory.mktemp("runs")

    class Runs(dict[str, Path]):
        def __missing__(self, method: str) -> Path:
            main([str(x) for x in (*options(method, 0), "--output-folder", folder / method)])
            self[method] = folder / method
            return self[method]

    return Runs()


def options(method: str, num_workers: int) -> tuple[object, ...]:
    return (*RUN, "--metalearner", method, "--num-workers", num_workers)


@each_method
def test_a_run_cut_short_goes_on_as_if_it_had_not_been(
    command: Command, monkeypatch: pytest.MonkeyPatch, runs: dict[str, Path], tmp_path: Path, method: str
):
    with power_cut(monkeypatch, 1):
        command(*options(method, 0), "--output-folder", tmp_path)
    command.succeeds("train", "--resume", tmp_path, "--num-workers", 0, "--checkpoint-every", 1)
    assert results(tmp_path) == results(runs[method])
    assert len(read_metrics(tmp_path)) == 3


@pytest.mark.slow
@each_method
def test_neither_workers_nor_their_deaths_nor_rebuilt_graphs_change_a_byte(
    command: Command, monkeypatch: pytest.MonkeyPatch, runs: dict[str, Path], tmp_path: Path, method: str
):
    for i, others in enumerate((("--num-workers", 1), ("--num-workers", 2, "--rebuild-graphs"))):
        command.succeeds(*options(method, 0), *others, "--output-folder", tmp_path / str(i))
        assert results(tmp_path / str(i)) == results(runs[method])
    submit = ProcessBackend.submit
    killed: list[int] = []

    def deadly(self: ProcessBackend, job: object) -> None:
        submit(self, job)  # type: ignore[arg-type]
        if len(killed) < 2:
            for worker in self._pool._workers:
                psutil.Process(process_id(worker)).kill()
                killed.append(1)

    monkeypatch.setattr(ProcessBackend, "submit", deadly)
    outcome = command(*options(method, 2), "--output-folder", tmp_path / "killed")
    assert outcome.status == 0
    assert killed
    assert results(tmp_path / "killed") == results(runs[method])


@each_method
def test_a_run_can_be_tested_compared_pictured_and_summed_up(
    command: Command, runs: dict[str, Path], tmp_path: Path, method: str
):
    run = runs[method]
    before = contents(run)
    places = ("--config", run / "config.json", "--policy", run / "policy.th", "--num-workers", 0)
    sizes = ("--num-batches", 1, "--meta-batch-size", 3, "--fast-batch-size", 3)
    out = command.succeeds("test", *places, *sizes, "--output", tmp_path / "results.npz", "--num-steps", 3)
    assert out.count("±") >= 4
    table = command.succeeds("info", run)
    assert f"metalearner{method}" in "".join(table.split())
    command.succeeds("plot", run, "--output", tmp_path)
    assert_picture(tmp_path / "learning-curve.png")
    command.succeeds("render", run, "--output", tmp_path / "video.gif", "--num-steps", 1, "--size", 200)
    assert contents(run) == before


@each_method
def test_numbers_that_break_are_named(command: Command, tmp_path: Path, method: str):
    huge = ("--env-name", "tests.envs.huge:HugeEnv", "--env-kwargs", "{scale: 3.0e+37}")
    small = ("--num-batches", 2, "--meta-batch-size", 3, "--fast-batch-size", 4, "--num-workers", 0)
    train = ("train", *huge, *small, "--hidden-sizes", 4, "--seed", 1, "--logger", "none")
    outcome = command(*train, "--metalearner", method, "--output-folder", tmp_path)
    assert outcome.status == 1
    (line,) = outcome.err.splitlines()
    assert "meta-update 1: " in line
    assert "NaN or infinite" in line


def test_paths_of_a_policy_that_remembers_are_called_episodes(runs: dict[str, Path]):
    sampled = {method: sample_paths(runs[method], 1, 0) for method in ("rl2", "anil")}
    names = {method: list(paths.names) for method, paths in sampled.items() if paths}
    assert names == {
        "rl2": ["episode 1 of a trial", "episode 2 of a trial"],
        "anil": ["before adaptation", "after 1 step"],
    }
