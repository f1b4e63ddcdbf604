"""`SquashedNormal` where floating-point numbers end; the rest is in test_distributions.py."""

import math

import numpy as np
import pytest
import torch
from gymnasium import spaces
from torch import Tensor

from maml_rl.policies.squashed_normal import SquashedNormal, squashed_normal

BOXES = {
    "unit": ([-1.0], [1.0]),
    "small": ([-0.1], [0.1]),
    "large": ([-400.0], [400.0]),
    "one-sided": ([0.0], [1.0]),
    "far": ([99.0], [101.0]),
    "wide and far": ([-1.0], [1000.0]),
}
every_box = pytest.mark.parametrize(("low", "high"), BOXES.values(), ids=BOXES)


def constant(
    low: list[float],
    high: list[float],
    mean: float,
    std: float,
    steps: int = 1,
    dtype: torch.dtype = torch.float32,
) -> SquashedNormal:
    kind = squashed_normal(low, high)
    return kind(
        torch.full((1, steps, 1), mean, dtype=dtype), torch.full((1, 1, 1), math.log(std), dtype=dtype)
    )


def quadrature(function, mean: float, std: float) -> float:
    """E[function(u)] by the trapezoid rule, which is exact to float64 here."""
    u = torch.linspace(mean - 12 * std, mean + 12 * std, 200_001, dtype=torch.float64)
    density = torch.exp(-0.5 * ((u - mean) / std) ** 2)
    return (function(u) * density).sum().item() / density.sum().item()


@every_box
@pytest.mark.parametrize("mean", [0.0, -3.0, 8.0, 40.0])
def test_actions_are_within_the_box_and_everything_about_them_is_finite(low, high, mean: float):
    pi = constant(low, high, mean, 2.0, steps=1000)
    noise = torch.randn(1, 1000, 1, generator=torch.Generator().manual_seed(0))
    actions = pi.sample(noise)
    box = spaces.Box(np.array(low, np.float32), np.array(high, np.float32))
    assert all(box.contains(action) for action in actions[0].numpy())
    for numbers in (pi, type(pi)(*(x.double() for x in pi))):
        weights = torch.ones(1, 1000, dtype=numbers.mean.dtype)
        found = [numbers.log_prob(actions), *numbers.score(actions, weights)]
        found += numbers.score_dot(actions, weights, numbers)
        assert all(x.isfinite().all() for x in found)
    moved = type(pi)(pi.mean + 0.1, pi.log_std - 0.1)
    assert (moved.log_prob(actions) - pi.log_prob(actions)).exp().isfinite().all()


@every_box
def test_actions_outside_or_at_the_bounds_are_finite_too(low, high):
    actions = torch.tensor([*low, *high, low[0] - 5, high[0] + 5]).view(1, 4, 1)
    pi = constant(low, high, 0.3, 0.5, steps=4)
    log_probs = pi.log_prob(actions)
    assert log_probs.isfinite().all()
    assert torch.equal(log_probs[:, :2], log_probs[:, 2:])
    assert all(x.isfinite().all() for x in pi.score(actions, torch.ones(1, 4)))


def test_what_rounds_to_the_bound_counts_as_the_least_that_does():
    pi = constant([-1.0], [1.0], 0.0, 1.0)
    u, _ = pi._unsquash(torch.ones(1, 1, 1))
    assert u.item() == pytest.approx(math.atanh(1 - 2**-25), rel=1e-6)
    beyond = torch.tensor([u.item() + 0.05, u.item() - 0.05])
    assert (torch.tanh(beyond) == 1).tolist() == [True, False]


@every_box
def test_float32_keeps_log_probabilities_until_saturation(low, high):
    """Against float64, which is given ``u`` itself; what is lost is the rounding of the action."""
    steps = 41
    pi = constant(low, high, 0.0, 1.0, steps)
    u = torch.linspace(-4, 4, steps).view(1, steps, 1)
    actions = type(pi)(u, torch.zeros(1, 1, 1)).sample(torch.zeros(1, steps, 1))
    exact = u.double()
    half_width = (high[0] - low[0]) / 2
    log_slope = torch.log(half_width * (1 - torch.tanh(exact) ** 2))
    expected = torch.distributions.Normal(0.0, 1.0).log_prob(exact) - log_slope
    # An error e of the action is one of e / (half_width (1 - tanh² u)) of u, whose slope is at most |u| + 2.
    spacing = np.spacing(np.float32(max(abs(low[0]), abs(high[0]))))
    tolerance = 1e-5 + 6 * 3 * float(spacing) / log_slope.exp()
    assert ((pi.log_prob(actions).double() - expected[..., 0]).abs() < tolerance[..., 0]).all()


