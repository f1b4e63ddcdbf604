"""Policies and baselines that fit an environment."""

import math
from collections.abc import Sequence
from typing import Any

import gymnasium as gym
from gymnasium import spaces

from maml_rl.errors import UsageError
from maml_rl.policies.base import Policy
from maml_rl.policies.categorical_mlp import CategoricalMLPPolicy
from maml_rl.policies.nonlinearities import nonlinearity_named
from maml_rl.policies.normal_mlp import NormalMLPPolicy


def get_input_size(env: gym.Env[Any, Any]) -> int:
    """Return the numbers in one observation of ``env``.

    Raises:
        UsageError: the observations are not arrays.
    """
    shape = env.observation_space.shape
    if not isinstance(env.observation_space, spaces.Box) or shape is None:
        raise UsageError(f"observations: expected a Box, got {env.observation_space}")
    return math.prod(shape)


def get_policy_for_env(
    env: gym.Env[Any, Any],
    hidden_sizes: Sequence[int] = (100, 100),
    nonlinearity: str = "relu",
    init_std: float = 1.0,
) -> Policy:
    """Return a policy for the spaces of ``env``: Gaussian for a Box of actions, else categorical.

    Args:
        init_std: initial standard deviation of Gaussian actions.

    Raises:
        UsageError: the action space is neither a vector nor discrete, or ``nonlinearity`` is unknown.
    """
    input_size = get_input_size(env)
    function = nonlinearity_named(nonlinearity)
    space = env.action_space
    if isinstance(space, spaces.Box) and len(space.shape) == 1:
        return NormalMLPPolicy(input_size, space.shape[0], tuple(hidden_sizes), function, init_std)
    if isinstance(space, spaces.Discrete) and space.start == 0:
        return CategoricalMLPPolicy(input_size, int(space.n), tuple(hidden_sizes), function)
    raise UsageError(f"actions: expected a one-dimensional Box or Discrete(n), got {space}")
