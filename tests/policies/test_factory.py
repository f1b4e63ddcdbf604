from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from gymnasium import spaces

from maml_rl.errors import UsageError
from maml_rl.policies import CategoricalMLPPolicy, NormalMLPPolicy
from maml_rl.policies.factory import get_input_size, get_policy_for_env


def environment(observation_space: spaces.Space[Any], action_space: spaces.Space[Any]) -> gym.Env[Any, Any]:
    env: gym.Env[Any, Any] = gym.Env()
    env.observation_space, env.action_space = observation_space, action_space
    return env


def box(*shape: int) -> spaces.Box:
    return spaces.Box(-1.0, 1.0, shape, np.float32)


def test_box_of_actions_gets_a_normal_policy():
    policy = get_policy_for_env(environment(box(2, 3), box(4)), (5,), "elu")
    assert isinstance(policy, NormalMLPPolicy)
    assert (policy.input_size, policy.output_size) == (6, 4)
    assert policy.get_parameter("layer1.weight").shape == (5, 6)
    x = torch.linspace(-2, 2, 5)
    assert torch.equal(policy.nonlinearity(x), F.elu(x))


def test_discrete_actions_get_a_categorical_policy():
    policy = get_policy_for_env(environment(box(2), spaces.Discrete(3)), hidden_sizes=[5, 4])
    assert isinstance(policy, CategoricalMLPPolicy)
    assert policy(torch.zeros(1, 2)).probs.shape == (1, 3)


@pytest.mark.parametrize(("actions", "last"), [(box(4), "mu"), (spaces.Discrete(3), "layer2")], ids=str)
def test_the_initial_gain_scales_the_last_layer_and_nothing_else(actions: spaces.Space[Any], last: str):
    policies = []
    for gain in (1.0, 0.1):
        torch.manual_seed(0)
        policies.append(get_policy_for_env(environment(box(2), actions), (5,), init_gain=gain))
    plain, scaled = (policy.state_dict() for policy in policies)
    for name, param in plain.items():
        factor = 0.1 if name == f"{last}.weight" else 1.0
        assert torch.equal(scaled[name], factor * param), name


@pytest.mark.parametrize("actions", [box(2, 2), spaces.MultiBinary(3), spaces.Discrete(3, start=1)], ids=str)
def test_other_actions_are_refused(actions: spaces.Space[Any]):
    with pytest.raises(UsageError, match="actions: expected a one-dimensional Box, Discrete"):
        get_policy_for_env(environment(box(2), actions))


def test_observations_must_be_a_box():
    with pytest.raises(UsageError, match="observations: expected a Box"):
        get_input_size(environment(spaces.Discrete(3), box(2)))
