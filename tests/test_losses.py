from collections.abc import Sequence
from typing import Any

import pytest
import torch
from torch import Tensor

from maml_rl.losses import (
    Loss,
    Objective,
    Round,
    clipped_surrogate,
    likelihood_ratio,
    mean_entropy,
    mean_kl,
    ratios,
    reinforce,
    surrogate,
)
from maml_rl.policies.distributions import ActionDistribution, DiagonalNormal
from maml_rl.stacked import StackedEpisodes
from tests.builders import Problem, both_families, make_problem, random_vectors, stacked
from tests.oracles import maml as oracle
from tests.oracles.promp import clipped_loss

old_or_moved = pytest.mark.parametrize("moved", [False, True], ids=["at the old policy", "moved"])


@pytest.fixture
def problem(family: str) -> Problem:
    return make_problem(family, inner_steps=1)


def per_task(problem: Problem, seed: int) -> Tensor:
    """Other parameters for each task."""
    return problem.theta + 0.3 * random_vectors(problem, seed)


def policy_at(problem: Problem, vectors: Tensor) -> ActionDistribution:
    """At the valid steps."""
    return problem.policy.outputs(problem.valid.observations, problem.policy.unflatten(vectors))


def valid_round(problem: Problem, moved: bool) -> Round:
    """The old policy is known; the one at hand is it, or another."""
    old = policy_at(problem, per_task(problem, 0))
    return Round(policy_at(problem, per_task(problem, int(moved))), problem.valid._replace(old=old))


def random_tangent(pi: ActionDistribution, seed: int = 3) -> ActionDistribution:
    generator = torch.Generator().manual_seed(seed)
    return type(pi)(*(torch.randn(x.shape, generator=generator, dtype=x.dtype) for x in pi))


def close(found: ActionDistribution | None, expected: ActionDistribution | None) -> None:
    assert found is not None
    assert expected is not None
    for x, y in zip(found, expected, strict=True):
        torch.testing.assert_close(x, y, rtol=1e-10, atol=1e-12)


