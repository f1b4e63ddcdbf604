"""Activation functions that are faster than PyTorch's, for the same numbers to a rounding error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor


def faster(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return what to call in place of ``function``: `tanh` for PyTorch's, any other as it is."""
    return tanh if function is torch.tanh or function is F.tanh else function


def tanh(x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Return ``tanh(x)``: on a CPU by NumPy, whose vectorised loop is several times as fast as PyTorch's."""
    if x.device.type == "cpu" and x.dtype in (torch.float32, torch.float64):
        result: Tensor = _NumPyTanh.apply(x)  # type: ignore[no-untyped-call]
        return result
    return torch.tanh(x)


class _NumPyTanh(torch.autograd.Function):
    @staticmethod
    def forward(x: Tensor) -> Tensor:
        y = torch.empty_like(x)
        np.tanh(x.detach().numpy(), out=y.numpy())
        return y

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(output)
        ctx.save_for_forward(output)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(grad, y)  # Which has a derivative of its own.

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return _NumPyTanh.backward(ctx, tangent)

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None], x: Tensor) -> tuple[Tensor, int | None]:
        return tanh(x), in_dims[0]
