"""Keys of other code and of 2020's forks: what is said of them, and what a test passes over."""

import json
from pathlib import Path
from typing import Any

import pytest

from maml_rl.config import Config, config_class, load_config, parse_config
from maml_rl.config.block import kebab
from maml_rl.config.methods import METHODS
from maml_rl.config.synonyms import KEYS, SYNONYMS
from maml_rl.errors import UsageError

GOOD = {"env-name": "TabularMDP-v0", "fast-lr": 0.3, "gae-lambda": 0.9}
FOREIGN = {"fast_lr": 0.9, "tau": 0.5, "save_every": 3, "\x1b[31m": 0}
"""A key in its other spelling, and keys of somebody's own."""


@pytest.mark.parametrize(
    ("key", "ours", "method"),
    [
        ("tau", "gae-lambda", "maml-trpo"),
        ("alpha", "fast-lr", "maml-trpo"),
        ("inner_lr", "fast-lr", "promp"),
        ("lr", "learning-rate", "promp"),
        ("batch_size", "fast-batch-size", "maml-trpo"),
        ("n_itr", "num-batches", "maml-trpo"),
        ("env_id", "env-name", "maml-trpo"),
        ("discount", "gamma", "promp"),
    ],
)
def test_names_of_other_code_are_known(key: str, ours: str, method: str):
    with pytest.raises(UsageError, match=rf"unknown key '.*'; did you mean '{ours}'\?$"):
        parse_config({"env-name": "a", "metalearner": method, key: 1}, "here")


def test_names_of_other_code_are_no_keys_here():
    keys = {kebab(name) for kind in map(config_class, METHODS) for name in kind.model_fields}
    assert SYNONYMS.keys() <= keys
    assert KEYS.keys().isdisjoint(keys)
    assert len(KEYS) == sum(map(len, SYNONYMS.values()))


def saved(folder: Path, entries: dict[str, Any]) -> Path:
    path = folder / "config.json"
    path.write_text(json.dumps(entries))
    return path


def test_the_config_of_a_fork_is_read_where_one_is_lenient(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    run = {"num_workers": 2, "seed": 1}
    config, found = load_config(saved(tmp_path, {**FOREIGN, **run, **GOOD}), lenient=True)
    assert config == Config(env_name="TabularMDP-v0", fast_lr=0.3, gae_lambda=0.9)
    assert found == {"num-workers": 2, "seed": 1}
    (record,) = caplog.records
    passed_over = r"'tau, \x1b[31m, fast_lr, save_every'"
    assert record.getMessage().endswith(f"passed over, as nothing here reads it: {passed_over}")


@pytest.mark.parametrize(
    ("entries", "lenient", "complaint"),
    [
        (FOREIGN | GOOD, False, "'fast-lr' is given twice"),
        (GOOD | {"save_every": 3}, False, "unknown key 'save-every'"),
        (GOOD | FOREIGN | {"gamma": 3}, True, "'gamma': input should be less"),
        (FOREIGN, True, "'env-name': field required"),
        (GOOD | {"metalearner": "maml"}, True, "no such method"),
    ],
)
def test_what_is_refused_all_the_same(tmp_path: Path, entries: dict[str, Any], lenient: bool, complaint: str):
    with pytest.raises(UsageError, match=complaint):
        load_config(saved(tmp_path, entries), lenient=lenient)


@pytest.mark.parametrize(
    "key", ["fast-batch-size", "meta-batch-size", "num-steps", "num-batches", "cg-iters"]
)
@pytest.mark.parametrize("value", [10**13, 10**30, 10**400])
def test_numbers_that_no_array_can_hold(key: str, value: int):
    most = r"input should be less than or equal to 10+, got 1000"
    with pytest.raises(UsageError, match=rf"here: '{key}': {most}"):
        parse_config({"env-name": "a", key: value}, "here")
    with pytest.raises(UsageError, match=rf"here: 'hidden-sizes\.1': {most}"):
        parse_config({"env-name": "a", "hidden-sizes": [8, value]}, "here")


def test_a_list_of_faults_has_an_end():
    with pytest.raises(UsageError, match=r"'hidden-sizes\.4': [^;]*; and 995 more$"):
        parse_config({"env-name": "a", "hidden-sizes": [0] * 1000}, "here")
