"""Every key of the config, on the command line and in a file."""

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch

from maml_rl.adaptation import Adaptation, GradientStep
from maml_rl.config import Config, load_config
from maml_rl.metalearners import MetaState
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.policies.extended import ExtendedPolicy
from maml_rl.policies.normalized import NormalizedPolicy
from maml_rl.samplers.backends.in_process import InProcessBackend
from maml_rl.samplers.jobs import ItemJob, Job
from tests.cli.helpers import NAVIGATION, PROMP, TINY, Command, read_config, read_metrics, read_policy

TASKS = [{"transitions": [[[0.25] * 4] * 3] * 4, "rewards_mean": [[0.5] * 3] * 4}]
"""In tasks.json."""
SHARED: dict[str, tuple[str, Any]] = {
    "env-name": ("TabularMDP-v0", "TabularMDP-v0"),
    "env-kwargs": ("{num_states: 4, num_actions: 3, max_episode_steps: 5}", None),
    "env-copies": ("None", None),  # Of what has no batched version.
    "baseline": ("linear-cv", "linear-cv"),
    "normalize-observations": ("True", True),
    "normalize-rewards": ("True", True),
    "normalize-advantages": ("False", False),
    "task-space": ("{}", {}),
    "tasks": ("tasks.json", TASKS),
    "test-tasks": ("tasks.json", TASKS),
    "gamma": ("0.9", 0.9),
    "gae-lambda": ("0.8", 0.8),
    "bootstrap-truncated": ("True", True),
    "mean-over": ("steps", "steps"),
    "policy": ("mlp", "mlp"),
    "policy-kwargs": ("{}", {}),
    "hidden-sizes": ("5 6 7", [5, 6, 7]),
    "nonlinearity": ("elu", "elu"),
    "init-std": ("0.7", 0.7),
    "init-gain": ("0.2", 0.2),
    "fast-batch-size": ("3", 3),
    "num-steps": ("2", 2),
    "num-batches": ("1", 1),
    "meta-batch-size": ("3", 3),
    "tasks-per-item": ("2", 2),
    "fast-lr": ("0.3", 0.3),
    "first-order": ("True", True),
    "inner-loss": ("loaded-dice", "loaded-dice"),
}
OVERRIDES = {
    "maml-trpo": {
        **SHARED,
        "metalearner": ("maml-trpo", "maml-trpo"),
        "max-kl": ("2e-2", 0.02),
        "cg-iters": ("4", 4),
        "cg-damping": ("0.003", 0.003),
        "ls-max-steps": ("5", 5),
        "ls-backtrack-ratio": ("0.6", 0.6),
        "fisher-fraction": ("0.5", 0.5),
    },
    "promp": {
        **SHARED,
        "metalearner": ("promp", "promp"),
        "learning-rate": ("2e-3", 0.002),
        "adam-steps": ("3", 3),
        "clip": ("0.2", 0.2),
        "inner-kl": ("1e-3", 0.001),
        "inner-kl-target": ("0.01", 0.01),
    },
}
each_method = pytest.mark.parametrize("method", OVERRIDES)


@pytest.fixture
def tasks_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("tasks.json").write_text(json.dumps(TASKS))


@each_method
@pytest.mark.usefixtures("tasks_file")
def test_every_key_can_be_overridden(command: Command, tmp_path: Path, method: str):
    """The config file is of another environment, and none of its values is left."""
    overrides = OVERRIDES[method]
    assert set(overrides) == set(Config(env_name="a", metalearner=method).to_dict())
    options = [word for key, (text, _) in overrides.items() for word in given(key, text)]
    folder = tmp_path / "run"
    config = {"maml-trpo": NAVIGATION, "promp": PROMP}[method]
    command.succeeds("train", "--config", config, *options, "--num-workers", 0, "--output-folder", folder)
    entries = read_config(folder)
    kwargs = {"num_states": 4, "num_actions": 3, "max_episode_steps": 5}
    for key, (_, value) in overrides.items():
        assert entries[key] == (kwargs if key == "env-kwargs" else value), key
    assert len(read_metrics(folder)) == 1
    assert [tuple(x.shape) for x in read_policy(folder).values()][:8:2] == [(5, 4), (6, 5), (7, 6), (3, 7)]
    assert {"return_0", "return_1", "return_2"} <= set(read_metrics(folder)[0])
    assert "return_3" not in read_metrics(folder)[0]


