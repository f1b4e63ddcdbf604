"""Policies and baselines that fit an environment."""

from collections.abc import Callable, Sequence
from typing import Any

import gymnasium as gym
import torch
import torch.nn.functional as F
from gymnasium import spaces
from torch import Tensor

from maml_rl.errors import UsageError
from maml_rl.policies.activations import Nonlinearity
from maml_rl.policies.base import Policy
from maml_rl.policies.categorical_mlp import CategoricalMLPPolicy, MultiCategoricalMLPPolicy
from maml_rl.policies.mlp import MLPPolicy
from maml_rl.policies.normal_mlp import NormalMLPPolicy
from maml_rl.policies.spaces import action_size, observation_size


def get_input_size(env: gym.Env[Any, Any]) -> int:
    """Return the numbers in one observation of ``env``.

    Raises:
        UsageError: the observations are not arrays.
    """
    return observation_size(env.observation_space)


def get_policy_for_env(
    env: gym.Env[Any, Any],
    hidden_sizes: Sequence[int] = (100, 100),
    nonlinearity: str = "relu",
    init_std: float = 1.0,
    init_gain: float = 1.0,
) -> Policy:
    """Return `perceptron_policy` for the spaces of ``env``."""
    return perceptron_policy(
        env.observation_space, env.action_space, tuple(hidden_sizes), nonlinearity, init_std, init_gain
    )


def perceptron_policy(  # noqa: PLR0913, a config's keys for a perceptron
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
    hidden_sizes: tuple[int, ...],
    nonlinearity: str,
    init_std: float,
    init_gain: float,
) -> Policy:
    """Return a perceptron for two spaces: Gaussian for a Box of actions, else categorical.

    Args:
        init_std: initial standard deviation of Gaussian actions.
        init_gain: of the last layer's initial weights. Andrychowicz et al. 2021 ("What Matters for
            On-Policy Deep Actor-Critic Methods?", section 3.2) recommend a small one.

    Raises:
        UsageError: the action space is none that policies know, or ``nonlinearity`` is unknown.
    """
    size = observation_size(observation_space)
    function = nonlinearity_named(nonlinearity)
    actions = action_size(action_space)
    policy: MLPPolicy
    if isinstance(action_space, spaces.Box):
        policy = NormalMLPPolicy(size, actions, hidden_sizes, function, init_std)
    elif isinstance(action_space, spaces.MultiDiscrete):
        policy = MultiCategoricalMLPPolicy(size, action_space.nvec.tolist(), hidden_sizes, function)
    else:
        policy = CategoricalMLPPolicy(size, actions, hidden_sizes, function)
    policy.scale_outputs(init_gain)
    return policy


def nonlinearity_named(name: str) -> Nonlinearity:
    """Return the activation function called ``name`` in torch (``relu``, ``tanh``, ``Tanh``, ``elu``, …).

    Raises:
        UsageError: there is no such function, or it is not a differentiable one of each number alone.
    """
    for namespace in (torch, F):
        for spelling in (name, name.lower()):
            function = getattr(namespace, spelling, None)
            if callable(function) and _is_elementwise(function):
                return function
    raise UsageError(
        f"nonlinearity '{name}': expected a function of torch or torch.nn.functional "
        "that maps each number by itself, such as relu, tanh, elu, softplus or silu"
    )


def _is_elementwise(function: Callable[..., object]) -> bool:
    """Return whether each result depends on its own number alone, differentiably, and no argument changes."""
    # So many numbers that one that draws, such as dropout, does not come out alike by chance.
    probe = torch.linspace(1, -1, 64, requires_grad=True)
    try:
        whole, *parts = (function(x) for x in (probe, *probe.detach()[:, None]))
        alone = torch.cat(parts)  # type: ignore[arg-type]
    except Exception:  # The name may be any function of torch's: it decides what it objects to, and how.
        return False
    if not (isinstance(whole, Tensor) and whole.is_floating_point() and whole.requires_grad):
        return False
    return whole.shape == probe.shape and torch.allclose(whole, alone, equal_nan=True)
