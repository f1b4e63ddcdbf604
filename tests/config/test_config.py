import copy
import json
import math
import pickle
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maml_rl.config import Config, load_config, parse_config
from maml_rl.envs import make_env
from maml_rl.errors import UsageError
from maml_rl.policies.factory import get_policy_for_env
from tests.builders import repeatable

SHIPPED = sorted((Path(__file__).parents[2] / "configs").rglob("*.yaml"))
OF_2020 = "maml-trpo"
"""The method of 2020."""
KEYS_2020 = [
    *("env-name", "env-kwargs", "gamma", "gae-lambda", "first-order", "hidden-sizes", "nonlinearity"),
    *("fast-batch-size", "num-steps", "fast-lr", "num-batches", "meta-batch-size", "max-kl", "cg-iters"),
    *("cg-damping", "ls-max-steps", "ls-backtrack-ratio"),
]
ENTRIES: dict[str, Any] = {
    "env-name": "HalfCheetahVel-v2",
    "env-kwargs": {"low": 0.0, "high": 2.0},
    "gamma": 0.9,
    "gae-lambda": 0.8,
    "first-order": True,
    "hidden-sizes": [5, 6],
    "nonlinearity": "relu",
    "fast-batch-size": 7,
    "num-steps": 2,
    "fast-lr": 0.3,
    "num-batches": 8,
    "meta-batch-size": 9,
    "max-kl": 0.02,
    "cg-iters": 11,
    "cg-damping": 0.003,
    "ls-max-steps": 12,
    "ls-backtrack-ratio": 0.6,
}
"""Every key of 2020, none with its default."""
SHARED = sorted(set(KEYS_2020) & {name.replace("_", "-") for name in Config.model_fields})


def written(folder: Path, text: str | bytes, name: str = "config.yaml") -> Path:
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def dumped(folder: Path, entries: dict[str, Any], ending: str) -> Path:
    text = json.dumps(entries) if ending == "json" else yaml.safe_dump(entries)
    return written(folder, text, f"config.{ending}")


def test_a_key_that_is_spelled_in_both_ways():
    entries = {"env-name": "TabularMDP-v0", "fast-lr": 0.1, "fast_lr": 0.2}
    with pytest.raises(
        UsageError, match="mine: 'fast-lr' is given twice, with a dash and with an underscore"
    ):
        parse_config(entries, "mine")


def test_configs_are_shipped_for_every_benchmark():
    names = {path.stem for path in SHIPPED if path.parent.name in ("maml", "bandit")}
    bandits = {f"bandit-k{k}-n{n}" for k in (5, 10, 50) for n in (10, 100, 500)}
    locomotion = {"halfcheetah-vel", "halfcheetah-dir", "ant-vel", "ant-dir", "ant-goal"}
    assert names >= {"2d-navigation", "navigation-corners", "tabular-mdp"} | bandits | locomotion


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_a_shipped_config_loads_and_its_environment_and_policy_can_be_made(path: Path):
    config, run = load_config(path)
    assert run == {}
    with make_env(config.env_name, config.env_arguments) as env:
        get_policy_for_env(env, config.hidden_sizes, config.nonlinearity)
    assert set(config.to_dict()) >= set(KEYS_2020 if config.metalearner == OF_2020 else SHARED)


@pytest.mark.parametrize("k", [5, 10, 50])
@pytest.mark.parametrize("n", [10, 100, 500])
def test_the_bandit_configs_have_the_arms_and_episodes_of_their_names(k: int, n: int):
    (path,) = (
        path
        for path in SHIPPED
        if path.parts[-3:-1] == ("maml", "bandit") and path.stem == f"bandit-k{k}-n{n}"
    )
    config, _ = load_config(path)
    assert (config.env_name, config.fast_batch_size) == (f"Bandit-K{k}-v0", n)


@pytest.mark.parametrize("ending", ["yaml", "yml", "json", "conf"])
def test_every_key_arrives(tmp_path: Path, ending: str):
    assert sorted(ENTRIES) == sorted(KEYS_2020)
    config, _ = load_config(dumped(tmp_path, ENTRIES, ending))
    for key, value in ENTRIES.items():
        found = getattr(config, key.replace("-", "_"))
        assert found == (tuple(value) if isinstance(value, list) else value), key
        assert getattr(parse_config({"env-name": "x"}, ""), key.replace("-", "_")) != found, key


def test_a_config_survives_being_written_and_read(tmp_path: Path):
    config, _ = load_config(dumped(tmp_path, ENTRIES, "yaml"))
    for ending in ("json", "yaml"):
        assert load_config(dumped(tmp_path, config.to_dict(), ending))[0] == config