@pytest.mark.usefixtures("tasks_file")
def test_every_key_reaches_what_it_is_for(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    calls: dict[str, Any] = {}

    class RecordingLearner(TrustRegionMAML):
        def update(self, state: MetaState, rounds: Any) -> Any:
            calls["learner"] = of_adaptation(self.adaptation)
            calls["optimizer"] = {key.replace("_", "-"): value for key, value in vars(self.optimizer).items()}
            calls["policy"] = self.adaptation.policy
            last = self.layout.view(state.theta)["layer4.weight"]
            calls.setdefault("largest output weight", last.abs().max().item())
            return super().update(state, rounds)

    def of_adaptation(adaptation: Adaptation) -> dict[str, Any]:
        assert isinstance(adaptation, GradientStep)
        return {"fast-lr": adaptation.length, "first-order": adaptation.first_order}

    def submit(self: InProcessBackend, job: Job) -> None:
        assert isinstance(job, ItemJob)
        recipe = job.work.recipe
        credit = {key.replace("_", "-"): value for key, value in vars(recipe.credit).items()}
        calls["recipe"] = {"fast-batch-size": recipe.episodes, "num-steps": len(recipe.scales), **credit}
        calls["worker"] = of_adaptation(self._worker._adaptation)
        calls.setdefault("items", []).append(len(job.work.tasks))
        do(self, job)

    do = InProcessBackend.submit
    monkeypatch.setattr("maml_rl.metalearners.maml_trpo.TrustRegionMAML", RecordingLearner)
    monkeypatch.setattr(InProcessBackend, "submit", submit)
    overrides = OVERRIDES["maml-trpo"]
    options = [word for key, (text, _) in overrides.items() for word in given(key, text)]
    command.succeeds("train", *options, "--num-workers", 0, "--output-folder", tmp_path / "run")
    keys = {
        "learner": ("fast-lr", "first-order"),
        "worker": ("fast-lr", "first-order"),
        "optimizer": ("max-kl", "cg-iters", "cg-damping", "ls-max-steps", "ls-backtrack-ratio"),
        "recipe": (
            *("fast-batch-size", "num-steps"),
            *("gamma", "gae-lambda", "bootstrap-truncated", "mean-over"),
        ),
    }
    for part, names in keys.items():
        expected = {key: overrides[key][1] for key in names}
        assert {key: calls[part].get(key) for key in names} == expected
    assert calls["items"] == [2, 1], "meta-batch-size and tasks-per-item"
    scaled_rewards = calls["policy"]
    assert isinstance(scaled_rewards, ExtendedPolicy)
    assert isinstance(scaled_rewards.policy, NormalizedPolicy)
    assert scaled_rewards.policy.policy.nonlinearity is torch.nn.functional.elu
    xavier = math.sqrt(6 / (7 + 3))
    assert 0.1 * xavier < calls["largest output weight"] < 0.2 * xavier, "init-gain"


def test_the_initial_standard_deviation_is_that_of_the_policy(command: Command, tmp_path: Path):
    tiny_steps = ("--init-std", 0.3, "--max-kl", 1e-9, "--env-kwargs", "{max_episode_steps: 5}")
    folder = tmp_path / "run"
    command.succeeds("train", "--config", NAVIGATION, *TINY, *tiny_steps, "--output-folder", folder)
    torch.testing.assert_close(read_policy(folder)["sigma"].exp(), torch.full((2,), 0.3), atol=1e-3, rtol=0)


def given(key: str, text: str) -> list[str]:
    """The words of an option; a mapping is one, a list of sizes is several, and a flag stands alone."""
    if text == "True":
        return [f"--{key}"]
    if text == "False":
        return [f"--no-{key}"]
    return [f"--{key}", *([text] if key.endswith("-kwargs") else text.split())]


def test_what_the_command_line_does_not_say_comes_from_the_file(command: Command, tmp_path: Path):
    config = tmp_path / "mine.json"
    entries = {"env-name": "Bandit-K5-v0", "gamma": 0.5, "fast-lr": 0.25, "first-order": True}
    config.write_text(json.dumps(entries | {"seed": 17, "num_workers": 5, "use_cuda": False}))
    folder = tmp_path / "run"
    command.succeeds("train", "--config", config, *TINY, "--fast-lr", "0.75", "--output-folder", folder)
    found = read_config(folder)
    assert {key: found[key] for key in entries} == entries | {"fast-lr": 0.75}


@pytest.mark.parametrize(("name", "warned"), [("mine.yaml", True), ("config.json", False)])
def test_a_seed_in_a_config_by_hand_is_not_passed_over_in_silence(
    command: Command, tmp_path: Path, name: str, warned: bool, caplog: pytest.LogCaptureFixture
):
    (tmp_path / name).write_text('{"env-name": "TabularMDP-v0", "seed": 5}')
    command.succeeds("train", "--config", tmp_path / name, *TINY, "--output-folder", tmp_path / "run")
    assert ("is passed over: --seed 5" in caplog.text) == warned
    assert read_config(tmp_path / "run")["seed"] != 5


def test_a_config_file_is_not_needed(command: Command, tmp_path: Path):
    folder = tmp_path / "run"
    command.succeeds("train", "--env-name", "TabularMDP-v0", *TINY, "--output-folder", folder)
    config, _ = load_config(folder / "config.json")
    expected = Config(env_name="TabularMDP-v0", num_batches=2, meta_batch_size=3, fast_batch_size=4)
    assert config == expected
