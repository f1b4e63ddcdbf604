"""The methods' own keys, and their names."""

import math
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from maml_rl.config import Config, config_class, load_config, parse_config
from maml_rl.config.methods import METHODS, method_named, methods_with
from maml_rl.errors import UsageError
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.metalearners.promp import ProMP
from maml_rl.policies.cells import CELLS
from tests.builders import repeatable
from tests.config.test_config import ENTRIES, OF_2020, SHARED, dumped, written

below_one = st.integers(max_value=0)
not_positive = st.floats(max_value=0, allow_infinity=False)
negative = st.floats(max_value=-1e-9, allow_infinity=False)
unbounded = st.sampled_from([math.nan, math.inf, -math.inf])
ends = st.sampled_from([0, 1, 0.0, 1.0])
outside_unit = negative | st.floats(min_value=1.0000001) | unbounded
words = st.text("abcxyz é-#\n'", min_size=1)
no_truth = st.floats(min_value=1.5) | st.lists(st.booleans()) | st.sampled_from(["maybe", "", "2"])
counts = st.integers(1, 10**6)
positive = st.floats(1e-9, 1e9)
within_unit = st.floats(0.001, 0.999)
LOSSES = ["reinforce", "likelihood-ratio", "dice", "loaded-dice"]
WRONG_AND_RIGHT: dict[str, tuple[st.SearchStrategy[Any], st.SearchStrategy[Any]]] = {
    "fast-lr": (not_positive | unbounded | words, positive),
    "first-order": (no_truth, st.booleans()),
    "inner-loss": (words | st.integers(), st.sampled_from(LOSSES)),
    "max-kl": (not_positive | unbounded | words, positive),
    "cg-iters": (below_one | words, counts),
    "cg-damping": (negative | unbounded, st.floats(0, 1e9)),
    "ls-max-steps": (below_one | words, counts),
    "ls-backtrack-ratio": (outside_unit | ends, within_unit),
    "fisher-fraction": (outside_unit | st.just(0), within_unit | st.just(1.0)),
    "learning-rate": (not_positive | unbounded | words, positive),
    "adam-steps": (below_one | st.floats(1.1, 1.9) | words, counts),
    "clip": (outside_unit | ends, within_unit),
    "inner-kl": (negative | unbounded | words, st.floats(0, 1e9)),
    "inner-kl-target": (not_positive | unbounded | words, st.none() | positive),
    "outer": (words | st.integers(), st.sampled_from(["trust-region", "adam"])),
    "sampling-coefficient": (negative | unbounded | words, st.floats(0, 1e9)),
    "inner-parts": (st.integers() | words | st.lists(st.integers(), min_size=1), st.lists(st.text())),
    "context-size": (below_one | st.floats(1.1, 1.9) | words, counts),
    "meta-step-size": (not_positive | unbounded | words, positive),
    "episodes-per-trial": (below_one | words, st.integers(1, 10_001)),
    "cell": (words | st.integers(), st.sampled_from(list(CELLS))),
    "units": (below_one | words, counts),
    "memory-steps": (below_one | st.floats(1.1, 1.9) | words, st.none() | counts),
    "encoder-sizes": (words | st.lists(below_one, min_size=1), st.lists(counts)),
    "hidden-sizes": (words | st.lists(below_one, min_size=1), st.lists(counts)),
    "reward-scale": (not_positive | unbounded | words, positive),
    "critic": (words | st.integers(), st.just("linear")),  # With a trust region there is no other.
    "credit-over": (words | st.integers(), st.sampled_from(["trial", "episode"])),
    "bootstrap-over": (words | st.integers(), st.sampled_from(["trial", "episode"])),
    "epochs": (below_one | words, counts),
    "minibatches": (below_one | words, counts),
    "kl-stop": (not_positive | unbounded | words, st.none() | positive),
    "max-grad-norm": (not_positive | unbounded | words, st.none() | positive),
    "entropy-coefficient": (negative | unbounded | words, st.floats(0, 1e9)),
    "value-coefficient": (negative | unbounded | words, st.floats(0, 1e9)),
    "chunk": (below_one | words, st.none() | counts),
    "overlap": (negative | unbounded | words, st.just(0)),  # It leaves something of every chunk.
}
"""Values of each key that some method has of its own."""


OTHER_DEFAULTS = {"rl2": {"hidden_sizes"}}
"""Shared keys for which a method has defaults of its own."""


