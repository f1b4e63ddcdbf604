"""The policies by name, and how a config's comes to be."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import gymnasium as gym
import torch
from torch import nn

from maml_rl._system.own_code import failure, load_named
from maml_rl.config import Config
from maml_rl.errors import UsageError, did_you_mean, out_of_memory, shown
from maml_rl.policies.base import Policy
from maml_rl.policies.extended import ExtendedPolicy
from maml_rl.policies.factory import perceptron_policy
from maml_rl.policies.module import ModulePolicy
from maml_rl.policies.normalized import REWARD_SCALE, NormalizedPolicy, normalized_space
from maml_rl.policies.spaces import action_size, observation_size

MLP = "mlp"
"""The perceptron with closed-form derivatives, which the config's own keys describe."""
MODULES = {
    "cnn": "maml_rl.policies.modules.cnn:CNN",
    "layer-norm": "maml_rl.policies.modules.perceptrons:LayerNormPerceptron",
    "squashed": "maml_rl.policies.modules.perceptrons:SquashedPerceptron",
    "state-dependent-std": "maml_rl.policies.modules.perceptrons:StateDependentStd",
}
"""The classes of the other shipped policies, as ``module:Class``."""
MLP_KEYS = ("hidden_sizes", "nonlinearity", "init_std", "init_gain")
"""Keys of a config that are the perceptron's alone."""


def policy_for(config: Config, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> Policy:
    """Return the untrained policy that a config describes, for two spaces, with the statistics that it wants.

    Its initial parameters are drawn from torch's generator.

    Raises:
        UsageError: there is no such policy, it cannot be made of these arguments, the spaces do not fit it,
            or the module breaks the contract of `ModulePolicy`.
    """
    if config.normalize_observations:
        space = normalized_space(observation_space)
        policy: Policy = NormalizedPolicy(plain_policy(config, space, action_space))
    else:
        policy = plain_policy(config, observation_space, action_space)
    if config.normalize_rewards:
        policy = ExtendedPolicy(policy, {REWARD_SCALE: torch.ones(1)})
    return policy


def plain_policy(config: Config, observation_space: gym.Space[Any], action_space: gym.Space[Any]) -> Policy:
    """Return `policy_for` without statistics.

    Raises:
        UsageError: as there.
    """
    if config.policy == MLP:
        if config.policy_kwargs:
            raise UsageError(
                f"policy-kwargs: policy 'mlp' takes none; it has the keys {', '.join(map(_dashed, MLP_KEYS))}"
            )
        keys = (config.hidden_sizes, config.nonlinearity, config.init_std, config.init_gain)
        return perceptron_policy(observation_space, action_space, *keys)
    _check_mlp_keys(config)
    observation_size(observation_space)
    action_size(action_space)
    module = _made(config.policy, config.policy_kwargs, observation_space, action_space)
    if isinstance(module, Policy):
        return module
    return ModulePolicy(module, observation_space, action_space, config.policy)


def policy_class(name: str) -> Callable[..., nn.Module]:
    """Import what makes the module of a policy other than mlp: one of `MODULES`, or ``package.module:Class``.

    Raises:
        UsageError: there is no such policy.
    """
    if name not in MODULES and ":" not in name:
        raise UsageError(f"policy '{name}': no such policy{did_you_mean(name, [MLP, *MODULES])}")
    found = load_named(MODULES.get(name, name), f"policy '{name}'")
    if not callable(found):
        raise UsageError(f"policy '{name}': expected a class, a torch.nn.Module, got {shown(found)}")
    made: Callable[..., nn.Module] = found
    return made


def policy_arguments(make: Callable[..., nn.Module]) -> dict[str, Any] | None:
    """Return the keyword arguments of a policy with their defaults; None if it takes any."""
    try:
        _, _, *parameters = inspect.signature(make).parameters.values()
    except ValueError:  # It has no signature, or lacks the two spaces.
        return None
    if any(p.kind is p.VAR_KEYWORD for p in parameters):
        return None
    return {p.name: p.default for p in parameters if p.kind is not p.VAR_POSITIONAL}


def _made(
    name: str,
    kwargs: Mapping[str, Any],
    observation_space: gym.Space[Any],
    action_space: gym.Space[Any],
) -> nn.Module:
    make = policy_class(name)
    accepted = policy_arguments(make)
    if accepted is not None and (unknown := [key for key in kwargs if key not in accepted]):
        raise UsageError(
            f"policy '{name}' takes no argument '{unknown[0]}'{did_you_mean(unknown[0], accepted)}"
        )
    try:
        module = make(observation_space, action_space, **kwargs)
    except UsageError as error:
        raise UsageError(f"policy '{name}': {error}") from None
    except (Exception, SystemExit) as error:  # The class is anybody's.
        if out_of_memory(error):
            raise
        raise UsageError(
            f"policy '{name}' cannot be made with {shown(dict(kwargs))}: {failure(error)}"
        ) from error
    if not isinstance(module, nn.Module):
        raise UsageError(f"policy '{name}': expected a torch.nn.Module, got a {type(module).__name__}")
    return module


def _check_mlp_keys(config: Config) -> None:
    """Check that nothing is said that would go unheard.

    Raises:
        UsageError: a key that only mlp reads is not at its default.
    """
    for key in MLP_KEYS:
        given, default = getattr(config, key), type(config).model_fields[key].default
        if given != default:
            raise UsageError(
                f"{_dashed(key)} belongs to policy 'mlp': leave it at {_spelled(default)}, and give "
                f"'{config.policy}' what it takes in policy-kwargs, such as '{{{key}: {_yaml(given)}}}'"
            )


def _dashed(key: str) -> str:
    return key.replace("_", "-")


def _spelled(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)


def _yaml(value: object) -> str:
    return str([*value]) if isinstance(value, tuple) else str(value)
