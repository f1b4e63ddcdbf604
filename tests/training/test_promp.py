"""Runs of a method that remembers more than theta: Adam's moments, and coefficients that follow a target."""

import hashlib
import json
import math
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from maml_rl._system.files import Tensors, load_tensors, save_tensors
from maml_rl.cli import main
from maml_rl.config import load_config
from maml_rl.errors import UsageError
from maml_rl.metalearners import MetaState
from maml_rl.metalearners.promp import ProMP
from maml_rl.training import Run, RunSettings
from maml_rl.training.state import load_state, load_theta
from tests.builders import same_bits
from tests.cli.helpers import (
    NAVIGATION,
    PROMP,
    ROOT,
    Command,
    contents,
    power_cut,
    read_config,
    read_metrics,
    results,
)
from tests.viz.files import assert_picture

SIZES = ("--num-batches", 4, "--meta-batch-size", 5, "--fast-batch-size", 4, "--tasks-per-item", 2)
KEYS = ("--hidden-sizes", 8, "--num-steps", 2, "--adam-steps", 3, "--inner-kl-target", 1e-5)
RUN = ("train", "--config", PROMP, *SIZES, *KEYS, "--env-kwargs", "{max_episode_steps: 10}", "--seed", 4)
OPTIONS = ("--num-workers", 0, "--checkpoint-every", 1, "--keep-checkpoints", 10)
MEMORY = ["optim.adam.exp_avg", "optim.adam.exp_avg_sq", "optim.adam.step", "optim.kl_coefficients"]


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run never stopped; not to be changed."""
    folder = tmp_path_factory.mktemp("runs") / "promp"
    main([str(x) for x in (*RUN, *OPTIONS, "--output-folder", folder)])
    return folder


def checkpoint(folder: Path, iteration: int) -> Path:
    return folder / "checkpoints" / f"{iteration:06d}.th"


def memory_of(path: Path) -> Tensors:
    return {name: tensor for name, tensor in load_tensors(path).items() if name.startswith("optim.")}


def test_metrics_have_the_columns_of_the_method(whole: Path):
    rows = read_metrics(whole)
    returns = [f"{kind}_{step}" for kind in ("return", "stderr") for step in (0, 1, 2)]
    assert list(rows[0]) == ["iteration", "env_steps", *returns, *ProMP.columns]
    for row in rows:
        numbers = {key: float(value) for key, value in row.items()}
        assert all(math.isfinite(number) for number in numbers.values())
        assert numbers["loss_after"] < numbers["loss_before"]
        assert 0 < numbers["kl"] < 0.1
        assert 0 < numbers["inner_kl"] < 0.1
    # The first update has the config's coefficient; far above the target, it doubles from then on.
    assert [float(row["inner_kl_coefficient"]) for row in rows] == [5e-4, 1e-3, 2e-3, 4e-3]


@pytest.mark.parametrize("options", [("--num-workers", 2), ("--rebuild-graphs",)], ids=lambda x: x[0])
def test_neither_workers_nor_rebuilt_graphs_change_a_byte(
    command: Command, whole: Path, tmp_path: Path, options: tuple[object, ...]
):
    command.succeeds(*RUN, *OPTIONS, *options, "--output-folder", tmp_path)
    assert results(tmp_path) == results(whole)


def test_checkpoints_hold_what_the_method_remembers_and_the_policy_does_not(whole: Path):
    assert list(memory_of(whole / "policy.th")) == []
    for iteration in range(5):
        memory = memory_of(checkpoint(whole, iteration))
        assert list(memory) == MEMORY
        assert memory["optim.adam.step"] == 3 * iteration
        assert bool(memory["optim.adam.exp_avg"].any()) == (iteration > 0)
        expected = torch.full((2,), 5e-4) * 2**iteration
        assert same_bits(memory["optim.kl_coefficients"], expected)
    theta = {name: x for name, x in load_tensors(checkpoint(whole, 4)).items() if name not in MEMORY}
    policy = load_tensors(whole / "policy.th")
    assert list(theta) == list(policy)
    assert all(same_bits(theta[name], policy[name]) for name in policy)


@pytest.mark.parametrize("after", [0, 2])
def test_a_run_cut_short_ends_as_if_it_had_not_been(
    command: Command, monkeypatch: pytest.MonkeyPatch, whole: Path, tmp_path: Path, after: int
):
    with power_cut(monkeypatch, after):
        command(*RUN, *OPTIONS, "--output-folder", tmp_path)
    command.succeeds("train", "--resume", tmp_path, *OPTIONS)
    assert results(tmp_path) == results(whole)
    assert read_config(tmp_path)["metalearner"] == "promp"


def doctored(path: Path, tensors: Tensors) -> None:
    """Put other tensors into a checkpoint, which still looks whole, as one of an older version."""
    digest = save_tensors(tensors, path)
    assert digest == hashlib.sha256(path.read_bytes()).hexdigest()
    manifest = path.with_suffix(".json")
    entries = json.loads(manifest.read_text()) | {"sha256": digest}
    del entries["manifest_sha256"], entries["metrics_sha256"]
    manifest.write_text(json.dumps(entries))


@pytest.mark.parametrize("name", ["optim.adam.exp_avg_sq", "optim.kl_coefficients"])
def test_what_is_remembered_matters(
    command: Command, monkeypatch: pytest.MonkeyPatch, whole: Path, tmp_path: Path, name: str
):
    with power_cut(monkeypatch, 2):
        command(*RUN, *OPTIONS, "--output-folder", tmp_path)
    tensors = load_tensors(checkpoint(tmp_path, 2))
    doctored(checkpoint(tmp_path, 2), tensors | {name: 100 * tensors[name]})
    command.succeeds("train", "--resume", tmp_path, *OPTIONS)
    assert (tmp_path / "policy.th").read_bytes() != (whole / "policy.th").read_bytes()


ODD: dict[str, tuple[dict[str, torch.Tensor | None], str]] = {
    "missing": ({"optim.adam.exp_avg": None}, "optim.adam.exp_avg is missing, expected"),
    "another shape": (
        {"optim.kl_coefficients": torch.zeros(3)},
        "optim.kl_coefficients is (3,), expected (2,)",
    ),
    "unknown": ({"optim.velocity": torch.zeros(1)}, "optim.velocity is (1,), expected none"),
    "all missing": (dict.fromkeys(MEMORY), "optim.adam.exp_avg is missing, expected"),
}


def with_odd(path: Path, kind: str) -> Tensors:
    changed = load_tensors(path) | ODD[kind][0]
    return {name: tensor for name, tensor in changed.items() if tensor is not None}


@pytest.mark.parametrize("kind", ODD)
def test_an_odd_entry_of_what_is_remembered_is_named(whole: Path, tmp_path: Path, kind: str):
    save_tensors(with_odd(checkpoint(whole, 4), kind), tmp_path / "odd.th")
    config, _ = load_config(whole / "config.json")
    with Run(config, RunSettings(seed=4)) as run:
        like, layout = run.learner.init(), run.learner.layout
    whole_state = load_state(checkpoint(whole, 4), layout, like)
    assert isinstance(whole_state, MetaState)
    with pytest.raises(UsageError) as caught:
        load_state(tmp_path / "odd.th", layout, like)
    (line,) = str(caught.value).splitlines()
    assert line.startswith(f"'{tmp_path / 'odd.th'}' does not hold what the method remembers: ")
    assert ODD[kind][1] in line
    # Theta is whole.
    assert same_bits(load_theta(tmp_path / "odd.th", layout), whole_state.theta)


@pytest.mark.parametrize("kind", ODD)
def test_a_checkpoint_with_an_odd_entry_is_reported_and_the_one_before_it_used(
    command: Command,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    whole: Path,
    tmp_path: Path,
    kind: str,
):
    with power_cut(monkeypatch, 2):
        command(*RUN, *OPTIONS, "--output-folder", tmp_path)
    doctored(checkpoint(tmp_path, 2), with_odd(checkpoint(tmp_path, 2), kind))
    command.succeeds("train", "--resume", tmp_path, *OPTIONS)
    message, onward = (record.message for record in caplog.records)
    assert "going on from" in onward
    assert "000002.json' cannot be used (" in message
    assert ODD[kind][1] in message
    assert results(tmp_path) == results(whole)


def test_without_a_checkpoint_of_the_method_there_is_nothing_to_resume(
    command: Command, whole: Path, tmp_path: Path
):
    shutil.copytree(whole, tmp_path, dirs_exist_ok=True)
    for path in (tmp_path / "checkpoints").glob("0*.th"):
        doctored(path, with_odd(path, "all missing"))
    before = contents(tmp_path)
    line = command.fails("train", "--resume", tmp_path, "--num-batches", 6)
    assert "holds no whole checkpoint to resume from" in line
    assert contents(tmp_path) == before


def test_a_run_of_another_method_is_not_resumed(command: Command, whole: Path, tmp_path: Path):
    own = ("--resume", whole, "--config", NAVIGATION)
    assert "metalearner was 'promp', is 'maml-trpo'" in command.fails("train", *own, "--seed", 4)
    assert "maml-trpo has no key 'adam-steps'; methods that have it: promp" in command.fails(
        "train", "--resume", whole, "--metalearner", "maml-trpo"
    )


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        (("--env-name", "2DNavigation-v0"), "--max-kl is a key of other methods: maml-trpo"),
        (("--config", PROMP), "--max-kl is a key of other methods: maml-trpo"),
        (("--config", "mine.yaml"), "promp has no key 'max-kl'; methods that have it: maml-trpo"),
    ],
    ids=["no file", "file", "in the file"],
)
def test_keys_of_another_method_name_it(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: tuple[object, ...],
    complaint: str,
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.yaml").write_text("env-name: 2DNavigation-v0\nmax-kl: 1\n")
    assert complaint in command.fails("train", *options, "--metalearner", "promp", "--max-kl", 1)
    assert list(contents(tmp_path)) == ["mine.yaml"]


def test_testing_takes_the_policy_and_any_checkpoint(command: Command, whole: Path, tmp_path: Path):
    """What a checkpoint holds besides theta is passed over."""
    options = ("--config", whole / "config.json", "--num-workers", 0, "--num-batches", 1, "--seed", 5)
    returns = {}
    for name, path in {
        "policy": whole / "policy.th",
        "last": checkpoint(whole, 4),
        "best": whole / "checkpoints" / "best.th",
        "first": checkpoint(whole, 0),
        "random": "random",
    }.items():
        output = tmp_path / f"{name}.npz"
        command.succeeds("test", "--policy", path, *options, "--output", output)
        with np.load(output, allow_pickle=False) as file:
            assert file["step_sizes"].tolist() == [0.1, 0.1]
            returns[name] = file["returns"]
    assert returns["policy"].tobytes() == returns["last"].tobytes()
    assert returns["policy"].tobytes() != returns["first"].tobytes()
    compared = ("--compare", f"first={checkpoint(whole, 0)}", "--output", tmp_path / "both.npz")
    assert "first" in command.succeeds("test", "--policy", whole / "policy.th", *options, *compared)


def test_rendering_takes_the_policy_and_any_checkpoint(command: Command, whole: Path, tmp_path: Path):
    def film(name: str, policy: Path) -> bytes:
        folder = tmp_path / name
        folder.mkdir()
        shutil.copy(whole / "config.json", folder)
        shutil.copy(policy, folder / "policy.th")
        path = folder / "video.gif"
        command.succeeds("render", folder, "--output", path, "--num-steps", 1, "--size", 200)
        return path.read_bytes()

    policy = film("policy", whole / "policy.th")
    assert film("last", checkpoint(whole, 4)) == policy
    assert film("first", checkpoint(whole, 0)) != policy


def test_a_run_summed_up_and_drawn(command: Command, whole: Path, tmp_path: Path):
    text = " ".join(command.succeeds("info", whole).split())
    assert "metalearner promp" in text
    assert "inner-kl-target 1e-05" in text
    assert "max-kl" not in text
    assert "meta-updates 4 of 4" in text
    assert "rejected" not in text  # Every step of Adam is taken.
    out = command.succeeds("plot", whole, "--output", tmp_path)
    assert out.split() == [str(tmp_path / name) for name in ("learning-curve.png", "paths.png")]
    for path in tmp_path.iterdir():
        assert_picture(path)


def test_the_shipped_configs_are_found_by_their_method():
    paths = sorted((ROOT / "configs" / "promp").glob("*.yaml"))
    assert paths
    for path in paths:
        assert load_config(path)[0].metalearner == "promp"