def test_keys_may_have_underscores_and_most_may_be_absent():
    assert parse_config({"env_name": "a", "fast_lr": 0.7}, "here") == Config(env_name="a", fast_lr=0.7)
    assert Config(env_name="a").env_kwargs == {}


def test_the_config_json_of_a_2020_run_loads(tmp_path: Path):
    run = {
        "config": "configs/maml/halfcheetah-vel.yaml",
        "output_folder": "maml-halfcheetah-vel",
        "seed": 1,
        "num_workers": 8,
        "use_cuda": False,
        "device": "cpu",
    }
    config, found = load_config(dumped(tmp_path, ENTRIES | run, "json"))
    assert config == load_config(dumped(tmp_path, ENTRIES, "yaml"))[0]
    assert found == {key.replace("_", "-"): value for key, value in run.items()}


@pytest.mark.parametrize("text", ["env-kwargs:", "env-kwargs: {}", ""])
def test_environments_without_arguments(tmp_path: Path, text: str):
    config, _ = load_config(written(tmp_path, f"env-name: Bandit-K5-v0\n{text}\n"))
    assert config.env_kwargs == {}


@pytest.mark.parametrize(("text", "value"), [("1e-2", 0.01), ("1.0e-2", 0.01), ("'0.5'", 0.5), ("1", 1.0)])
def test_numbers_that_yaml_takes_for_strings_or_integers(tmp_path: Path, text: str, value: float):
    config: Any = load_config(written(tmp_path, f"env-name: a\nmax-kl: {text}\n"))[0]
    assert config.max_kl == value
    assert isinstance(config.max_kl, float)


@pytest.mark.parametrize(
    ("key", "nearest"),
    [
        ("fast-lrr", "fast-lr"),
        ("num_batch", "num-batches"),
        ("hidden-size", "hidden-sizes"),
        ("max-kl-divergence", "max-kl"),
        ("env", "env-name"),
        ("Gamma", "gamma"),
    ],
)
def test_an_unknown_key_names_the_nearest(tmp_path: Path, key: str, nearest: str):
    path = dumped(tmp_path, {"env-name": "a", key: 1}, "yaml")
    with pytest.raises(UsageError) as caught:
        load_config(path)
    spelled = key.replace("_", "-")
    assert str(caught.value) == f"{path}: unknown key '{spelled}'; did you mean '{nearest}'?"


@pytest.mark.parametrize("key", ["zzz", 3, None, "meta_policy_lr", "num-layers", "lr", "on"])
def test_a_key_like_no_other_says_where_they_are(key: Any):
    with pytest.raises(UsageError, match=r"unknown key '[^']*'; 'maml-rl train --help' lists the keys$"):
        parse_config({"env-name": "a", key: 1}, "here")


def test_the_environment_must_be_named():
    with pytest.raises(UsageError, match="here: 'env-name': field required"):
        parse_config({"gamma": 0.9}, "here")


below_one = st.integers(max_value=0)
not_positive = st.floats(max_value=0, allow_infinity=False)
unbounded = st.sampled_from([math.nan, math.inf, -math.inf])
outside_unit = st.floats(max_value=-1e-9, allow_infinity=False) | st.floats(min_value=1.0000001)
words = st.text("abcxyz é-#\n'", min_size=1)
WRONG: dict[str, st.SearchStrategy[Any]] = {
    "env-name": st.integers() | st.lists(st.text()) | st.none(),
    "env-kwargs": st.integers() | st.text(min_size=1) | st.lists(st.integers(), min_size=1),
    "gamma": outside_unit | unbounded | words | st.none(),
    "gae-lambda": outside_unit | unbounded | words,
    "first-order": st.floats(min_value=1.5) | st.lists(st.booleans()) | st.sampled_from(["maybe", "", "2"]),
    "hidden-sizes": st.lists(below_one, min_size=1) | st.integers() | words,
    "nonlinearity": st.integers() | st.lists(st.text()),
    "fast-batch-size": below_one | st.floats(1.1, 1.9) | words,
    "num-steps": st.integers(max_value=-1) | unbounded | words,
    "fast-lr": not_positive | unbounded | words,
    "num-batches": below_one | unbounded,
    "meta-batch-size": below_one | st.none(),
    "max-kl": not_positive | unbounded | words,
    "cg-iters": below_one | words,
    "cg-damping": st.floats(max_value=-1e-9, allow_infinity=False) | unbounded,
    "ls-max-steps": below_one | words,
    "ls-backtrack-ratio": outside_unit | st.sampled_from([0, 1, 0.0, 1.0]) | unbounded,
}


@pytest.mark.parametrize("key", KEYS_2020)
@repeatable
@given(data=st.data())
def test_values_out_of_range_are_refused_in_one_line_that_names_the_key(key: str, data: st.DataObject):
    value = data.draw(WRONG[key])
    with pytest.raises(UsageError) as caught:
        parse_config({"env-name": "a", key: value}, "here")
    message = str(caught.value)
    assert message.startswith(f"here: '{key}")
    assert len(message.splitlines()) == 1


