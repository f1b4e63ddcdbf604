"""The oracle of ProMP is held against finite differences, and against what must hold at ``theta_old``.

Its tasks are made here, without the package, so that only the oracle is on trial.
"""

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian

from tests.oracles.maml import Episode, Network, Reference, Task, mean_over_steps, reinforce_loss
from tests.oracles.promp import ProMP, clipped_loss, likelihood_ratio_loss

CLIP = 0.2
FAST_LRS = {"normal": 0.3, "categorical": 2.0}
"""Large enough for the second derivatives of the inner step to matter."""
COEFFICIENTS = (0.7, 0.3)
TRAIN_LENGTHS, VALID_LENGTHS = (1, 3), (2, 4)

families = pytest.mark.parametrize("family", ["normal", "categorical"])
inner_steps = pytest.mark.parametrize("steps", [0, 1, 2])


def make_network(family: str) -> Network:
    outputs = {"normal": 2, "categorical": 3}[family]
    sizes = {"layer1.weight": (3, 2), "layer1.bias": (3,), "layer2.weight": (outputs, 3)}
    sizes["layer2.bias"] = (outputs,)
    if family == "normal":
        sizes["sigma"] = (outputs,)
    return Network({name: torch.Size(size) for name, size in sizes.items()})


def random_vector(network: Network, scale: float, seed: int) -> Tensor:
    size = sum(shape.numel() for shape in network.shapes.values())
    generator = torch.Generator().manual_seed(seed)
    return scale * torch.randn(size, generator=generator, dtype=torch.float64)


def random_episode(network: Network, theta: Tensor, length: int) -> Episode:
    observations = torch.randn(length, 2, dtype=torch.float64)
    actions = torch.stack([network.distribution(theta, s).sample() for s in observations])
    return Episode(observations, actions, torch.randn(length, dtype=torch.float64))


def make(family: str, steps: int, first_order: bool = False) -> tuple[ProMP, Task]:
    network = make_network(family)
    theta = random_vector(network, 0.5, seed=0)
    with torch.random.fork_rng():
        torch.manual_seed(1)
        task = Task(
            [[random_episode(network, theta, n) for n in TRAIN_LENGTHS] for _ in range(steps)],
            [random_episode(network, theta, n) for n in VALID_LENGTHS],
        )
    oracle = ProMP(network, theta, FAST_LRS[family], CLIP, COEFFICIENTS[:steps], first_order)
    return oracle, task


def moved(oracle: ProMP) -> Tensor:
    """Far enough for some ratios to be clipped."""
    return oracle.theta_old + random_vector(oracle.network, 0.1, seed=2)


@families
@inner_steps
@pytest.mark.parametrize("where", ["theta_old", "moved"])
def test_gradient_is_that_of_finite_differences(family: str, steps: int, where: str):
    oracle, task = make(family, steps)
    theta = oracle.theta_old if where == "theta_old" else moved(oracle)
    torch.testing.assert_close(
        oracle.gradient(theta, task), oracle.finite_differences(theta, task), rtol=1e-6, atol=1e-8
    )


@families
@inner_steps
def test_some_ratios_are_clipped_at_the_moved_theta_and_none_stands_at_a_kink(family: str, steps: int):
    oracle, task = make(family, steps)
    terms, ratios = oracle.terms(moved(oracle), task), torch.cat(oracle.ratios(moved(oracle), task))
    distances = (ratios - 1).abs() - CLIP
    assert distances.max() > 0 > distances.min()
    assert distances.abs().min() > 1e-3
    whole = likelihood_ratio_loss(oracle.network, terms.old[-1], terms.new[-1], task.valid)
    assert terms.clipped >= whole
    assert steps == 0 or terms.clipped > whole + 1e-3


@families
def test_inner_loss_at_the_old_policy_is_reinforce_but_for_a_constant(family: str):
    oracle, task = make(family, 1)
    phi = oracle.theta_old.clone().requires_grad_()
    loss = likelihood_ratio_loss(oracle.network, oracle.theta_old, phi, task.train[0])
    advantage = mean_over_steps(task.train[0], lambda _s, _a, advantage: advantage)
    torch.testing.assert_close(loss.detach(), -advantage)
    (ours,) = torch.autograd.grad(loss, phi)
    (reinforce,) = torch.autograd.grad(reinforce_loss(oracle.network, phi, task.train[0]), phi)
    torch.testing.assert_close(ours, reinforce, rtol=1e-12, atol=1e-12)


