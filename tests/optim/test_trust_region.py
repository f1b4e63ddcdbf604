from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from maml_rl.optim.base import Comparison, Evaluation, Step
from maml_rl.optim.trust_region import TrustRegion
from tests.builders import repeatable, same_bits

Evaluate = Callable[[Tensor], Comparison]

LOSSES = torch.tensor([1.0, 3.0], dtype=torch.float64)
"""Of two tasks, at theta."""


class Quadratic:
    """A loss that is linear but for ``bend |d|^2``, and a KL that is ``stretch ½ dᵀ F d``."""

    def __init__(self, size: int = 6, seed: int = 0, bend: float = 0.0, stretch: float = 1.0):
        generator = torch.Generator().manual_seed(seed)
        root = torch.randn(size, size, generator=generator, dtype=torch.float64)
        self.fisher = root @ root.T + 0.1 * torch.eye(size, dtype=torch.float64)
        self.gradient = torch.randn(size, generator=generator, dtype=torch.float64)
        self.theta = torch.randn(size, generator=generator, dtype=torch.float64)
        self.bend, self.stretch = bend, stretch
        self.evaluated: list[Tensor] = []

    def at_old(self) -> Evaluation:
        return Evaluation(LOSSES, self.gradient)

    def at(self, theta: Tensor) -> Evaluation:
        raise AssertionError("no gradient is needed but that at theta")

    def fisher_product(self, vector: Tensor, fraction: float = 1.0) -> Tensor:
        return self.fisher @ vector

    def evaluate(self, theta: Tensor) -> Comparison:
        self.evaluated.append(theta)
        d = theta - self.theta
        kl = self.stretch * 0.5 * d @ self.fisher @ d
        # Tasks differ, and their mean is what counts.
        change = self.gradient @ d + self.bend * d @ d
        return Comparison(LOSSES + change * torch.tensor([3.0, -1.0]), kl * torch.tensor([0.5, 1.5]))

    def step(self, region: TrustRegion) -> Step:
        return region.step(self, self.theta, region.init(self.theta))

    def full_step(self, region: TrustRegion) -> Tensor:
        """Where the first try of the line search must land."""
        damped = self.fisher + region.cg_damping * torch.eye(len(self.theta), dtype=torch.float64)
        s = torch.linalg.solve(damped, self.gradient)
        return -s * (2 * region.max_kl / (s @ damped @ s)).sqrt()


class Answering(Quadratic):
    """A problem with other answers at other parameters."""

    def __init__(self, answer: Evaluate):
        super().__init__()
        self.answer = answer

    def evaluate(self, theta: Tensor) -> Comparison:
        return self.answer(theta)


def exact(**options: Any) -> TrustRegion:
    """Conjugate gradient runs until it has the solution."""
    return TrustRegion(**{"max_kl": 0.01, "cg_iters": 60, "cg_damping": 0.1, **options})


def test_full_step_solves_the_trust_region_problem():
    problem, region = Quadratic(), exact()
    step = problem.step(region)
    assert step.accepted
    assert step.details["backtracks"] == 0
    assert step.details["cg_residual"] < 1e-4
    torch.testing.assert_close(step.theta, problem.theta + problem.full_step(region), rtol=1e-4, atol=1e-6)
    losses, kls, inner_kls = problem.evaluate(step.theta)
    assert torch.equal(step.after.losses, losses)
    assert torch.equal(step.after.kls, kls)
    assert step.after.inner_kls == inner_kls == ()
    assert torch.equal(step.before.losses, LOSSES)
    assert torch.equal(step.before.gradient, problem.gradient)


def test_step_without_damping_reaches_the_bound():
    """Minimising a linear loss on an ellipsoid ends on its surface."""
    problem, region = Quadratic(stretch=0.999), exact(cg_damping=0.0)
    step = problem.step(region)
    assert step.details["backtracks"] == 0
    assert step.after.kls.mean().item() == pytest.approx(0.999 * region.max_kl, rel=1e-4)


@pytest.mark.parametrize(("stretch", "backtracks"), [(3.0, 1), (10.0, 2), (50.0, 3)])
def test_backtracks_until_the_kl_holds(stretch: float, backtracks: int):
    problem, region = Quadratic(stretch=stretch), exact(cg_damping=1e-3, ls_backtrack_ratio=0.5)
    step = problem.step(region)
    assert step.accepted
    assert step.details["backtracks"] == backtracks
    assert len(problem.evaluated) == backtracks + 1
    expected = problem.theta + 0.5**backtracks * problem.full_step(region)
    torch.testing.assert_close(step.theta, expected, rtol=1e-3, atol=1e-6)


