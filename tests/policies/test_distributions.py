import pickle
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import (
    AffineTransform,
    Categorical,
    Distribution,
    Independent,
    Normal,
    TanhTransform,
    TransformedDistribution,
    kl_divergence,
)

from maml_rl.policies.distributions import ActionDistribution, CategoricalLogits, DiagonalNormal
from maml_rl.policies.multi_categorical import MultiCategorical, multi_categorical
from maml_rl.policies.squashed_normal import SquashedNormal, squashed_normal
from tests.builders import same_bits

TASKS, STEPS, ACTIONS = 2, 5, 3
LOW, HIGH = (-1.0, 0.5, -4.0), (1.0, 3.0, -3.75)
SIZES = (2, 4, 1, 3)
FAMILIES = ["normal", "categorical", "choices", "state-dependent", "squashed", "squashed, state-dependent"]

every_family = pytest.mark.parametrize("family", FAMILIES)


def random_pi(family: str, seed: int) -> Any:
    """As policies with one set of parameters per task put it out, in float64."""
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    if family == "categorical":
        return CategoricalLogits(3 * normal(TASKS, STEPS, ACTIONS))
    if family == "choices":
        return multi_categorical(SIZES)(3 * normal(TASKS, STEPS, sum(SIZES)))
    mean = normal(TASKS, STEPS, ACTIONS)
    log_std = 0.5 * normal(TASKS, STEPS if family.endswith("state-dependent") else 1, ACTIONS)
    if family.startswith("squashed"):  # None of its actions shall be at a bound.
        return squashed_normal(LOW, HIGH)(0.5 * mean, log_std - 0.5)
    return DiagonalNormal(mean, log_std)


def torch_equivalent(pi: Any) -> Any:
    if isinstance(pi, CategoricalLogits):
        return Categorical(logits=pi.logits)
    if isinstance(pi, MultiCategorical):
        logits = torch.full((TASKS, STEPS, len(SIZES), max(SIZES)), -1e300, dtype=torch.float64)
        column = 0
        for choice, size in enumerate(SIZES):
            logits[..., choice, :size] = pi.logits[..., column : column + size]
            column += size
        return Independent(Categorical(logits=logits), 1)
    normal: Distribution = Normal(pi.mean, pi.log_std.exp())
    if isinstance(pi, SquashedNormal):
        low, high = torch.tensor(LOW).double(), torch.tensor(HIGH).double()
        scale = AffineTransform((low + high) / 2, (high - low) / 2, cache_size=1)
        normal = TransformedDistribution(normal, [TanhTransform(cache_size=1), scale])
    return Independent(normal, 1)


def close(actual: Tensor, expected: Tensor) -> None:
    assert actual.shape == (TASKS, STEPS)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


@every_family
def test_both_families_are_what_losses_and_rollouts_ask_for(family: str):
    pi = random_pi(family, 0)
    assert isinstance(pi, ActionDistribution)
    assert all(isinstance(x, Tensor) for x in pi)
    again = type(pi)(*pi)
    assert all(x is y for x, y in zip(again, pi, strict=True))


@every_family
def test_log_prob(family: str):
    pi = random_pi(family, 0)
    torch.manual_seed(0)
    actions = torch_equivalent(pi).sample()
    close(pi.log_prob(actions), torch_equivalent(pi).log_prob(actions))


def test_log_prob_of_integers_of_any_width():
    pi = random_pi("categorical", 0)
    actions = torch.arange(TASKS * STEPS).reshape(TASKS, STEPS) % ACTIONS
    assert torch.equal(pi.log_prob(actions.int()), pi.log_prob(actions))


@every_family
def test_kl_is_that_of_self_to_other(family: str):
    pi, other = random_pi(family, 0), random_pi(family, 1)
    close(pi.kl(other), kl_divergence(torch_equivalent(pi), torch_equivalent(other)))
    close(pi.kl(pi), torch.zeros(TASKS, STEPS, dtype=torch.float64))


@pytest.mark.parametrize("family", ["normal", "categorical", "choices", "state-dependent"])
def test_entropy(family: str):
    pi = random_pi(family, 0)
    close(pi.entropy(), torch_equivalent(pi).entropy())


@every_family
def test_distribution_is_the_torch_equivalent(family: str):
    pi = random_pi(family, 0)
    assert type(pi.distribution()) is type(torch_equivalent(pi))
    close(kl_divergence(pi.distribution(), torch_equivalent(pi)), torch.zeros(TASKS, STEPS).double())


