"""Training, testing and filming a simulator of which a process can hold one instance."""

from pathlib import Path

import imageio.v3 as iio

from tests.cli.helpers import TINY, Command, read_config
from tests.envs.peculiar import OneAtATime

ONE = ("--env-name", "tests.envs.peculiar:OneAtATime", *TINY, "--seed", 1, "--logger", "none", "--quiet")


def test_one_simulator_a_process_is_enough(command: Command, tmp_path: Path):
    plain = ("--env-name", "tests.envs.peculiar:Line", *ONE[2:])
    command.succeeds("train", *plain, "--output-folder", tmp_path / "line")
    expected = (tmp_path / "line" / "metrics.csv").read_bytes()
    for workers in (0, 1):
        copies = ("--env-copies", 1, "--num-workers", workers)
        command.succeeds("train", *ONE, *copies, "--output-folder", tmp_path / str(workers))
        assert (tmp_path / str(workers) / "metrics.csv").read_bytes() == expected
    run = ("--config", tmp_path / "0" / "config.json", "--policy", tmp_path / "0" / "policy.th")
    command.succeeds("test", *run, "--num-workers", 0, "--num-batches", 1, "--meta-batch-size", 3)
    film = tmp_path / "film.gif"
    command.succeeds("render", tmp_path / "0", "--output", film, "--num-steps", 1, "--size", 200)
    assert iio.imread(film).shape[0] == 1 + OneAtATime.horizon
    assert OneAtATime.alive == 0


def test_a_resumed_run_may_have_other_copies(command: Command, tmp_path: Path):
    line = ("--env-name", "tests.envs.peculiar:Line", *ONE[2:])
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    command.succeeds("train", *line, "--num-batches", 3, "--output-folder", whole)
    command.succeeds("train", *line, "--output-folder", parts)
    quiet = ("--num-workers", 0, "--logger", "none", "--quiet")
    command.succeeds("train", "--resume", parts, "--num-batches", 3, "--env-copies", 1, *quiet)
    assert read_config(parts)["env-copies"] == 1
    assert (parts / "metrics.csv").read_bytes() == (whole / "metrics.csv").read_bytes()
    message = "env-copies: expected 1 or more, got 0"
    assert message in command.fails("render", parts, "--output", tmp_path / "film.gif", "--env-copies", 0)
    assert message in command.fails("check-env", "tests.envs.peculiar:Line", "--env-copies", 0)


def test_what_to_do_is_said_before_anything_is_written(command: Command, tmp_path: Path):
    line = command.fails("train", *ONE, "--output-folder", tmp_path / "run")
    assert "one simulator per process" in line
    assert line.endswith("with --env-copies 1 a process holds no more, and episodes take turns")
    assert not (tmp_path / "run").exists()
    assert OneAtATime.alive == 0


def test_tasks_are_drawn_from_another_copy_than_the_only_one_of_episodes(command: Command, tmp_path: Path):
    sizes = ("--fast-batch-size", 1, "--tasks-per-item", 1, "--output-folder", tmp_path / "run")
    assert "with --env-copies 1 a process holds no more" in command.fails("train", *ONE, *sizes)
    command.succeeds("train", *ONE, *sizes, "--env-copies", 1)


def test_a_batched_version_is_no_set_of_copies(command: Command, tmp_path: Path):
    options = ("--env-name", "2DNavigation-v0", "--env-copies", 2, *TINY, "--output-folder", tmp_path / "run")
    assert "has a batched version, which runs all episodes at once and has no" in command.fails(
        "train", *options
    )
    assert not (tmp_path / "run").exists()
