import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import kl_divergence

from maml_rl.errors import UsageError
from maml_rl.policies import CategoricalMLPPolicy, NormalMLPPolicy, Policy
from maml_rl.policies.factory import nonlinearity_named
from tests.builders import OBSERVATION_SIZE, both_families, make_policy, same_bits
from tests.oracles.maml import Network


def observations(*shape: int) -> Tensor:
    generator = torch.Generator().manual_seed(5)
    return torch.randn(*shape, OBSERVATION_SIZE, generator=generator, dtype=torch.float64)


def task_vectors(policy: Policy, tasks: int) -> Tensor:
    generator = torch.Generator().manual_seed(6)
    return torch.randn(tasks, policy.get_vector().numel(), generator=generator, dtype=torch.float64)


def names_of_2020(layers: int, normal: bool) -> set[str]:
    names = {f"layer{i}.{kind}" for i in range(1, layers + 1) for kind in ("weight", "bias")}
    return names | {"mu.weight", "mu.bias", "sigma"} if normal else names


@both_families
@pytest.mark.parametrize("hidden_sizes", [(), (3,), (4, 3)])
@pytest.mark.parametrize("nonlinearity", [torch.tanh, F.relu])
def test_policy_is_the_network_of_the_oracle(family: str, hidden_sizes: tuple[int, ...], nonlinearity):
    policy = make_policy(family, 0, hidden_sizes, nonlinearity).double()
    network = Network.like(policy, nonlinearity=nonlinearity)
    states = observations(4)
    pi = policy(states)
    assert pi.batch_shape == (4,)
    for step, state in enumerate(states):
        expected: Any = network.distribution(policy.get_vector(), state)
        found = pi.base_dist.loc[step] if family == "normal" else pi.logits[step]
        torch.testing.assert_close(found, expected.mean if family == "normal" else expected.logits)
        if family == "normal":
            torch.testing.assert_close(pi.stddev[step], expected.stddev)


@both_families
def test_observations_of_another_size_are_refused(family: str):
    """Not regrouped: three of twice the size are six of the right one."""
    policy = make_policy(family, 0, (5,))
    with pytest.raises(RuntimeError):
        policy(torch.zeros(3, 2 * OBSERVATION_SIZE))


@both_families
@pytest.mark.parametrize("lead", [(), (1,), (4,), (5, 3)], ids=str)
def test_stacked_parameters_equal_a_loop_over_tasks(family: str, lead: tuple[int, ...]):
    policy = make_policy(family, hidden_sizes=(4, 3))
    states, vectors = observations(3, *lead), task_vectors(policy, 3)
    together = policy(states, policy.unflatten(vectors))
    assert together.batch_shape == (3, *lead)
    for n in range(3):
        alone = policy(states[n], policy.unflatten(vectors[n]))
        for name in ("mean", "stddev") if family == "normal" else ("logits",):
            torch.testing.assert_close(
                getattr(together, name)[n], getattr(alone, name), rtol=1e-10, atol=1e-12
            )


def test_own_parameters_are_the_default():
    policy = make_policy("normal").double()
    other = policy.unflatten(task_vectors(policy, 1)[0])
    states = observations(4)
    own = policy(states)
    assert torch.equal(policy(states, dict(policy.named_parameters())).mean, own.mean)
    assert kl_divergence(own, policy(states, other)).min() > 0


@pytest.mark.parametrize("hidden_sizes", [(), (5,), (6, 5)])
def test_parameters_have_the_names_of_2020(hidden_sizes: tuple[int, ...]):
    normal = NormalMLPPolicy(4, 2, hidden_sizes)
    assert set(normal.state_dict()) == names_of_2020(len(hidden_sizes), normal=True)
    categorical = CategoricalMLPPolicy(4, 3, hidden_sizes)
    assert set(categorical.state_dict()) == names_of_2020(len(hidden_sizes) + 1, normal=False)