@every_family
def test_fisher_is_the_hessian_of_the_weighted_kl(family: str):
    pi, tangent = random_pi(family, 0), random_pi(family, 1)
    weights = torch.rand(TASKS, STEPS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sizes, shapes = [x.numel() for x in pi], [x.shape for x in pi]

    def weighted_kl(flat: Tensor) -> Tensor:
        pieces = flat.split(sizes)
        other = type(pi)(*(piece.view(shape) for piece, shape in zip(pieces, shapes, strict=True)))
        return (weights * kl_divergence(torch_equivalent(pi), torch_equivalent(other))).sum()

    hessian = torch.autograd.functional.hessian(weighted_kl, torch.cat([x.flatten() for x in pi]))
    expected = hessian @ torch.cat([x.flatten() for x in tangent])
    product = pi.fisher(tangent, weights)
    assert [x.shape for x in product] == shapes
    torch.testing.assert_close(torch.cat([x.flatten() for x in product]), expected, rtol=1e-9, atol=1e-10)


@every_family
def test_score_and_its_change_are_derivatives_of_the_weighted_log_probability(family: str):
    pi, tangent = random_pi(family, 0), random_pi(family, 1)
    weights = torch.randn(TASKS, STEPS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    torch.manual_seed(0)
    actions = torch_equivalent(pi).sample()

    def weighted(*parameters: Tensor) -> Tensor:
        return (weights * torch_equivalent(type(pi)(*parameters)).log_prob(actions)).sum()

    leaves = tuple(x.clone().requires_grad_() for x in pi)
    expected = torch.autograd.grad(weighted(*leaves), leaves)
    _, expected_dot = torch.autograd.functional.hvp(weighted, tuple(pi), tuple(tangent))
    for x, y in zip(pi.score(actions, weights), expected, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-10)
    for x, y in zip(pi.score_dot(actions, weights, tangent), expected_dot, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-9, atol=1e-10)


@every_family
def test_it_is_rebuilt_from_its_numbers(family: str):
    pi = random_pi(family, 0)
    again = type(pi)(*pi)
    other = pickle.loads(pickle.dumps(pi))
    shape = {"categorical": (), "choices": (len(SIZES),)}.get(family, (ACTIONS,))
    noise = torch.full((TASKS, STEPS, *shape), 0.4).double()
    assert type(other) is type(again) is type(pi)
    assert torch.equal(again.sample(noise), pi.sample(noise))
    assert torch.equal(other.sample(noise), pi.sample(noise))
    assert isinstance(pi, ActionDistribution)


@pytest.mark.parametrize("steps", [1, 5])
def test_deviations_that_steps_share_are_treated_to_the_bit_as_before(steps: int):
    """The formulas are the ones that had no other case; float32."""
    pi, tangent = (
        DiagonalNormal(pi.mean[:, :steps].float(), pi.log_std.float())
        for pi in (random_pi("normal", 0), random_pi("normal", 1))
    )
    actions, weights = tangent.mean + 1, tangent.mean[..., 0]
    inverse_std = (-pi.log_std).exp()
    z = (actions - pi.mean) * inverse_std
    weighted = weights[..., None] * z
    score = pi.score(actions, weights)
    assert same_bits(score.mean, weighted * inverse_std)
    assert same_bits(score.log_std, (weighted * z - weights[..., None]).sum(1, keepdim=True))
    product = pi.fisher(tangent, weights)
    assert same_bits(product.mean, weights[..., None] * (-2 * pi.log_std).exp() * tangent.mean)
    assert same_bits(product.log_std, 2 * weights.sum(-1)[:, None, None] * tangent.log_std)
    change = weights[..., None] * (tangent.mean * inverse_std + z * tangent.log_std)
    dot = pi.score_dot(actions, weights, tangent)
    assert same_bits(dot.mean, (weights[..., None] * z * tangent.log_std + change) * -inverse_std)
    assert same_bits(dot.log_std, -2 * (change * z).sum(1, keepdim=True))


@pytest.mark.parametrize("family", ["normal", "state-dependent"])
def test_normal_sample_shifts_and_scales_noise(family: str):
    pi = random_pi(family, 0)
    noise = random_pi("normal", 1).mean
    expected = pi.mean + torch_equivalent(pi).stddev * noise
    torch.testing.assert_close(pi.sample(noise), expected, rtol=1e-12, atol=1e-12)


def test_categorical_sample_inverts_the_distribution_function():
    pi = random_pi("categorical", 0)
    uniforms = torch.rand(TASKS, STEPS, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    actions = pi.sample(uniforms)
    for index in np.ndindex(TASKS, STEPS):
        below, expected = 0.0, 0
        for action, p in enumerate(torch_equivalent(pi).probs[index].tolist()):
            if below <= uniforms[index]:
                expected = action
            below += p
        assert actions[index] == expected


def test_categorical_frequencies_are_the_probabilities():
    logits = torch.tensor([0.3, -1.0, 0.0, 1.2])
    grid = (torch.arange(1000) + 0.5) / 1000
    actions = CategoricalLogits(logits.expand(1000, 4)).sample(grid)
    frequencies = actions.bincount(minlength=4) / 1000
    torch.testing.assert_close(frequencies, Categorical(logits=logits).probs, rtol=0, atol=1.1e-3)


@pytest.mark.parametrize(
    ("logits", "noise", "action"),
    [
        ([0.0, 0.0], 0.0, 0),
        ([0.0, 0.0], 0.5, 1),
        ([0.0, 0.0, 0.0], float(np.nextafter(np.float32(1), np.float32(0))), 2),
        ([-200.0, 0.0, -200.0], 0.0, 1),
    ],
    ids=["least noise", "between", "most noise", "impossible actions"],
)
def test_categorical_sample_at_the_edges(logits: list[float], noise: float, action: int):
    assert CategoricalLogits(torch.tensor([logits])).sample(torch.tensor([noise])).tolist() == [action]


def test_categorical_sample_stays_in_range_whatever_the_rounding():
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(2000, 7, generator=generator)
    noise = torch.full((2000,), float(np.nextafter(np.float32(1), np.float32(0))))
    assert CategoricalLogits(logits).sample(noise).max() == 6


def test_choices_are_sampled_one_by_one():
    pi = random_pi("choices", 0)
    noise = torch.rand(TASKS, STEPS, len(SIZES), generator=torch.Generator().manual_seed(1)).double()
    actions = pi.sample(noise)
    assert actions.shape == (TASKS, STEPS, len(SIZES))
    for choice, logits in enumerate(torch.tensor_split(pi.logits, np.cumsum(SIZES)[:-1].tolist(), dim=-1)):
        assert torch.equal(actions[..., choice], CategoricalLogits(logits).sample(noise[..., choice]))
