"""Modules and an environment of a user's own, as a config names them: ``tests.policies.own:PlainNormal``."""

from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from maml_rl.policies.distributions import CategoricalLogits, DiagonalNormal
from maml_rl.policies.squashed_normal import squashed_normal

LINE = spaces.Box(-np.inf, np.inf, (2,), np.float32)
MOVES = spaces.Box(-0.1, 0.1, (2,), np.float32)
CHOICES = spaces.Discrete(3)


class Plain(nn.Module):
    """The layers of `MLPPolicy`, under the same names, written as anybody would."""

    def __init__(self, last: str, sizes: list[int], nonlinearity: str):
        super().__init__()
        names = [*(f"layer{i}" for i in range(1, len(sizes) - 1)), last]
        for name, fan_in, fan_out in zip(names, sizes, sizes[1:], strict=False):
            self.add_module(name, nn.Linear(fan_in, fan_out))
        self.names = names
        self.nonlinearity = getattr(torch, nonlinearity)

    def outputs(self, x: Tensor) -> Tensor:
        *hidden, last = (self.get_submodule(name) for name in self.names)
        for layer in hidden:
            x = self.nonlinearity(layer(x))
        return last(x)


class PlainNormal(Plain):
    def __init__(self, observation_space, action_space, hidden_sizes=(3,), nonlinearity="tanh"):
        sizes = [observation_space.shape[0], *hidden_sizes, action_space.shape[0]]
        super().__init__("mu", sizes, nonlinearity)
        self.sigma = nn.Parameter(torch.zeros(action_space.shape[0]))

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return self.outputs(observations), self.sigma.clamp(min=float(np.log(1e-6)))


class PlainCategorical(Plain):
    def __init__(self, observation_space, action_space, hidden_sizes=(3,), nonlinearity="tanh"):
        last = f"layer{len(hidden_sizes) + 1}"
        super().__init__(
            last, [observation_space.shape[0], *hidden_sizes, spaces.flatdim(action_space)], nonlinearity
        )

    def forward(self, observations: Tensor) -> Tensor:
        return self.outputs(observations)


class Linear(nn.Module):
    """A base for modules of one layer; ``log_std`` or logits as the actions ask."""

    def __init__(self, observation_space, action_space):
        super().__init__()
        self.discrete = isinstance(action_space, spaces.Discrete)
        size = int(action_space.n) if self.discrete else action_space.shape[0]
        self.layer = nn.Linear(int(np.prod(observation_space.shape)), size)
        self.log_std = nn.Parameter(torch.zeros(size))

    def forward(self, x: Tensor) -> Any:
        x = self.layer(x.flatten(1))
        return x if self.discrete else (x, self.log_std)


class WithBuffers(Linear):
    """Random features, a frozen shift, a mask of truth values, a count, and a batch norm."""

    mask: Tensor
    twos: Tensor

    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        size = int(np.prod(observation_space.shape))
        self.register_buffer("features", torch.randn(size, size))
        self.register_buffer("mask", torch.arange(size) % 2 == 0)
        self.register_buffer("order", torch.randperm(size))
        self.register_buffer("twos", torch.full((size,), 2.0), persistent=False)
        self.norm = nn.BatchNorm1d(size)
        self.shift = nn.Parameter(torch.randn(size), requires_grad=False)

    def forward(self, x: Tensor) -> Any:
        x = (self.norm(x) @ self.features + self.shift)[:, self.order]
        return super().forward(torch.where(self.mask, x, x * self.twos))


class Lazy(Linear):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.layer = nn.LazyLinear(self.layer.out_features)


class Distributions(Linear):
    """Returns distributions."""

    def forward(self, x: Tensor) -> Any:
        x = self.layer(x)
        return CategoricalLogits(x) if self.discrete else DiagonalNormal(x, self.log_std)


class FixedStd(Linear):
    """One of its numbers depends on no parameter."""

    def forward(self, x: Tensor) -> Any:
        return self.layer(x), torch.full((x.shape[0], self.layer.out_features), -0.5, dtype=x.dtype)


class WrongBox(Linear):
    def forward(self, x: Tensor) -> Any:
        return squashed_normal([-1.0], [1.0])(self.layer(x)[:, :1], self.log_std[:1])


class Wide(Linear):
    def forward(self, x: Tensor) -> Any:
        return torch.cat([self.layer(x), self.layer(x)], -1), self.log_std


class ScalarStd(Linear):
    def forward(self, x: Tensor) -> Any:
        return self.layer(x), self.log_std.sum()


class Named(Linear):
    def forward(self, x: Tensor) -> Any:
        return {"mean": self.layer(x)}


class NotANumber(Linear):
    def forward(self, x: Tensor) -> Any:
        return (self.layer(x) - 100).log(), self.log_std


class Double(Linear):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.double()


class DoubleBuffer(Linear):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.register_buffer("scale", torch.ones(2, dtype=torch.float64))


class BigIntegers(Linear):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.register_buffer("count", torch.tensor(2**24 + 1))


