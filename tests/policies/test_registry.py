"""Policies by name, and what is said of mistakes: one line each."""

from typing import Any

import numpy as np
import pytest
import torch
from gymnasium import spaces

import maml_rl.envs
from maml_rl.config import Config
from maml_rl.errors import UsageError
from maml_rl.policies import CategoricalMLPPolicy, NormalMLPPolicy
from maml_rl.policies.factory import get_policy_for_env
from maml_rl.policies.module import ModulePolicy
from maml_rl.policies.registry import MODULES, policy_arguments, policy_class, policy_for
from maml_rl.seeding import Purpose, integer_seed, seed_sequence
from maml_rl.training.run import initial_policy
from tests.builders import same_bits
from tests.cli.helpers import Command
from tests.policies import own


class OwnPolicy(NormalMLPPolicy):
    """A `Policy` with closed forms of its own."""

    def __init__(self, observation_space, action_space):
        super().__init__(observation_space.shape[0], action_space.shape[0], (5,))


def made(policy: str, actions: spaces.Space[Any] = own.MOVES, **kwargs: Any) -> Any:
    return policy_for(Config(env_name="-", policy=policy, policy_kwargs=kwargs), own.LINE, actions)


def complaint(policy: str, actions: spaces.Space[Any] = own.MOVES, **kwargs: Any) -> str:
    with pytest.raises(UsageError) as caught:
        made(policy, actions, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(f"policy '{policy}'")
    return message


@pytest.mark.parametrize("env_name", ["2DNavigation-v0", "TabularMDP-v0"])
def test_mlp_is_the_perceptron_to_the_bit(env_name: str):
    keys: dict[str, Any] = {"hidden_sizes": (7, 5), "nonlinearity": "relu", "init_std": 0.5, "init_gain": 0.1}
    env = maml_rl.envs.make_env(env_name)
    state = torch.get_rng_state()
    policy = initial_policy(Config(env_name=env_name, **keys), env, seed=3)
    assert torch.equal(torch.get_rng_state(), state)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(integer_seed(seed_sequence(3, Purpose.INITIAL_PARAMETERS)))
        expected = get_policy_for_env(env, *keys.values())
    assert type(policy) is type(expected)
    assert isinstance(policy, CategoricalMLPPolicy if env_name.startswith("Tab") else NormalMLPPolicy)
    assert same_bits(policy.get_vector(), expected.get_vector())


@pytest.mark.parametrize("policy", ["layer-norm", "tests.policies.own:WithBuffers"])
def test_the_seed_decides_everything_that_is_drawn(policy: str):
    env = maml_rl.envs.make_env("2DNavigation-v0")
    config = Config(env_name="2DNavigation-v0", policy=policy)
    state = torch.get_rng_state()
    first, again, other = (initial_policy(config, env, seed).get_vector() for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), state)
    assert same_bits(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", MODULES)
def test_every_shipped_class_says_what_it_takes(name: str):
    arguments = policy_arguments(policy_class(name))
    assert arguments is not None
    assert {"hidden_sizes", "nonlinearity", "init_std", "init_gain"} <= set(arguments)


def test_a_class_or_a_function_of_ones_own():
    assert isinstance(made("tests.policies.own:PlainNormal", hidden_sizes=[4]).module, own.PlainNormal)
    assert isinstance(made("tests.policies.own:a_function"), ModulePolicy)


def test_a_policy_of_ones_own_is_taken_as_it_is():
    assert type(made("tests.policies.test_registry:OwnPolicy")) is OwnPolicy


def test_unknown_policies():
    assert complaint("layernorm").endswith("no such policy; did you mean 'layer-norm'?")
    assert complaint("zebra").endswith("expected one of: cnn, layer-norm, mlp, squashed, state-dependent-std")
    assert "No module named 'nowhere'" in complaint("nowhere.at_all:Policy")
    assert "has no attribute 'Nobody'" in complaint("tests.policies.own:Nobody")
    assert "expected a class" in complaint("tests.policies.own:LINE")
    assert complaint("tests.policies.own:not_a_module").endswith("expected a torch.nn.Module, got a list")
    assert "expected 'package.module:Class'" in complaint(":Policy")


def test_arguments():
    assert complaint("tests.policies.own:PlainNormal", hidden_size=[3]).endswith(
        "takes no argument 'hidden_size'; did you mean 'hidden_sizes'?"
    )
    assert "takes no argument 'width'" in complaint("tests.policies.own:Linear", width=3)
    message = complaint("tests.policies.own:PlainNormal", hidden_sizes=3)
    assert "cannot be made with {'hidden_sizes': 3}: " in message


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("hidden_sizes", (100, 100), "leave it at 64 64, and .* such as '{hidden_sizes: [100, 100]}'"),
        ("nonlinearity", "relu", "leave it at tanh"),
        ("init_std", 0.5, "leave it at 1.0"),
        ("init_gain", 0.01, "leave it at 1.0"),
    ],
)
def test_keys_of_the_perceptron_do_not_go_unheard(key: str, value: Any, message: str):
    config = Config(env_name="-", policy="layer-norm", **{key: value})
    with pytest.raises(UsageError) as caught:
        policy_for(config, own.LINE, own.MOVES)
    start = f"{key.replace('_', '-')} belongs to policy 'mlp': "
    assert str(caught.value).startswith(start)
    assert all(part in str(caught.value) for part in message.split(" .* "))


