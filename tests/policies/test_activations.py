import subprocess
import sys
from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import forward_ad

from maml_rl.policies.activations import curvature, faster, tanh, value_and_slope
from tests.builders import same_bits


def test_it_is_tanh_to_a_rounding_error():
    x = torch.cat([torch.linspace(-12, 12, 4001), torch.tensor([0.0, -0.0, 1e-30, torch.inf, -torch.inf])])
    for dtype in (torch.float32, torch.float64):
        ours, exact = tanh(x.to(dtype)), torch.tanh(x.double())
        assert ours.dtype == dtype
        torch.testing.assert_close(ours.double(), exact, rtol=4 * torch.finfo(dtype).eps, atol=0.0)


def test_nan_stays_and_any_shape_or_layout_will_do():
    assert tanh(torch.tensor(torch.nan)).isnan()
    assert tanh(torch.zeros(0, 3)).shape == (0, 3)
    x = torch.randn(4, 6, 5).mT[:, ::2]
    torch.testing.assert_close(tanh(x), torch.tanh(x))


def test_the_argument_is_left_as_it_was():
    x = torch.randn(100)
    before = x.clone()
    tanh(x)
    assert torch.equal(x, before)


def test_it_is_the_same_in_inference_mode():
    x = torch.nn.Parameter(torch.randn(4, 6, 5))
    with torch.inference_mode():
        found = [tanh(x), tanh(x.double()), tanh(x.bfloat16()), torch.func.vmap(tanh)(x)]
    expected = [tanh(x), tanh(x.double()), tanh(x.bfloat16()), torch.tanh(x)]
    assert [y.is_inference() for y in found] == [True] * 4
    for ours, other in zip(found[:3], expected, strict=False):
        assert torch.equal(ours, other)
    torch.testing.assert_close(found[3], expected[3])


def test_first_and_second_derivatives():
    x = torch.linspace(-3, 3, 20, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(tanh, x)
    assert torch.autograd.gradgradcheck(tanh, x)


def test_any_dtype_will_do():
    x = torch.randn(10, dtype=torch.bfloat16)
    assert torch.equal(tanh(x), torch.tanh(x))


forward_mode = pytest.mark.filterwarnings("ignore:.*torch.jit.script")
"""PyTorch's own rules of forward derivatives use what PyTorch deprecates."""


@forward_mode
def test_it_can_be_transformed():
    x = torch.randn(4, 3, dtype=torch.float64)
    torch.testing.assert_close(torch.func.vmap(tanh, in_dims=1)(x), torch.tanh(x).mT)
    found = torch.func.vmap(torch.func.grad(lambda row: tanh(row).sum()))(x)
    torch.testing.assert_close(found, 1 - torch.tanh(x) ** 2)
    found = torch.func.jvp(tanh, (x,), (torch.ones_like(x),))[1]
    torch.testing.assert_close(found, 1 - torch.tanh(x) ** 2)


@forward_mode
def test_forward_derivatives():
    x = torch.randn(20, dtype=torch.float64)
    with forward_ad.dual_level():
        _, found = forward_ad.unpack_dual(tanh(forward_ad.make_dual(x, torch.full_like(x, 2.0))))
    torch.testing.assert_close(found, 2 * (1 - torch.tanh(x) ** 2))


def test_it_replaces_tanh_alone():
    assert faster(torch.tanh) is faster(F.tanh) is tanh
    assert faster(F.relu) is F.relu


def by_autograd(function: Callable[[Tensor], Tensor], z: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Value, slope and curvature."""
    z = z.clone().requires_grad_()
    value = function(z)
    (slope,) = torch.autograd.grad(value.sum(), z, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), z)
    return value.detach(), slope.detach(), bend


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16])
def test_derivatives_of_tanh_are_autograds_to_the_bit(dtype: torch.dtype):
    generator = torch.Generator().manual_seed(0)
    spread = torch.linspace(-12, 12, 4001)
    edges = torch.tensor([0.0, -0.0, 1e-30, torch.inf, -torch.inf, torch.nan])
    z = torch.cat([spread, torch.randn(1000, generator=generator), edges]).to(dtype)
    for found in (z, z.clone().requires_grad_()):
        h, slope = value_and_slope(tanh, found)
        bend = curvature(tanh, found, h)
        for ours, expected in zip((h, slope, bend), by_autograd(tanh, z), strict=True):
            assert ours is not None
            assert not ours.requires_grad
            # Of bfloat16, which has no NumPy.
            assert same_bits(ours.view(torch.uint8), expected.view(torch.uint8))


@pytest.mark.parametrize("function", [F.elu, F.silu, torch.square, torch.sin], ids=lambda f: f.__name__)
def test_derivatives_of_other_functions(function: Callable[[Tensor], Tensor]):
    z = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    before = z.clone()
    with torch.no_grad():
        h, slope = value_and_slope(function, z)
        bend = curvature(function, z, h)
    for ours, expected in zip((h, slope, bend), by_autograd(function, z), strict=True):
        assert ours is not None
        torch.testing.assert_close(ours, expected, rtol=1e-12, atol=1e-12)
        assert not ours.requires_grad
    assert torch.equal(z, before)


@pytest.mark.parametrize("function", [F.relu, F.leaky_relu, torch.neg], ids=lambda f: f.__name__)
def test_what_is_linear_in_pieces_has_no_curvature(function: Callable[[Tensor], Tensor]):
    z = torch.randn(4, 6, 5, generator=torch.Generator().manual_seed(0))
    h, slope = value_and_slope(function, z)
    assert torch.equal(h, function(z))
    assert slope.any()
    assert curvature(function, z, h) is None


def test_the_first_use_imports_no_other_package():
    """Each worker would: torch imports sympy when it is asked for gradients of anything but a number."""
    code = """if True:
        import sys, torch
        import maml_rl.samplers.worker_process  # As the fork server does.
        from maml_rl.policies.normal_mlp import NormalMLPPolicy
        policy = NormalMLPPolicy(2, 2, (3,), torch.tanh)
        before = set(sys.modules)
        policy.linearise(torch.zeros(1, 4, 2), policy.get_vector()[None])
        policy.at(policy.unflatten(policy.get_vector()))(torch.zeros(4, 2))
        sys.exit(" ".join(name for name in set(sys.modules) - before if not name.startswith("torch.")))
    """
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