@both_families
def test_reinforce_gradient(problem: Problem):
    """Pulled back to the policy's parameters, against autograd on the oracle's loss."""
    phi = per_task(problem, 0)
    linearisation = problem.policy.linearise(problem.valid.observations, phi)
    gradients = linearisation.vjp(reinforce.gradient(linearisation.pi, problem.valid))
    losses = reinforce(linearisation.pi, problem.valid)
    for n, task in enumerate(problem.tasks):
        vector = phi[n].clone().requires_grad_()
        loss = oracle.reinforce_loss(problem.reference.network, vector, task.valid)
        torch.testing.assert_close(losses[n], loss.detach(), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(gradients[n], torch.autograd.grad(loss, vector)[0], rtol=1e-10, atol=1e-12)


@both_families
def test_surrogate_loss_and_kl(problem: Problem):
    old, new = per_task(problem, 0), per_task(problem, 1)
    old_pi, new_pi = policy_at(problem, old), policy_at(problem, new)
    batch = problem.valid._replace(old=old_pi)
    losses = likelihood_ratio(new_pi, batch)
    kls = mean_kl(new_pi, batch)
    for n, task in enumerate(problem.tasks):
        arguments = (problem.reference.network, old[n], new[n], task.valid)
        torch.testing.assert_close(losses[n], oracle.surrogate_loss(*arguments), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(kls[n], oracle.mean_kl(*arguments), rtol=1e-10, atol=1e-12)
    assert not torch.allclose(kls, mean_kl(old_pi, problem.valid._replace(old=new_pi)), rtol=0.01)
    assert torch.equal(surrogate([Round(new_pi, batch)]), losses)


@both_families
def test_losses_of_an_episode_do_not_depend_on_its_length(problem: Problem):
    """An episode said twice over weighs no more than once."""
    episode, other = problem.tasks[0].valid[:2]
    params = problem.policy.unflatten(problem.theta[None])
    old = problem.policy.unflatten(per_task(problem, 0)[:1])
    once, twice = (
        likelihood_ratio(
            problem.policy.outputs(batch.observations, params),
            batch._replace(old=problem.policy.outputs(batch.observations, old)),
        )
        for batch in (
            stacked([[e, other]])
            for e in (episode, oracle.Episode(*(torch.cat([field, field]) for field in episode)))
        )
    )
    torch.testing.assert_close(once, twice, rtol=1e-12, atol=1e-12)


@both_families
@pytest.mark.parametrize("share", [0.25, 0.65])
def test_clipped_surrogate(problem: Problem, share: float):
    """With a bound that this share of the ratios keeps."""
    old, new = per_task(problem, 0), per_task(problem, 1)
    pi, batch = valid_round(problem, moved=True)
    distances = (ratios(pi, batch) - 1).abs()[batch.weights > 0]
    clip = distances.quantile(share).item()
    losses = clipped_surrogate(pi, batch, clip)
    for n, task in enumerate(problem.tasks):
        expected = clipped_loss(problem.reference.network, old[n], new[n], task.valid, clip)
        torch.testing.assert_close(losses[n], expected, rtol=1e-10, atol=1e-12)
    assert (losses > likelihood_ratio(pi, batch) + 1e-3).any()


@both_families
def test_mean_entropy(problem: Problem):
    phi = per_task(problem, 0)
    network = problem.reference.network
    entropies = mean_entropy(policy_at(problem, phi), problem.valid)
    for n, task in enumerate(problem.tasks):
        expected = oracle.mean_over_steps(
            task.valid, lambda x, *_, n=n: network.distribution(phi[n], x).entropy()
        )
        torch.testing.assert_close(entropies[n], expected, rtol=1e-10, atol=1e-12)


@both_families
@old_or_moved
def test_the_closed_forms_of_reinforce_are_what_autograd_finds(problem: Problem, moved: bool):
    pi, batch = valid_round(problem, moved)
    plain, tangent = Loss(reinforce), random_tangent(pi)
    assert type(plain) is not type(reinforce)
    assert torch.equal(plain(pi, batch), reinforce(pi, batch))
    close(plain.gradient(pi, batch), reinforce.gradient(pi, batch))
    close(plain.gradient_dot(pi, batch, tangent), reinforce.gradient_dot(pi, batch, tangent))


@both_families
@old_or_moved
@pytest.mark.parametrize("loss", [reinforce, likelihood_ratio], ids=["reinforce", "ratio"])
def test_derivatives_are_slopes(problem: Problem, loss: Loss, moved: bool):
    """By central differences: the gradient of the loss, and `gradient_dot` of the gradient."""
    pi, batch = valid_round(problem, moved)
    tangent, width = random_tangent(pi), 1e-5

    def shifted(by: float) -> ActionDistribution:
        return type(pi)(*(x + by * t for x, t in zip(pi, tangent, strict=True)))

    rise = loss(shifted(width), batch) - loss(shifted(-width), batch)
    gradient = loss.gradient(pi, batch)
    slopes = sum((g * t).flatten(1).sum(-1) for g, t in zip(gradient, tangent, strict=True))
    torch.testing.assert_close(rise / (2 * width), slopes, rtol=1e-6, atol=1e-8)
    ends = [loss.gradient(shifted(by), batch) for by in (width, -width)]
    for upper, lower, dot in zip(*ends, loss.gradient_dot(pi, batch, tangent), strict=True):
        torch.testing.assert_close((upper - lower) / (2 * width), dot, rtol=1e-6, atol=1e-8)


@both_families
def test_likelihood_ratio_at_the_old_policy_is_reinforce_but_for_its_value(problem: Problem):
    pi, batch = valid_round(problem, moved=False)
    close(likelihood_ratio.gradient(pi, batch), reinforce.gradient(pi, batch))
    mean_advantages = (batch.weights * batch.advantages).sum(-1)
    torch.testing.assert_close(likelihood_ratio(pi, batch), -mean_advantages, rtol=1e-12, atol=1e-12)
    tangent = random_tangent(pi)
    changes = [loss.gradient_dot(pi, batch, tangent) for loss in (likelihood_ratio, reinforce)]
    assert any((x - y).abs().max() > 1e-3 for x, y in zip(*changes, strict=True))


@both_families
def test_derivatives_leave_no_graph_and_work_without_one(problem: Problem):
    pi, batch = valid_round(problem, moved=True)
    with torch.no_grad():
        found = [
            likelihood_ratio.gradient(pi, batch),
            likelihood_ratio.gradient_dot(pi, batch, random_tangent(pi)),
            *Objective(surrogate).gradients([Round(pi, batch)]),
        ]
    for each in found:
        assert type(each) is type(pi)
        assert [x.shape for x in each] == [x.shape for x in pi]
        assert not any(x.requires_grad for x in each)


@both_families
def test_a_loss_need_not_depend_on_every_number(problem: Problem):
    pi, batch = valid_round(problem, moved=True)
    entropy, tangent = Loss(mean_entropy), random_tangent(pi)
    gradient, dot = entropy.gradient(pi, batch), entropy.gradient_dot(pi, batch, tangent)
    if not isinstance(gradient, DiagonalNormal):  # That of a categorical distribution depends on all.
        assert all(x.any() for x in dot)
        return
    assert not gradient.mean.any()
    ones = torch.ones_like(gradient.log_std)
    torch.testing.assert_close(gradient.log_std, ones, rtol=1e-12, atol=0.0)
    assert not any(x.any() for x in dot)


def test_a_linear_loss_has_no_curvature():
    problem = make_problem("normal", inner_steps=1)
    pi, batch = valid_round(problem, moved=False)

    def value(pi: Any, batch: StackedEpisodes) -> Tensor:
        return (batch.weights * pi.mean.sum(-1)).sum(-1) + pi.log_std.sum((1, 2))

    linear = Loss(value)
    assert not any(x.any() for x in linear.gradient_dot(pi, batch, random_tangent(pi)))


@both_families
def test_the_old_policy_must_be_known(problem: Problem):
    pi, batch = policy_at(problem, per_task(problem, 0)), problem.valid
    for ask in (
        lambda: ratios(pi, batch),
        lambda: likelihood_ratio(pi, batch),
        lambda: likelihood_ratio.gradient(pi, batch),
        lambda: likelihood_ratio.gradient_dot(pi, batch, random_tangent(pi)),
        lambda: clipped_surrogate(pi, batch, 0.3),
        lambda: mean_kl(pi, batch),
        lambda: surrogate([Round(pi, batch)]),
        lambda: surrogate.gradients([Round(pi, batch)]),
    ):
        with pytest.raises(ValueError, match=r"set batch\.old"):
            ask()
    assert reinforce(pi, batch).isfinite().all()


@both_families
@old_or_moved
def test_the_closed_form_of_the_surrogate_is_what_autograd_finds(problem: Problem, moved: bool):
    rounds = [valid_round(problem, moved)]
    plain = Objective(surrogate)
    assert type(plain) is not type(surrogate)
    assert torch.equal(plain(rounds), surrogate(rounds))
    (found,), (expected,) = surrogate.gradients(rounds), plain.gradients(rounds)
    assert expected is not None
    assert any(x.any() for x in expected)
    close(found, expected)


@both_families
def test_gradients_are_those_by_each_rounds_policy_or_none(problem: Problem):
    """Of an objective that reads the first round and the last, and of the first's numbers but one."""

    def value(rounds: Sequence[Round]) -> Tensor:
        first, _, last = rounds
        return likelihood_ratio(*last) + (first.batch.weights * next(iter(first.pi))[..., 0]).sum(-1)

    def of(batch: StackedEpisodes, seed: int) -> Round:
        numbers = problem.policy.outputs(
            batch.observations, problem.policy.unflatten(per_task(problem, seed))
        )
        return Round(numbers, batch._replace(old=numbers))

    (train,) = problem.train
    rounds = [of(train, 0), of(train, 1), of(problem.valid, 2)]
    first, between, last = Objective(value).gradients(rounds)
    assert between is None
    close(last, reinforce.gradient(*rounds[-1]))
    assert first is not None
    of_first, *others = first
    assert torch.equal(of_first[..., 0], train.weights)
    assert not of_first[..., 1:].any()
    assert not any(x.any() for x in others)