def test_the_perceptron_takes_no_policy_kwargs():
    config = Config(env_name="-", policy_kwargs={"hidden_sizes": [3]})
    with pytest.raises(UsageError, match="policy 'mlp' takes none; it has the keys hidden-sizes, nonlin"):
        policy_for(config, own.LINE, own.MOVES)


@pytest.mark.parametrize("policy", ["mlp", "layer-norm", "tests.policies.own:Linear"])
def test_spaces_that_no_policy_can_have(policy: str):
    config = Config(env_name="-", policy=policy)
    with pytest.raises(UsageError, match="actions: expected a one-dimensional Box, Discrete"):
        policy_for(config, own.LINE, spaces.MultiBinary(3))
    with pytest.raises(UsageError, match="actions: expected"):
        policy_for(config, own.LINE, spaces.Discrete(3, start=1))
    with pytest.raises(UsageError, match="observations: expected a Box"):
        policy_for(config, spaces.Discrete(3), own.CHOICES)


@pytest.mark.parametrize(
    ("module", "actions", "message"),
    [
        (
            "Wide",
            own.MOVES,
            "for 3 observations forward returned (a tensor [3, 4], a tensor [2]), expected (mean,",
        ),
        (
            "ScalarStd",
            own.MOVES,
            "forward returned (a tensor [3, 2], a tensor []), expected (mean, log_std) [3, 2]",
        ),
        ("Named", own.MOVES, "forward returned a dict, expected"),
        ("FixedStd", own.CHOICES, "returned (a tensor [3, 3], a tensor [3, 3]), expected logits [3, 3]"),
        ("WrongBox", own.MOVES, "for 3 observations forward returned"),
        ("Distributions", "swapped", "its CategoricalLogits is no distribution over Box"),
        ("NotANumber", own.MOVES, "forward returned NaN or infinite numbers for ordinary observations"),
        ("Double", own.MOVES, "parameter 'log_std' is float64, expected float32"),
        ("DoubleBuffer", own.MOVES, "buffer 'scale' is float64, expected float32"),
        ("BigIntegers", own.MOVES, "buffer 'count' has integers beyond 16777216"),
        ("Tied", own.MOVES, "'layer.weight' and 'again.weight' are one tensor"),
        ("Frozen", own.MOVES, "it has no parameters that could be learned"),
        ("AlwaysDropout", own.MOVES, "two calls differ"),
        ("Counting", own.MOVES, "forward changes 'calls'"),
        ("BatchStatistics", own.MOVES, "what forward returns for an observation depends on the others"),
        ("Branching", own.MOVES, "torch.func.vmap cannot run it for several tasks at once: "),
        (
            "Distances",
            own.MOVES,
            "autograd cannot differentiate it twice: the derivative for '_cdist_backward'",
        ),
        (
            "OnceDifferentiable",
            own.MOVES,
            "autograd cannot differentiate it twice: a part of it has no second",
        ),
        ("Broken", own.MOVES, "forward fails on observations [3, 2]: "),
    ],
)
def test_modules_that_break_the_contract(module: str, actions: Any, message: str):
    if actions == "swapped":
        policy = own.Distributions(own.LINE, spaces.Discrete(2))
        with pytest.raises(UsageError) as caught:
            ModulePolicy(policy, own.LINE, own.MOVES, "tests.policies.own:Distributions")
        found = str(caught.value)
    else:
        found = complaint(f"tests.policies.own:{module}", actions)
    assert message in found


def test_unbounded_looking_observations_are_ordinary_ones():
    """As the old environments have them: Box(-3.4e38, 3.4e38)."""
    largest = np.finfo(np.float32).max
    space = spaces.Box(-largest, largest, (2,), np.float32)
    config = Config(env_name="-", policy="tests.policies.own:Linear")
    assert policy_for(config, space, own.MOVES).get_vector().isfinite().all()


def test_the_command_line_says_it_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Any):
    command = Command(capsys)
    options = ("--env-name", "2DNavigation-v0", "--num-workers", 0, "--output-folder", tmp_path / "run")
    assert "did you mean 'layer-norm'" in command.fails("train", *options, "--policy", "layernorm")
    message = command.fails("train", *options, "--policy", "cnn")
    assert message == "maml-rl: policy 'cnn': expected images, such as [84, 84, 3], got observations [2]"
    assert not (tmp_path / "run").exists()
