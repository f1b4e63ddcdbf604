from collections.abc import Callable, Iterable
from typing import NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd import functional

from maml_rl.policies import NormalMLPPolicy
from maml_rl.policies.base import Linearisation
from tests.builders import OBSERVATION_SIZE, both_families, make_policy

TASKS, STEPS = 2, 5
Outputs = tuple[Tensor, ...]

some_networks = pytest.mark.parametrize(
    ("hidden_sizes", "nonlinearity"),
    [
        ((), torch.tanh),
        ((3,), torch.tanh),
        ((4, 3), torch.tanh),
        ((3, 4, 2), torch.tanh),
        ((4, 3), F.relu),
        ((4, 3), F.elu),
        ((4, 3), F.silu),
        ((4, 3), torch.square),
    ],
    ids=lambda x: getattr(x, "__name__", str(x)),
)


class Linearised(NamedTuple):
    linearisation: Linearisation
    outputs: Callable[[Tensor], Outputs]
    """The distribution's parameters as a function of the policy's, for autograd to differentiate."""
    params: Tensor
    vectors: Tensor


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def linearised(
    family: str,
    hidden_sizes: tuple[int, ...] = (3,),
    nonlinearity: Callable[[Tensor], Tensor] = torch.tanh,
) -> Linearised:
    policy = make_policy(family, hidden_sizes=hidden_sizes, nonlinearity=nonlinearity)
    if isinstance(policy, NormalMLPPolicy):
        policy.min_log_std = -0.5  # some of the random ones are below
    observations = random(TASKS, STEPS, OBSERVATION_SIZE, seed=0)
    params, vectors = (random(TASKS, policy.get_vector().numel(), seed=seed) for seed in (1, 2))
    return Linearised(
        policy.linearise(observations, params),
        lambda p: tuple(policy.outputs(observations, policy.unflatten(p))),
        params,
        vectors,
    )


def cotangents_like(outputs: Iterable[Tensor]) -> list[Tensor]:
    return [random(*x.shape, seed=3 + i) for i, x in enumerate(outputs)]


def close(actual: Iterable[Tensor], expected: Iterable[Tensor]) -> None:
    for x, y in zip(actual, expected, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-10)


@both_families
@some_networks
def test_jvp_is_the_jacobian_product(family: str, hidden_sizes, nonlinearity):
    linearisation, outputs, params, vectors = linearised(family, hidden_sizes, nonlinearity)
    values, expected = functional.jvp(outputs, params, vectors)
    close(linearisation.pi, values)
    close(linearisation.jvp(vectors), expected)
    assert not any(x.requires_grad for x in linearisation.pi)


@both_families
@some_networks
def test_vjp_is_the_transposed_product(family: str, hidden_sizes, nonlinearity):
    linearisation, outputs, params, _ = linearised(family, hidden_sizes, nonlinearity)
    cotangents = cotangents_like(linearisation.pi)
    _, expected = functional.vjp(outputs, params, tuple(cotangents))
    close((linearisation.vjp(cotangents),), (expected,))


@both_families
@some_networks
def test_hessian_product_is_the_derivative_of_the_gradient(family: str, hidden_sizes, nonlinearity):
    linearisation, outputs, params, vectors = linearised(family, hidden_sizes, nonlinearity)
    scales = cotangents_like(linearisation.pi)

    def cubic_loss(params: Tensor) -> Tensor:
        terms = [(c * x**3).sum() for c, x in zip(scales, outputs(params), strict=True)]
        return torch.stack(terms).sum()

    _, expected = functional.hvp(cubic_loss, params, vectors)
    hessian = linearisation.hessian([3 * c * x**2 for c, x in zip(scales, linearisation.pi, strict=True)])

    def cotangent_dot(tangent: Iterable[Tensor]) -> Outputs:
        return tuple(6 * c * x * dot for c, x, dot in zip(scales, linearisation.pi, tangent, strict=True))

    close((hessian.product(vectors, cotangent_dot),), (expected,))


@both_families
def test_products_leave_no_trace(family: str):
    linearisation, _, _, vectors = linearised(family, (4, 3))
    cotangents = cotangents_like(linearisation.pi)
    hessian = linearisation.hessian(cotangents)

    def products(vectors: Tensor) -> Outputs:
        tangent = linearisation.jvp(vectors)
        hessian_product = hessian.product(vectors, lambda tangent: tangent)
        return (*tangent, hessian_product, linearisation.vjp(cotangents))

    first = products(vectors)
    copies = [x.clone() for x in first]
    products(vectors + 1)
    assert all(torch.equal(x, y) for x, y in zip(first, copies, strict=True))
    assert all(torch.equal(x, y) for x, y in zip(products(vectors), copies, strict=True))
    assert all(torch.equal(x, y) for x, y in zip(cotangents, cotangents_like(linearisation.pi), strict=True))


@both_families
def test_each_loss_has_a_hessian_of_its_own(family: str):
    linearisation, _, _, vectors = linearised(family)
    cotangents = cotangents_like(linearisation.pi)

    def zeros(tangent: Iterable[Tensor]) -> list[Tensor]:
        return [torch.zeros_like(x) for x in tangent]

    hessian = linearisation.hessian(cotangents)
    once = hessian.product(vectors, zeros)
    twice = linearisation.hessian([2 * u for u in cotangents]).product(vectors, zeros)
    assert once.any()
    torch.testing.assert_close(twice, 2 * once)
    assert torch.equal(hessian.product(vectors, zeros), once)
