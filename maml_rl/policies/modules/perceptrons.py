"""Perceptrons that have no closed form here."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
from jaxtyping import Float
from torch import Tensor, nn

from maml_rl.policies.distributions import DiagonalNormal
from maml_rl.policies.modules.layers import MIN_LOG_STD, Head, Hidden, check_continuous, initialised, log_of
from maml_rl.policies.spaces import action_size, observation_size
from maml_rl.policies.squashed_normal import SquashedNormal, squashed_normal


class LayerNormPerceptron(nn.Module):
    """A perceptron with LayerNorm before each nonlinearity; discrete or continuous actions.

    Args:
        init_std: initial standard deviation of continuous actions.
        init_gain: factor of the last layer's initial weights.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        hidden_sizes: Sequence[int] = (64, 64),
        nonlinearity: str = "tanh",
        init_std: float = 1.0,
        init_gain: float = 1.0,
    ):
        super().__init__()
        self.hidden = Hidden(observation_size(observation_space), hidden_sizes, nonlinearity, normalized=True)
        self.head = Head(self.hidden.size, action_space, init_std, init_gain)

    def forward(self, observations: Float[Tensor, "B *shape"]) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits, or mean and log-std."""
        result: Tensor | tuple[Tensor, Tensor] = self.head(self.hidden(observations))
        return result


class StateDependentStd(nn.Module):
    """A perceptron that puts out the standard deviation of continuous actions too, a log for each dimension.

    Args:
        init_std: initial standard deviation, about the same everywhere where ``std_gain`` is small.
        init_gain: factor of the initial weights of the means.
        std_gain: factor of the initial weights of the log standard deviations.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        hidden_sizes: Sequence[int] = (64, 64),
        nonlinearity: str = "tanh",
        init_std: float = 1.0,
        init_gain: float = 1.0,
        std_gain: float = 0.1,
    ):
        super().__init__()
        actions = action_size(check_continuous(action_space))
        self.init_log_std = log_of("init_std", init_std)
        self.hidden = Hidden(observation_size(observation_space), hidden_sizes, nonlinearity)
        self.mean = initialised(nn.Linear(self.hidden.size, actions), init_gain)
        self.log_std = initialised(nn.Linear(self.hidden.size, actions), std_gain)

    def forward(self, observations: Float[Tensor, "B *shape"]) -> DiagonalNormal:
        """Return each state's distribution."""
        features = self.hidden(observations)
        log_std = self.log_std(features) + self.init_log_std
        return DiagonalNormal(self.mean(features), log_std.clamp(min=MIN_LOG_STD))


class SquashedPerceptron(nn.Module):
    """A perceptron whose normal actions are squashed by tanh into the bounds of the action space.

    Args:
        init_std: initial standard deviation before squashing, where the bounds are at ±infinity: 1 spreads
            actions over most of the space.
        init_gain: factor of the last layer's initial weights.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        hidden_sizes: Sequence[int] = (64, 64),
        nonlinearity: str = "tanh",
        init_std: float = 1.0,
        init_gain: float = 1.0,
    ):
        super().__init__()
        box = check_continuous(action_space, bounded=True)
        self.low, self.high = tuple(map(float, box.low)), tuple(map(float, box.high))
        self.hidden = Hidden(observation_size(observation_space), hidden_sizes, nonlinearity)
        self.head = Head(self.hidden.size, action_space, init_std, init_gain)

    def forward(self, observations: Float[Tensor, "B *shape"]) -> SquashedNormal:
        """Return the distribution in the Box."""
        return squashed_normal(self.low, self.high)(*self.head(self.hidden(observations)))