def keys_of(method: str) -> list[str]:
    return [name.replace("_", "-") for name in METHODS[method].block.model_fields]


each_key = pytest.mark.parametrize(
    ("method", "key"), [(method, key) for method in METHODS for key in keys_of(method)]
)
each_method = pytest.mark.parametrize("method", METHODS)


@each_key
@repeatable
@given(data=st.data())
def test_values_out_of_range_are_refused_in_one_line_that_names_the_key(
    method: str, key: str, data: st.DataObject
):
    value = data.draw(WRONG_AND_RIGHT[key][0])
    with pytest.raises(UsageError) as caught:
        parse_config({"env-name": "a", "metalearner": method, key: value}, "here")
    message = str(caught.value)
    assert message.startswith(f"here: '{key}")
    assert len(message.splitlines()) == 1


@each_method
@repeatable
@given(data=st.data())
def test_values_in_range_are_accepted_and_kept(method: str, data: st.DataObject):
    entries = data.draw(
        st.fixed_dictionaries({}, optional={key: WRONG_AND_RIGHT[key][1] for key in keys_of(method)})
    )
    if entries.get("inner-kl") == 0:  # No factor leads from there to a target.
        entries.pop("inner-kl-target", None)
    config = parse_config({"env-name": "a", "metalearner": method, **entries}, "here")
    kept = config.to_dict()
    entries.pop("episodes-per-trial", None)  # It becomes num-steps.
    assert {key: kept[key] for key in entries} == entries
    assert parse_config(kept, "here") == config


@each_method
def test_every_key_arrives_in_python_too(method: str):
    defaults = parse_config({"env-name": "a", "metalearner": method}, "here")
    assert type(defaults) is config_class(method)
    assert defaults == Config(env_name="a", metalearner=method)
    assert METHODS[method].block.model_fields.keys() <= config_class(method).model_fields.keys()
    shared = METHODS[method].block.model_fields.keys() & Config.model_fields.keys()
    assert shared == OTHER_DEFAULTS.get(method, set())


def test_a_config_that_names_no_method_is_of_the_one_of_2020(tmp_path: Path):
    config, _ = load_config(dumped(tmp_path, ENTRIES, "yaml"))
    assert config.metalearner == OF_2020
    assert type(config) is config_class(OF_2020)
    assert config == parse_config(ENTRIES | {"metalearner": OF_2020}, "here")
    assert config.to_dict()["metalearner"] == OF_2020
    assert not hasattr(config, "adam_steps")


@pytest.mark.parametrize(("method", "key"), [("promp", "adam-steps"), (OF_2020, "max-kl")])
def test_configs_made_in_python_have_the_keys_of_their_method(method: str, key: str):
    name = key.replace("-", "_")
    config = Config(env_name="a", metalearner=method, **{name: 3})
    assert config == parse_config({"env-name": "a", "metalearner": method, key: 3}, "here")
    assert isinstance(config, Config)
    (other,) = {"promp", OF_2020} - {method}
    with pytest.raises(ValidationError, match=f"{name}\n.*not permitted"):
        Config(env_name="a", metalearner=other, **{name: 3})


def test_methods_share_keys():
    assert methods_with("fast_lr") == [method for method in METHODS if method != "rl2"]
    assert methods_with("adam_steps") == ["promp", "maml-ppo", "e-maml"]
    assert methods_with("nothing") == []


@pytest.mark.parametrize("spelling", ["adam-steps", "adam_steps"])
def test_a_key_of_another_method_names_the_methods_that_have_it(spelling: str):
    with pytest.raises(UsageError) as caught:
        parse_config({"env-name": "a", spelling: 3}, "here")
    assert (
        str(caught.value)
        == "here: maml-trpo has no key 'adam-steps'; methods that have it: promp, maml-ppo, e-maml"
    )
    with pytest.raises(UsageError) as caught:
        parse_config({"env-name": "a", "metalearner": "reptile", "inner-kl": 0.1}, "here")
    assert str(caught.value) == "here: reptile has no key 'inner-kl'; methods that have it: promp"