def test_backtracks_until_the_loss_falls():
    region = exact(ls_backtrack_ratio=0.8)
    full = Quadratic().full_step(region)
    gain = -(Quadratic().gradient @ full)
    bend = (gain / (full @ full)).item() / 0.8**2.5  # breaks even between the second and third try
    step = Quadratic(bend=bend).step(region)
    assert step.accepted
    assert step.details["backtracks"] == 3
    assert step.after.losses.mean() < LOSSES.mean()


@repeatable
@given(
    st.integers(1, 8),
    st.integers(0, 2**32 - 1),
    st.floats(0, 100),
    st.floats(0.1, 100),
    st.integers(1, 10),
)
def test_accepted_steps_improve_within_the_bound_and_others_change_nothing(
    size: int, seed: int, bend: float, stretch: float, cg_iters: int
):
    problem = Quadratic(size, seed, bend, stretch)
    region = TrustRegion(max_kl=0.01, cg_iters=cg_iters, ls_max_steps=4)
    step = problem.step(region)
    if step.accepted:
        assert step.after.losses.mean() < LOSSES.mean()
        assert step.after.kls.mean() < region.max_kl
        assert step.details["backtracks"] < region.ls_max_steps
    else:
        assert same_bits(step.theta, problem.theta)
        assert len(problem.evaluated) == step.details["backtracks"] == region.ls_max_steps


nan = torch.full((2,), torch.nan, dtype=torch.float64)
low = torch.zeros(2, dtype=torch.float64)


@pytest.mark.parametrize(
    "answer",
    [(LOSSES, low), (LOSSES + 1, low), (low, low + 0.01), (low, low + 1)],
    ids=["loss equal", "loss higher", "KL at the bound", "KL higher"],
)
def test_rejected_step_leaves_theta_to_the_bit(answer: tuple[Tensor, Tensor]):
    problem = Answering(lambda _: Comparison(*answer))
    problem.theta[:2] = torch.tensor([-0.0, 0.0])
    before = problem.theta.clone()
    step = problem.step(exact(ls_max_steps=3))
    assert not step.accepted
    assert step.details["backtracks"] == 3
    assert same_bits(step.theta, before)
    assert same_bits(problem.theta, before)
    assert torch.equal(step.after.losses, LOSSES)
    assert step.after.kls.tolist() == [0, 0]


@pytest.mark.parametrize(
    ("answer", "culprit"),
    [
        ((torch.tensor([0.0, torch.nan]), low), r"surrogate losses are NaN or infinite in tasks \[1\]"),
        ((low, torch.tensor([torch.inf, 0.0])), r"KLs are NaN or infinite in tasks \[0\]"),
        ((nan, nan), r"surrogate losses are NaN or infinite in tasks \[0, 1\]"),
    ],
    ids=["loss", "KL", "both"],
)
def test_numbers_that_no_length_mends_are_an_error(answer: tuple[Tensor, Tensor], culprit: str):
    problem = Answering(lambda _: Comparison(*answer))
    before = problem.theta.clone()
    with pytest.raises(FloatingPointError, match=culprit):
        problem.step(exact(ls_max_steps=3))
    assert same_bits(problem.theta, before)


def test_a_nan_is_passed_over_for_a_shorter_step_that_works():
    quadratic = Quadratic()

    def answer(theta: Tensor) -> Comparison:
        sound = quadratic.evaluate(theta)
        return Comparison(nan, nan) if len(quadratic.evaluated) < 3 else sound

    step = Answering(answer).step(exact())
    assert step.accepted
    assert step.details["backtracks"] == 2


def test_no_gradient_means_no_step():
    problem = Quadratic()
    problem.gradient.zero_()
    step = problem.step(exact(ls_max_steps=2))
    assert not step.accepted
    assert same_bits(step.theta, problem.theta)


def test_float32_theta_stays_float32():
    problem = Quadratic()
    region = exact()
    step = region.step(Answering(lambda theta: problem.evaluate(theta.double())), problem.theta.float(), {})
    assert step.accepted
    assert step.theta.dtype == torch.float32


def test_residual_of_an_unfinished_solution_is_reported():
    problem, region = Quadratic(), exact(cg_iters=1)
    g, damped = problem.gradient, problem.fisher + 0.1 * torch.eye(6, dtype=torch.float64)
    x = g * (g @ g) / (g @ damped @ g)
    assert problem.step(region).details["cg_residual"] == pytest.approx(
        (g - damped @ x).norm().item(), rel=1e-9
    )


def test_there_is_nothing_to_remember():
    rejected = Answering(lambda _: Comparison(LOSSES, low)).step(exact(ls_max_steps=1))
    accepted = Quadratic().step(exact())
    assert (rejected.accepted, accepted.accepted) == (False, True)
    assert rejected.memory == accepted.memory == {}