@families
def test_inner_curvature_at_the_old_policy_has_the_squared_score_besides_reinforces(family: str):
    """``A (H log pi + g gᵀ)``: what tells ProMP from MAML."""
    oracle, task = make(family, 1)
    network, theta, episodes = oracle.network, oracle.theta_old, task.train[0]
    expected = hessian(lambda phi: reinforce_loss(network, phi, episodes), theta)
    for episode in episodes:
        for observation, action, advantage in zip(*episode, strict=True):
            phi = theta.clone().requires_grad_()
            (score,) = torch.autograd.grad(network.distribution(phi, observation).log_prob(action), phi)
            weight = advantage / len(episode.advantages) / len(episodes)
            expected = expected - weight * torch.outer(score, score)
    actual = hessian(lambda phi: likelihood_ratio_loss(network, theta, phi, episodes), theta)
    torch.testing.assert_close(actual, expected, rtol=1e-10, atol=1e-12)


@families
@inner_steps
def test_what_must_hold_at_theta_old(family: str, steps: int):
    """The adapted policies are the old ones and MAML's, KLs are 0, the loss is minus the mean advantage."""
    oracle, task = make(family, steps)
    theta = oracle.theta_old
    reference = Reference(oracle.network, theta, oracle.fast_lr)
    terms = oracle.terms(theta, task)
    assert len(terms.old) == steps + 1
    for old, new in zip(terms.old, terms.new, strict=True):
        torch.testing.assert_close(old, new.detach(), rtol=0, atol=0)
    torch.testing.assert_close(terms.old[-1], reference.old(task), rtol=1e-12, atol=1e-12)
    for kl in [*terms.inner_kls, terms.kl]:
        torch.testing.assert_close(kl.detach(), torch.zeros_like(kl), rtol=0, atol=1e-15)
    advantage = mean_over_steps(task.valid, lambda _s, _a, advantage: advantage)
    torch.testing.assert_close(oracle.loss(theta, task).detach(), -advantage)
    same_as_maml = torch.allclose(oracle.gradient(theta, task), reference.gradient(task), rtol=1e-3)
    assert same_as_maml == (steps == 0)


@families
@inner_steps
def test_penalty_is_the_mean_of_coefficient_times_kl(family: str, steps: int):
    oracle, task = make(family, steps)
    theta = moved(oracle)
    kls = [kl.detach() for kl in oracle.inner_kls(theta, task)]
    assert len(kls) == steps
    assert all(kl > 1e-3 for kl in kls)
    expected = {
        0: lambda: torch.zeros((), dtype=torch.float64),
        1: lambda: COEFFICIENTS[0] * kls[0],
        2: lambda: (COEFFICIENTS[0] * kls[0] + COEFFICIENTS[1] * kls[1]) / 2,
    }[steps]()
    difference = oracle.loss(theta, task) - oracle.terms(theta, task).clipped
    torch.testing.assert_close(difference.detach(), expected)


@families
def test_the_first_order_has_the_same_value_and_another_gradient(family: str):
    oracle, task = make(family, 1)
    first, _ = make(family, 1, first_order=True)
    theta = moved(oracle)
    torch.testing.assert_close(first.loss(theta, task), oracle.loss(theta, task))
    assert not torch.allclose(first.gradient(theta, task), oracle.gradient(theta, task), rtol=1e-2)


@pytest.mark.parametrize(
    ("ratio", "advantage", "expected", "slope"),
    [
        (1.1, 2.0, -2.2, -2.2),
        (1.5, 2.0, -2.4, 0.0),
        (1.5, -2.0, 3.0, 3.0),
        (0.5, 2.0, -1.0, -1.0),
        (0.5, -2.0, 1.6, 0.0),
    ],
)
def test_clipped_loss_of_one_step(ratio: float, advantage: float, expected: float, slope: float):
    """By hand: of one normal whose mean is a bias; the slope is that by the log of the ratio."""
    shapes = {"layer1.weight": (1, 1), "layer1.bias": (1,), "sigma": (1,)}
    network = Network({name: torch.Size(shape) for name, shape in shapes.items()})
    old = torch.zeros(3, dtype=torch.float64)
    action = torch.ones(1, dtype=torch.float64)
    # log ratio = (1 - (1 - b)²) / 2 for the bias b.
    bias = 1 - (1 - 2 * torch.tensor(ratio, dtype=torch.float64).log()).sqrt()
    new = torch.stack([torch.zeros_like(bias), bias, torch.zeros_like(bias)]).requires_grad_()
    observation = torch.zeros(1, 1, dtype=torch.float64)
    episode = Episode(observation, action[None], torch.tensor([advantage], dtype=torch.float64))
    loss = clipped_loss(network, old, new, [episode], CLIP)
    (gradient,) = torch.autograd.grad(loss, new)
    assert loss.item() == pytest.approx(expected)
    assert (gradient[1] / (1 - bias)).item() == pytest.approx(slope)