def test_an_unknown_key_names_the_nearest_of_the_method():
    with pytest.raises(UsageError) as caught:
        parse_config({"env-name": "a", "metalearner": "promp", "inner-klll": 3}, "here")
    assert str(caught.value) == "here: unknown key 'inner-klll'; did you mean 'inner-kl'?"


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("prompt", "'prompt': no such method; did you mean 'promp'?"),
        ("MAML-TRPO", "'MAML-TRPO': no such method; "),
        ("zzz", "'zzz': no such method; expected one of: anil, cavia, e-maml, fomaml-trpo, "),
        ("", "'': no such method; expected one of: anil, cavia, e-maml, fomaml-trpo, "),
        ("nowhere.at.all:Class", "'nowhere.at.all:Class': No module named 'nowhere'"),
        ("maml_rl.errors:Nothing", "'maml_rl.errors:Nothing': module .* has no attribute 'Nothing'"),
        (":", "':': "),
        (":Class", "':Class': "),
        ("maml_rl.errors:", "'maml_rl.errors:': "),
        ("..:Class", "'..:Class': "),
        ("maml_rl.errors:UsageError", "expected a class with its keys in 'Settings'"),
        ("maml_rl.errors:is_number", "expected a class with its keys in 'Settings'"),
    ],
)
def test_an_unknown_method_is_one_line(tmp_path: Path, name: str, hint: str):
    path = dumped(tmp_path, {"env-name": "a", "metalearner": name}, "yaml")
    with pytest.raises(UsageError, match=hint) as caught:
        load_config(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: metalearner '{name}'")
    assert len(message.splitlines()) == 1
    with pytest.raises(UsageError):
        Config(env_name="a", metalearner=name)


@pytest.mark.parametrize("value", [3, None, ["promp"], {"promp": {}}, True], ids=str)
def test_a_method_that_is_no_name_is_one_line(value: Any):
    with pytest.raises(UsageError, match="here: 'metalearner': expected the name of a method, got"):
        parse_config({"env-name": "a", "metalearner": value}, "here")


def test_the_methods_classes_can_be_loaded():
    assert method_named(OF_2020).load() is TrustRegionMAML
    assert method_named("promp").load() is ProMP
    assert all(method.load() and method.sentence for method in METHODS.values())


OWN = """
from maml_rl.config import Block
from maml_rl.metalearners.promp import ProMP

class Own(ProMP):
    class Settings(Block):
        \"\"\"A method of one's own.

        With more to say about it.
        \"\"\"

        courage: float = 0.5
        \"\"\"How far to go.\"\"\"
        fast_lr: float = 0.1
        \"\"\"Step size.\"\"\"

class WithoutBlock(ProMP):
    Settings = dict
"""


@pytest.fixture
def own_method(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> str:
    modules = tmp_path_factory.mktemp("modules")  # Beside config.json it would be code that came with a run.
    written(modules, OWN, "a_method_of_ones_own.py")
    monkeypatch.syspath_prepend(modules)
    return "a_method_of_ones_own:Own"


def test_a_method_of_ones_own(tmp_path: Path, own_method: str):
    path = dumped(
        tmp_path, {"env-name": "a", "metalearner": own_method, "courage": 2, "num-steps": 3}, "yaml"
    )
    config: Any = load_config(path)[0]
    assert (config.courage, config.fast_lr, config.num_steps) == (2.0, 0.1, 3)
    assert config == Config(env_name="a", metalearner=own_method, courage=2.0, num_steps=3)
    assert load_config(dumped(tmp_path, config.to_dict(), "json"))[0] == config
    method = method_named(own_method)
    assert method.load().__name__ == "Own"
    assert method.sentence == "A method of one's own."
    with pytest.raises(UsageError, match="'courage': input should be a valid number"):
        parse_config({"env-name": "a", "metalearner": own_method, "courage": "much"}, "here")
    with pytest.raises(UsageError) as caught:
        parse_config({"env-name": "a", "metalearner": own_method, "clip": 0.3}, "here")
    message = f"here: {own_method} has no key 'clip'; methods that have it: promp, maml-ppo, e-maml, rl2"
    assert str(caught.value) == message


def test_a_method_of_ones_own_must_have_its_keys_in_a_block(own_method: str):
    name = own_method.replace("Own", "WithoutBlock")
    with pytest.raises(
        UsageError, match=r"expected a class with its keys in 'Settings', a maml_rl\.config\.Block"
    ):
        parse_config({"env-name": "a", "metalearner": name}, "here")


def test_a_file_may_be_read_as_of_another_method(tmp_path: Path):
    shared = {key: ENTRIES[key] for key in SHARED}
    path = dumped(tmp_path, shared | {"metalearner": "promp"}, "yaml")
    config, _ = load_config(path, metalearner=OF_2020)
    assert config == parse_config(shared, "here")
    assert load_config(path)[0].metalearner == "promp"