def test_probabilities_add_up_to_one():
    low, high = [-0.1], [0.3]
    pi = constant(low, high, 0.4, 0.8, 100_001, torch.float64)
    actions = torch.linspace(low[0], high[0], 100_001, dtype=torch.float64).view(1, -1, 1)
    total = pi.log_prob(actions).exp().sum() * (high[0] - low[0]) / 100_000
    assert total.item() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize(
    ("std", "error"), [(1e-3, 1e-10), (0.3, 1e-10), (0.5, 1e-10), (1.0, 1e-7), (2.0, 2e-4), (3.0, 4e-3)]
)
def test_entropy_is_as_accurate_as_it_says(std: float, error: float):
    def log_slope(u: Tensor) -> Tensor:
        return math.log(0.0625) + 2 * (math.log(2) - u.abs() - torch.log1p((-2 * u.abs()).exp()))

    for mean in np.linspace(0, 6, 13).tolist():
        expected = math.log(std) + 0.5 * math.log(2 * math.pi * math.e) + quadrature(log_slope, mean, std)
        found = constant([-0.0625], [0.0625], mean, std, dtype=torch.float64).entropy()
        assert found.item() == pytest.approx(expected, abs=error)


def test_entropy_is_minus_the_mean_log_probability():
    low, high = [-1.0, 0.0], [1.0, 10.0]
    samples = 400_000
    mean, log_std = torch.tensor([0.5, -1.0]).double(), torch.tensor([-0.5, 0.2]).double()
    pi = squashed_normal(low, high)(mean.expand(1, samples, 2), log_std.view(1, 1, 2))
    noise = torch.randn(1, samples, 2, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    log_probs = pi.log_prob(pi.sample(noise))
    error = (log_probs.std() / samples**0.5).item()
    assert pi.entropy()[0, 0].item() == pytest.approx(-log_probs.mean().item(), abs=4 * error)
    assert error < 3e-3


def test_entropy_has_a_gradient():
    pi = constant([-1.0], [1.0], 0.4, 0.7)
    leaves = [x.double().requires_grad_() for x in pi]
    assert torch.autograd.gradcheck(lambda *xs: type(pi)(*xs).entropy(), leaves)


def test_bounds_that_float32_lacks_are_rounded_inwards():
    box = spaces.Box(np.array([-0.7]), np.array([0.1]), dtype=np.float64)
    pi = squashed_normal(box.low, box.high)(torch.tensor([[-50.0], [50.0]]), torch.zeros(1, 1))
    for action in pi.sample(torch.zeros(2, 1)).numpy():
        assert box.contains(action.astype(np.float64))


def test_what_a_rollout_made_can_be_differentiated():
    """Constants are kept; in inference mode they would be of no use to autograd."""
    kind = squashed_normal([-0.31], [0.17])
    with torch.inference_mode():
        action = kind(torch.zeros(1, 1, 1), torch.zeros(1, 1, 1)).sample(torch.ones(1, 1, 1))
    mean = torch.zeros(1, 1, 1, requires_grad=True)
    kind(mean, torch.zeros(1, 1, 1)).log_prob(action.clone()).sum().backward()
    kind(mean, torch.zeros(1, 1, 1)).sample(torch.ones(1, 1, 1)).sum().backward()
    assert mean.grad is not None


@pytest.mark.parametrize(
    ("low", "high"), [([-1.0], [math.inf]), ([-math.inf], [1.0]), ([1.0], [1.0]), ([math.nan], [1.0])]
)
def test_a_box_without_bounds_or_inside_is_refused(low, high):
    with pytest.raises(ValueError, match="expected finite bounds, low below high"):
        squashed_normal(low, high)
