"""Activation functions with their derivatives; some faster than PyTorch's, the same to a rounding error."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

Nonlinearity = Callable[[Tensor], Tensor]
"""A function of each number by itself."""


def faster(function: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """Return what to call in place of ``function``: `tanh` for PyTorch's, any other as it is."""
    return tanh if function is torch.tanh or function is F.tanh else function


def tanh(x: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Return ``tanh(x)``: on a CPU by NumPy, whose vectorised loop is several times as fast as PyTorch's.

    PyTorch's own serves inside torch.func, as for every other device and type of number.
    """
    if x.device.type != "cpu" or x.dtype not in (torch.float32, torch.float64) or _transformed():
        return torch.tanh(x)
    if torch.is_inference_mode_enabled():  # At a rollout's step, autograd's notes cost more than the tanh.
        return torch.from_numpy(np.tanh(x.numpy()))
    result: Tensor = _NumPyTanh.apply(x)  # type: ignore[no-untyped-call, unused-ignore]  # Typed from torch 2.15 on.
    return result


def value_and_slope(function: Nonlinearity, z: Float[Tensor, "*B"]) -> tuple[Tensor, Tensor]:
    """Return ``f(z)`` and ``f'(z)``."""
    if function is tanh:
        h = tanh(z.detach())
        return h, _times_tanh_slope(torch.ones_like(h), h)
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        value = function(z)
        # Of a sum, because torch imports sympy for gradients of anything but a number.
        (slope,) = torch.autograd.grad(value.sum(), z)
    return value.detach(), slope


def curvature(function: Nonlinearity, z: Float[Tensor, "*B"], h: Float[Tensor, "*B"]) -> Tensor | None:
    """Return ``f''(z)``, or None where it is zero everywhere, as a rectifier's is.

    Args:
        h: ``f(z)``.
    """
    if function is tanh:
        return _times_tanh_slope(-2 * h, h)
    with torch.enable_grad():
        z = z.detach().requires_grad_()
        (slope,) = torch.autograd.grad(function(z).sum(), z, create_graph=True)
        if not slope.requires_grad:
            return None
        (found,) = torch.autograd.grad(slope.sum(), z, materialize_grads=True)
    return found if bool(found.any()) else None


def _times_tanh_slope(x: Float[Tensor, "*B"], h: Float[Tensor, "*B"]) -> Float[Tensor, "*B"]:
    """Multiply ``x`` in place by the slope of tanh where its value is ``h``."""
    torch.ops.aten.tanh_backward.grad_input(x, h, grad_input=x)
    return x


def _transformed() -> bool:
    # What `torch.autograd.Function` asks; of a function that torch.func may transform, each call would
    # inspect the signature, in more time than the function itself takes on a rollout's step.
    return torch._C._are_functorch_transforms_active()


class _NumPyTanh(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        y = torch.empty_like(x)
        np.tanh(x.detach().numpy(), out=y.numpy())
        ctx.save_for_backward(y)
        ctx.save_for_forward(y)
        return y

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        (y,) = ctx.saved_tensors
        return torch.ops.aten.tanh_backward(grad, y)  # Which has a derivative of its own.

    @staticmethod
    def jvp(ctx: Any, tangent: Tensor) -> Tensor:
        return _NumPyTanh.backward(ctx, tangent)