@both_families
def test_checkpoints_of_2020_load_strictly(family: str):
    """As plain ``nn.Linear`` modules under the old names write them."""
    layers = torch.nn.ModuleDict({"layer1": torch.nn.Linear(OBSERVATION_SIZE, 3)})
    layers["mu" if family == "normal" else "layer2"] = torch.nn.Linear(3, 2 if family == "normal" else 3)
    checkpoint = dict(layers.state_dict())
    if family == "normal":
        checkpoint["sigma"] = torch.tensor([0.1, -0.2])
    policy = make_policy(family)
    policy.load_state_dict(checkpoint, strict=True)
    states = observations(4).float()
    hidden, last = layers.values()
    expected = last(torch.tanh(hidden(states)))
    pi = policy(states)
    if family == "normal":
        torch.testing.assert_close(pi.mean, expected)
        torch.testing.assert_close(pi.stddev, checkpoint["sigma"].exp().expand(4, 2))
    else:
        torch.testing.assert_close(pi.probs, expected.softmax(-1))


@both_families
def test_a_checkpoint_of_another_size_is_refused(family: str):
    checkpoint = make_policy(family, hidden_sizes=(4,)).state_dict()
    with pytest.raises(RuntimeError, match="size mismatch"):
        make_policy(family).load_state_dict(checkpoint)


@pytest.mark.parametrize("make", [NormalMLPPolicy, CategoricalMLPPolicy])
def test_weights_start_xavier_uniform_and_biases_zero(make: Callable[..., Policy]):
    torch.manual_seed(0)
    policy = make(60, 50, (80, 70), torch.tanh)
    for name, param in policy.named_parameters():
        if name.endswith("bias"):
            assert not param.any()
        elif name.endswith("weight"):
            bound = math.sqrt(6 / sum(param.shape))
            assert 0.98 * bound < param.abs().max() <= bound
            assert param.std().item() == pytest.approx(bound / math.sqrt(3), rel=0.03)
            assert param.mean().abs() < 0.03 * bound


def test_init_std():
    policy = NormalMLPPolicy(2, 3, init_std=0.25)
    assert policy(torch.zeros(1, 2)).stddev.tolist() == [pytest.approx([0.25] * 3)]


def test_standard_deviation_is_clamped_from_below():
    policy = NormalMLPPolicy(2, 2, min_std=0.1)
    with torch.no_grad():
        policy.sigma.copy_(torch.tensor([-50.0, math.log(0.2)]))
    pi = policy(torch.zeros(1, 2))
    assert pi.stddev.tolist() == [pytest.approx([0.1, 0.2])]
    pi.entropy().sum().backward()
    assert policy.sigma.grad is not None
    assert policy.sigma.grad.tolist() == [0, 1]


@pytest.mark.parametrize("family", ["normal", "categorical"])
def test_noise_makes_actions_of_every_task_step_and_episode(family: str):
    policy = make_policy(family)
    rng = np.random.default_rng(0)
    noise = policy.noise(rng, (2000, 3))
    assert noise.dtype == np.float32
    assert noise.shape == ((2000, 3, 2) if family == "normal" else (2000, 3))
    moments = (0, 1) if family == "normal" else (0.5, 12**-0.5)
    assert (noise.mean(), noise.std()) == pytest.approx(moments, abs=0.03)
    if family == "categorical":
        assert noise.min() >= 0
        assert noise.max() < 1
    assert np.array_equal(policy.noise(np.random.default_rng(0), (2000, 3)), noise)


def quadratic_loss(params: Mapping[str, Tensor]) -> Tensor:
    """Its gradient is ``params³``, its Hessian ``3 params²`` on the diagonal."""
    return torch.stack([(param**4).sum() for param in params.values()]).sum() / 4