in_unit = st.floats(0, 1)
counts = st.integers(1, 10**6)
positive = st.floats(1e-9, 1e9)
RIGHT: dict[str, st.SearchStrategy[Any]] = {
    "env-kwargs": st.dictionaries(st.text(), st.integers() | st.floats() | st.text()),
    "gamma": in_unit,
    "gae-lambda": in_unit,
    "first-order": st.booleans(),
    "hidden-sizes": st.lists(counts, max_size=4),
    "nonlinearity": st.text(),
    "fast-batch-size": counts,
    "num-steps": st.integers(0, 100),
    "fast-lr": positive,
    "num-batches": counts,
    "meta-batch-size": counts,
    "max-kl": positive,
    "cg-iters": counts,
    "cg-damping": st.floats(0, 1e9),
    "ls-max-steps": counts,
    "ls-backtrack-ratio": st.floats(0.001, 0.999),
}


@repeatable
@given(st.fixed_dictionaries({"env-name": st.text()}, optional=RIGHT))
def test_values_in_range_are_accepted_and_kept(entries: dict[str, Any]):
    kept = parse_config(entries, "here").to_dict()
    for key, value in entries.items():
        if key != "env-kwargs":  # It may hold a NaN, which equals nothing.
            assert kept[key] == value


def test_copies_are_equal():
    config = Config(env_name="a", metalearner="promp", clip=0.25)
    for other in (copy.deepcopy(config), config.model_copy(), pickle.loads(pickle.dumps(config))):
        assert other == config
        assert type(other) is type(config)


def test_a_config_cannot_be_changed():
    config = Config(env_name="a")
    with pytest.raises(ValidationError):
        config.gamma = 0.5  # type: ignore[misc]


@pytest.mark.parametrize(
    ("content", "name", "complaint"),
    [
        (b"", "c.yaml", "expected a mapping"),
        (b"# nothing here\n", "c.yaml", "expected a mapping"),
        (b"- gamma\n- 1\n", "c.yaml", "expected a mapping"),
        (b"just words", "c.yaml", "expected a mapping"),
        (b"gamma: [1, 2", "c.yaml", "is not valid yaml"),
        (b"gamma: 1\n\tbad: 2\n", "c.yaml", "is not valid yaml"),
        (b"when: 2020-13-45\n", "c.yaml", "is not valid yaml"),
        (b"x: !!python/object/apply:os.system ['true']\n", "c.yaml", "is not valid yaml"),
        (b"a: \x00b", "c.yaml", "is not valid yaml"),
        (b"\x80\x02}q\x00.", "c.yaml", "not a text file"),
        (b"", "c.json", "is not valid json"),
        (b"[1, 2]", "c.json", "expected a mapping"),
        (b'{"gamma": 0.9', "c.json", "is not valid json"),
        (b"gamma: 0.9", "c.json", "is not valid json"),
        (b"[" * 100_000, "c.json", "is not valid json"),
        (b"\xff\xfe\x00", "c.json", "not a text file"),
    ],
)
def test_damaged_files(tmp_path: Path, content: bytes, name: str, complaint: str):
    path = written(tmp_path, content, name)
    with pytest.raises(UsageError) as caught:
        load_config(path)
    message = str(caught.value)
    assert complaint in message
    assert str(path) in message
    assert len(message.splitlines()) == 1


def test_files_that_cannot_be_read(tmp_path: Path):
    with pytest.raises(UsageError, match=r"cannot read the config '.*nowhere\.yaml': No such file"):
        load_config(tmp_path / "nowhere.yaml")
    with pytest.raises(UsageError, match=r"cannot read the config .*: Is a directory"):
        load_config(tmp_path)


@pytest.mark.parametrize(
    "entries",
    [
        {"fast-lr": True},
        {"num-batches": True},
        {"gamma": False},
        {"hidden-sizes": [8, True]},
        {"policy": True},
    ],
    ids=str,
)
def test_true_is_not_1(entries: dict[str, Any]):
    (key,) = entries
    with pytest.raises(UsageError, match=f"'{key}': input should not be true or false"):
        parse_config({"env-name": "2DNavigation-v0", **entries}, "here")
    flags = {"normalize-advantages": False, "env-kwargs": {"flag": True}, "tasks": [True]}
    assert parse_config({"env-name": "2DNavigation-v0", **flags}, "here").tasks == [True]


def test_lists_are_called_lists():
    with pytest.raises(UsageError, match="'hidden-sizes': expected a list, got 64"):
        parse_config({"env-name": "2DNavigation-v0", "hidden-sizes": 64}, "here")
