"""A small convolutional network for images."""

from collections.abc import Sequence
from typing import Any

import gymnasium as gym
import numpy as np
from jaxtyping import Float
from torch import Tensor, nn

from maml_rl.errors import UsageError
from maml_rl.policies.factory import nonlinearity_named
from maml_rl.policies.modules.layers import Head, Hidden, initialised, positive_integers


class CNN(nn.Module):
    """Convolutions without padding, then a perceptron; discrete or continuous actions.

    Observations are images ``[height, width]``, ``[height, width, channels]`` or ``[channels, height,
    width]``: the smaller of the outer two counts as channels. Those of uint8 are divided by 255.

    Args:
        channels: of each convolution.
        kernel_sizes: of each convolution, or one for all.
        strides: of each convolution, or one for all.
        hidden_sizes: of the perceptron behind them.
        channels_last: whether channels are the last dimension, where the rule would be wrong.
        init_std: initial standard deviation of continuous actions.
        init_gain: factor of the last layer's initial weights.
    """

    def __init__(
        self,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        *,
        channels: Sequence[int] = (16, 32),
        kernel_sizes: int | Sequence[int] = 3,
        strides: int | Sequence[int] = 2,
        hidden_sizes: Sequence[int] = (64,),
        nonlinearity: str = "relu",
        channels_last: bool | None = None,
        init_std: float = 1.0,
        init_gain: float = 1.0,
    ):
        super().__init__()
        shape = tuple(observation_space.shape or ())
        if len(shape) not in (2, 3):
            raise UsageError(f"expected images, such as [84, 84, 3], got observations {[*shape]}")
        self.flat = len(shape) == 2
        last = shape[-1] <= shape[0] if channels_last is None else channels_last
        self.channels_last = not self.flat and last
        self.scale = 1 / 255 if observation_space.dtype == np.uint8 else 1.0
        self.nonlinearity = nonlinearity_named(nonlinearity)
        count, *size = (1, *shape) if self.flat else (shape[-1], *shape[:2]) if self.channels_last else shape
        self.convolutions = nn.ModuleList()
        widths = positive_integers("channels", channels)
        kernels = _each("kernel_sizes", kernel_sizes, len(widths))
        for width, kernel, stride in zip(
            widths, kernels, _each("strides", strides, len(widths)), strict=True
        ):
            if min(size) < kernel:
                raise UsageError(
                    f"images of {[*shape]} are too small: {[*size]} is left for convolution "
                    f"{len(self.convolutions) + 1}, which takes {kernel} x {kernel}; "
                    "choose fewer channels, or smaller kernel_sizes or strides"
                )
            self.convolutions.append(initialised(nn.Conv2d(count, width, kernel, stride)))
            count, size = width, [(side - kernel) // stride + 1 for side in size]
        self.hidden = Hidden(count * size[0] * size[1], hidden_sizes, nonlinearity)
        self.head = Head(self.hidden.size, action_space, init_std, init_gain)

    def forward(self, observations: Float[Tensor, "B *shape"]) -> Tensor | tuple[Tensor, Tensor]:
        """Return logits, or mean and log-std."""
        images = observations * self.scale
        if self.flat:
            images = images.unsqueeze(1)
        elif self.channels_last:
            images = images.permute(0, 3, 1, 2)
        for convolution in self.convolutions:
            images = self.nonlinearity(convolution(images))
        result: Tensor | tuple[Tensor, Tensor] = self.head(self.hidden(images))
        return result


def _each(name: str, value: object, count: int) -> tuple[int, ...]:
    """Return a number for each of ``count`` convolutions.

    Raises:
        UsageError: they are not whole numbers above 0, or not as many.
    """
    numbers = positive_integers(name, [value] * count if isinstance(value, int) else value)
    if len(numbers) != count:
        raise UsageError(f"{name}: expected one number, or {count} as there are channels, got {value!r}")
    return numbers