@both_families
def test_update_params_takes_a_gradient_step(family: str):
    policy = make_policy(family).double()
    own = dict(policy.named_parameters())
    updated = policy.update_params(quadratic_loss(own))
    assert list(updated) == list(own)
    for name, param in own.items():
        torch.testing.assert_close(updated[name], param - 0.5 * param**3)
        assert same_bits(param.detach(), dict(policy.named_parameters())[name].detach())


@both_families
@pytest.mark.parametrize("first_order", [False, True])
def test_update_params_can_be_differentiated(family: str, first_order: bool):
    policy = make_policy(family).double()
    own = list(policy.parameters())
    updated = policy.update_params(
        quadratic_loss(dict(policy.named_parameters())), step_size=0.1, first_order=first_order
    )
    gradients = torch.autograd.grad([param.sum() for param in updated.values()], own)
    for param, gradient in zip(own, gradients, strict=True):
        through_gradient = 0.0 if first_order else 0.3 * param**2
        torch.testing.assert_close(gradient, torch.ones_like(param) - through_gradient)


def test_update_params_starts_from_given_parameters():
    policy = make_policy("normal").double()
    given = policy.unflatten(task_vectors(policy, 1)[0].requires_grad_())
    updated = policy.update_params(quadratic_loss(given), given, step_size=0.1)
    for name, param in given.items():
        torch.testing.assert_close(updated[name], param - 0.1 * param**3)


@both_families
def test_vectors_and_named_parameters_are_two_views_of_one_thing(family: str):
    policy = make_policy(family)
    named = policy.unflatten(policy.get_vector())
    assert list(named) == [name for name, _ in policy.named_parameters()]
    for name, param in policy.named_parameters():
        assert torch.equal(named[name], param)
    stacked = policy.unflatten(policy.get_vector().expand(2, 4, -1))
    for name, param in policy.named_parameters():
        assert torch.equal(stacked[name], param.expand(2, 4, *param.shape))


@both_families
def test_set_vector_round_trip(family: str):
    policy, other = make_policy(family, seed=0), make_policy(family, seed=1)
    assert not torch.equal(policy.get_vector(), other.get_vector())
    policy.set_vector(other.get_vector())
    assert same_bits(policy.get_vector(), other.get_vector())
    assert all(param.requires_grad for param in policy.parameters())


def test_get_vector_is_a_copy():
    policy = make_policy("normal")
    vector = policy.get_vector()
    policy.get_vector().zero_()
    assert not vector.requires_grad
    assert torch.equal(policy.get_vector(), vector)
    assert vector.any()


@pytest.mark.parametrize(
    ("name", "same_as"),
    [("relu", F.relu), ("Tanh", torch.tanh), ("tanh", torch.tanh), ("elu", F.elu), ("silu", F.silu)],
)
def test_nonlinearity_by_name(name: str, same_as):
    x = torch.linspace(-3, 3, 7)
    assert torch.equal(nonlinearity_named(name)(x), same_as(x))


@pytest.mark.parametrize("name", ["", "swoosh", "sum", "linear", "float32", "Linear", "__name__", "argsort"])
def test_what_is_no_nonlinearity_is_refused(name: str):
    with pytest.raises(UsageError, match=f"nonlinearity '{name}'.*such as relu"):
        nonlinearity_named(name)


@pytest.mark.parametrize("name", ["msort", "softmax", "relu_", "zeros_like", "sign_"])
@pytest.mark.filterwarnings("ignore:Implicit dimension choice")
def test_what_keeps_the_shape_but_is_no_nonlinearity_is_refused(name: str):
    """Linearisation takes it to be elementwise, differentiable, and not to write to its argument."""
    with pytest.raises(UsageError, match=f"nonlinearity '{name}'"):
        nonlinearity_named(name)


def test_what_draws_is_no_nonlinearity_whatever_the_seed():
    for seed in range(30):
        torch.manual_seed(seed)
        with pytest.raises(UsageError, match="nonlinearity 'dropout'"):
            nonlinearity_named("dropout")
