import math
import sys
from pathlib import Path

import pytest
import torch

from maml_rl import __version__
from maml_rl.config import Config, load_config
from maml_rl.envs import make_env
from maml_rl.policies.factory import get_policy_for_env
from tests.builders import same_bits
from tests.cli.helpers import (
    NAVIGATION,
    ROOT,
    TABULAR,
    TINY,
    Command,
    contents,
    read_config,
    read_metrics,
    read_policy,
)


def test_a_run_leaves_its_config_policy_and_metrics(tabular_run: Path):
    written = {name.partition("/")[0] for name in contents(tabular_run)} - {"checkpoints"}
    assert written == {"config.json", "policy.th", "metrics.csv", "timings.csv", "tensorboard", ".lock"}


def test_config_json_is_the_whole_effective_config(tabular_run: Path):
    entries = read_config(tabular_run)
    run = {"config", "output_folder", "seed", "num_workers", "device", "version"}
    assert set(entries) == set(Config(env_name="a").to_dict()) | run
    expected, _ = load_config(TABULAR)
    expected = expected.model_copy(update={"num_batches": 2, "meta_batch_size": 3, "fast_batch_size": 4})
    config, described = load_config(tabular_run / "config.json")
    assert config == expected
    assert described == {
        "config": str(TABULAR),
        "output-folder": str(tabular_run),
        "seed": 1,
        "num-workers": 0,
        "device": "cpu",
        "version": __version__,
    }


def test_policy_th_is_a_state_dict_that_loads_strictly(tabular_run: Path):
    config, _ = load_config(tabular_run / "config.json")
    state = read_policy(tabular_run)
    assert list(state) == [f"layer{i}.{part}" for i in (1, 2, 3) for part in ("weight", "bias")]
    policy = get_policy_for_env(make_env(config.env_name, config.env_kwargs), config.hidden_sizes)
    policy.load_state_dict(state, strict=True)


def test_a_gaussian_policy_has_the_names_of_2020(navigation_run: Path):
    state = read_policy(navigation_run)
    layers = [f"{layer}.{part}" for layer in ("layer1", "layer2", "mu") for part in ("weight", "bias")]
    assert sorted(state) == sorted([*layers, "sigma"])
    assert all(tensor.device.type == "cpu" for tensor in state.values())


def test_metrics_have_a_row_per_meta_update(tabular_run: Path):
    rows = read_metrics(tabular_run)
    assert [row["iteration"] for row in rows] == ["1", "2"]
    # Three tasks, train and valid, four episodes of ten steps.
    assert [row["env_steps"] for row in rows] == ["240", "480"]
    for row in rows:
        numbers = {key: float(value) for key, value in row.items()}
        assert all(math.isfinite(number) for number in numbers.values())
        assert numbers["loss_after"] < numbers["loss_before"]
        assert 0 < numbers["kl"] < 0.01
        assert numbers["accepted"] == 1
        assert {"return_0", "return_1", "stderr_0", "stderr_1"} <= set(row)


def test_training_reports_each_meta_update(command: Command, tmp_path: Path):
    folder = tmp_path / "run"
    out = command.succeeds("train", "--config", TABULAR, *TINY, "--seed", 3, "--output-folder", folder)
    first, second, last = out.splitlines()
    assert first.startswith("meta-update 1/2  return before/after ")
    assert second.startswith("meta-update 2/2  return before/after ")
    assert last == f"seed 3; config, policy, metrics and checkpoints are in {folder}"


def test_the_folder_is_named_after_environment_and_seed_unless_it_is_given(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    command.succeeds("train", "--config", TABULAR, *TINY, "--seed", 12)
    assert (tmp_path / "runs" / "TabularMDP-v0-12" / "policy.th").exists()


def test_a_seed_that_is_not_given_is_drawn_and_recorded(command: Command, tmp_path: Path):
    def train(name: str, *seed: object) -> Path:
        command.succeeds("train", "--config", TABULAR, *TINY, *seed, "--output-folder", tmp_path / name)
        return tmp_path / name

    first, second = train("first"), train("second")
    seed = read_config(first)["seed"]
    assert seed != read_config(second)["seed"]
    assert same_policy(first, train("again", "--seed", seed))


def same_policy(one: Path, other: Path) -> bool:
    ours, theirs = read_policy(one), read_policy(other)
    assert list(ours) == list(theirs)
    return all(same_bits(ours[name], theirs[name]) for name in ours)


@pytest.mark.parametrize(
    ("config", "options"),
    [(TABULAR, ()), (NAVIGATION, ("--env-kwargs", "{max_episode_steps: 30}", "--num-steps", 2))],
    ids=["tabular", "navigation"],
)
def test_any_number_of_workers_gives_the_same_bits(
    command: Command, tmp_path: Path, config: Path, options: tuple[object, ...]
):
    sizes = ("--num-batches", 3, "--meta-batch-size", 5, "--fast-batch-size", 6, "--tasks-per-item", 2)
    folders = [tmp_path / str(workers) for workers in (0, 1, 2)]
    for workers, folder in enumerate(folders):
        arguments = ("--config", config, *sizes, *options, "--seed", 4, "--num-workers", workers)
        command.succeeds("train", *arguments, "--output-folder", folder)
    for folder in folders[1:]:
        assert same_policy(folders[0], folder)
        assert results(folders[0]) == results(folder)
    other = tmp_path / "other"
    arguments = ("--config", config, *sizes, *options, "--seed", 5, "--num-workers", 0)
    command.succeeds("train", *arguments, "--output-folder", other)
    assert not same_policy(folders[0], other)


def results(folder: Path) -> list[dict[str, str]]:
    """The metrics, but for how long it took."""
    return [{k: v for k, v in row.items() if "seconds" not in k} for row in read_metrics(folder)]


def test_the_global_generator_is_not_used(command: Command, tmp_path: Path, tabular_run: Path):
    torch.manual_seed(99)
    state = torch.random.get_rng_state()
    command.succeeds("train", "--config", TABULAR, *TINY, "--seed", 1, "--output-folder", tmp_path / "run")
    assert same_policy(tabular_run, tmp_path / "run")
    assert torch.equal(torch.random.get_rng_state(), state)


def test_a_run_without_inner_steps(command: Command, tmp_path: Path):
    command.succeeds(
        "train", "--config", TABULAR, *TINY, "--num-steps", 0, "--output-folder", tmp_path / "run"
    )
    (row, _) = read_metrics(tmp_path / "run")
    assert "return_0" in row
    assert "return_1" not in row


def test_overwriting_replaces_the_whole_run(command: Command, tmp_path: Path):
    folder = tmp_path / "run"
    arguments = ("train", "--config", TABULAR, *TINY, "--output-folder", folder)
    command.succeeds(*arguments, "--seed", 1)
    (folder / "notes.txt").write_text("mine")
    command.succeeds(*arguments, "--seed", 2, "--overwrite", "--num-batches", 1)
    assert read_config(folder)["seed"] == 2
    assert len(read_metrics(folder)) == 1
    assert (folder / "notes.txt").read_text() == "mine"


def test_an_environment_of_the_users_own(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """In the folder where the command is called, sampled in a worker process."""
    source = (ROOT / "examples" / "custom_env.py").read_text()
    (tmp_path / "my_own_env.py").write_text(source)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    own = ("--config", ROOT / "examples" / "custom_env.yaml", "--env-name", "my_own_env:SpringEnv")
    command.succeeds("train", *own, *TINY[:-1], 1, "--output-folder", "run")
    assert read_metrics(Path("run"))[-1]["env_steps"] == str(2 * 2 * 3 * 4 * 50)