class Tied(Linear):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.again = self.layer


class Frozen(Linear):
    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.requires_grad_(False)


class Dropout(Linear):
    """In eval mode there is none."""

    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x: Tensor) -> Any:
        return super().forward(self.dropout(x))


class AlwaysDropout(Linear):
    def forward(self, x: Tensor) -> Any:
        return super().forward(nn.functional.dropout(x, 0.5))


class Counting(Linear):
    calls: Tensor

    def __init__(self, observation_space, action_space):
        super().__init__(observation_space, action_space)
        self.register_buffer("calls", torch.zeros(()))

    def forward(self, x: Tensor) -> Any:
        self.calls += 1
        return super().forward(x)


class BatchStatistics(Linear):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x - x.mean(0))


class Branching(Linear):
    def forward(self, x: Tensor) -> Any:
        return super().forward(x if self.log_std.sum() > 0 else -x)


class OnceDifferentiable(Linear):
    def forward(self, x: Tensor) -> Any:
        return _Once.apply(self.layer(x)), self.log_std


class _Once(torch.autograd.Function):
    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor) -> Tensor:
        return x.square()

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (x,) = ctx.saved_tensors
        return 2 * x * grad


class Distances(Linear):
    def forward(self, x: Tensor) -> Any:
        return self.layer(torch.cdist(x, self.layer.weight)), self.log_std


class Broken(Linear):
    def forward(self, x: Tensor) -> Any:
        return self.layer(x @ torch.ones(5, 5))


def not_a_module(observation_space, action_space) -> list[int]:
    return []


def a_function(observation_space, action_space) -> nn.Module:
    """Anything that returns a module will do."""
    return PlainNormal(observation_space, action_space)


class Pixels(gym.Env[Any, Any]):
    """A dot on an image of 6 x 6 that shall go to a corner; six steps.

    Args:
        continuous: whether the action is a move in ±1 along both axes; otherwise it is one of four.
        channels_last: else they are the first dimension.
    """

    def __init__(self, continuous: bool = False, channels_last: bool = True):
        shape = (6, 6, 2) if channels_last else (2, 6, 6)
        self._channels_last = channels_last
        self.observation_space = spaces.Box(0, 255, shape, np.uint8)
        self.action_space = spaces.Box(-1, 1, (2,), np.float32) if continuous else spaces.Discrete(4)

    def sample_tasks(self, num_tasks: int) -> list[dict[str, Any]]:
        return [{"corner": corner} for corner in self.np_random.integers(2, size=(num_tasks, 2)) * 5]

    def reset_task(self, task: dict[str, Any]) -> None:
        self._corner = np.asarray(task["corner"])

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._position, self._elapsed = self.np_random.integers(1, 5, 2).astype(float), 0
        return self._image(), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if isinstance(self.action_space, spaces.Box):
            move = np.clip(action, -1, 1)
        else:
            move = np.array([(0, 1), (0, -1), (1, 0), (-1, 0)][int(action)])
        self._position = np.clip(self._position + move, 0, 5)
        self._elapsed += 1
        reward = -float(np.abs(self._position - self._corner).sum())
        return self._image(), reward, False, self._elapsed == 6, {}

    def _image(self) -> Any:
        image = np.zeros((6, 6, 2), np.uint8)
        image[tuple(self._position.round().astype(int))] = (255, 128)
        return image if self._channels_last else np.moveaxis(image, -1, 0)


class TwoHeads(nn.Module):
    """Means and deviations each from a layer of their own."""

    def __init__(self, observation_space, action_space):
        super().__init__()
        self.body = nn.Linear(observation_space.shape[0], 6)
        self.log_std = nn.Linear(6, action_space.shape[0])
        self.mean = nn.Linear(6, action_space.shape[0])

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.tanh(self.body(observations))
        return self.mean(features), 0.1 * self.log_std(features)


class LooseParameters(nn.Module):
    """A first layer that is no module, with a bias that is no vector."""

    def __init__(self, observation_space, action_space):
        super().__init__()
        self.weight = nn.Parameter(0.3 * torch.randn(6, observation_space.shape[0]))
        self.bias = nn.Parameter(torch.zeros(1, 6))
        self.last = nn.Linear(6, action_space.shape[0])
        self.log_std = nn.Parameter(torch.zeros(action_space.shape[0]))

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return self.last(torch.tanh(observations @ self.weight.T + self.bias)), self.log_std


class FrozenFirst(nn.Module):
    """A first layer that does not learn."""

    def __init__(self, observation_space, action_space):
        super().__init__()
        self.encoder = nn.Linear(observation_space.shape[0], 6).requires_grad_(False)
        self.hidden = nn.Linear(6, 5)
        self.last = nn.Linear(5, action_space.shape[0])
        self.log_std = nn.Parameter(torch.zeros(action_space.shape[0]))

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        features = torch.tanh(self.hidden(torch.tanh(self.encoder(observations))))
        return self.last(features), self.log_std
