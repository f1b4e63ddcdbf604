"""What there is to choose from, and what a run came to."""

import json
import shutil
from pathlib import Path

import pytest

from maml_rl.config import Config
from maml_rl.config.block import kebab
from maml_rl.config.methods import METHODS
from maml_rl.policies.registry import MODULES
from maml_rl.zoo import shipped_configs, shipped_policies
from tests.cli.helpers import ROOT, Command
from tests.config.test_methods import OTHER_DEFAULTS
from tests.envs.ids import ALL_IDS


def test_every_environment_is_listed_with_its_task_spaces_and_kwargs(command: Command):
    out = command.succeeds("envs")
    paragraphs = {text.splitlines()[0]: text for text in out.split("\n\n") if text.strip()}
    *ours, metaworld = paragraphs
    assert ours == sorted(ALL_IDS)
    assert metaworld == "MetaWorld/ML1-assembly-v3 (50 environments), " + ", ".join(
        f"MetaWorld/ML{number}" for number in (10, 25, 45)
    )
    navigation = paragraphs["2DNavigation-v0"]
    assert "goal [2]" in navigation
    assert "Box(-0.1, 0.1, (2,), float32)" in navigation
    assert "at most 100 steps" in navigation
    assert "low=-0.5, high=0.5, normalization_scale=0.1, goals=" in navigation
    assert "velocity (a number)" in paragraphs["HalfCheetahVel-v2"]
    assert "contact_forces=True" in paragraphs["AntVel-v2"]
    assert "k=50" in paragraphs["Bandit-K50-v0"]


def test_every_config_is_listed_by_a_path_that_train_takes(command: Command, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(ROOT)
    head, *rows = command.succeeds("configs").splitlines()
    columns = ["config", "method", "environment", "tasks", "x", "episodes", "meta-updates", "policy"]
    assert head.split() == columns
    policies = [row.split()[1] for row in rows if row.startswith("policy ")]
    assert policies == [f"maml-rl://{name}" for name in shipped_policies()]
    paths = [row.split()[0] for row in rows[: -len(policies)]]
    assert paths == [str(path.relative_to(ROOT)) for path in shipped_configs()]
    assert set(paths) == {str(path.relative_to(ROOT)) for path in (ROOT / "configs").rglob("*.yaml")}
    assert any(
        row.split()[1:] == ["maml-trpo", "HalfCheetahVel-v0", "40", "x", "10", "475", "100x100", "relu"]
        for row in rows
    )


def test_every_method_is_listed_with_the_keys_that_are_its_own(command: Command):
    out = command.succeeds("methods")
    paragraphs = [text.splitlines() for text in out.split("\n\n") if text.strip()]
    assert [name for name, *_ in paragraphs] == list(METHODS)
    for name, sentence, *keys in paragraphs:
        assert sentence.strip().endswith(".")
        own = set(Config(env_name="a", metalearner=name).to_dict()) - {*map(kebab, Config.model_fields)}
        own |= {*map(kebab, OTHER_DEFAULTS.get(name, ()))}
        assert {line.split()[0] for line in keys} == own
        for line in keys:
            key, default, text = line.split(maxsplit=2)
            assert json.loads(default) == Config(env_name="a", metalearner=name).to_dict()[key]
            assert text.endswith(".")


def test_every_policy_is_listed_with_what_it_takes(command: Command):
    paragraphs = [text.splitlines() for text in command.succeeds("policies").split("\n\n") if text.strip()]
    assert [name for name, *_ in paragraphs] == ["mlp", *MODULES]
    assert paragraphs[0][-1].split() == ["keys", "hidden-sizes,", "nonlinearity,", "init-std,", "init-gain"]
    for _, sentence, kwargs in paragraphs[1:]:
        assert sentence.strip().endswith(".")
        assert kwargs.startswith("  policy-kwargs ")
        assert "init_std=1.0" in kwargs


def test_a_run_summed_up(command: Command, tabular_run: Path):
    out = command.succeeds("info", tabular_run)
    text = " ".join(out.split())
    assert "env-name TabularMDP-v0" in text
    assert "seed 1" in text
    assert "meta-updates 2 of 2" in text
    assert "env steps 480" in text
    assert "rejected steps 0" in text
    assert "checkpoints 000002, best" in text or "checkpoints 000000, 000002, best" in text
    assert text.count("after adaptation") == 3
    assert "sampling" in text


def test_what_is_no_run(command: Command, tmp_path: Path):
    assert "cannot read the config" in command.fails("info", tmp_path)


def test_brackets_in_a_name_are_no_markup(command: Command, tabular_run: Path, tmp_path: Path):
    config = json.loads((tabular_run / "config.json").read_text()) | {"output_folder": "sweep[lr=0.1]"}
    shutil.copytree(tabular_run, tmp_path / "run")
    (tmp_path / "run" / "config.json").write_text(json.dumps(config))
    assert "sweep[lr=0.1]" in command.succeeds("info", tmp_path / "run")
