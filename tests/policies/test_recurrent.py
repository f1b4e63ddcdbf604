"""Recurrent policies against plain loops in NumPy, and their derivatives against finite differences."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.adaptation.carry_over import CarryOver, RecurrentActor
from maml_rl.errors import UsageError
from maml_rl.metalearners.windows import run_through
from maml_rl.policies.categorical_mlp import CategoricalMLPPolicy
from maml_rl.policies.cells import CELLS, WEIGHTS
from maml_rl.policies.normal_mlp import NormalMLPPolicy
from maml_rl.policies.normalized import no_statistics
from maml_rl.policies.recurrent import Architecture, RecurrentPolicy
from maml_rl.stacked import StackedEpisodes

SEEN, H = 3, 5
BOX, DISCRETE = gym.spaces.Box(-1.0, 1.0, (2,)), gym.spaces.Discrete(4)
Array = NDArray[np.float64]


def policy_of(cell: str, space: gym.Space[Any] = DISCRETE, **changes: Any) -> RecurrentPolicy:
    torch.manual_seed(0)
    architecture = Architecture(cell, H, **{"encoder_sizes": (6,), "reward_scale": 0.1, **changes})
    head = CategoricalMLPPolicy(H, 4) if space is DISCRETE else NormalMLPPolicy(H, 2, (7,), torch.tanh)
    policy = RecurrentPolicy(SEEN, space, head, architecture)
    vector = policy.get_vector()
    policy.set_vector(vector + 0.3 * torch.randn_like(vector))
    return policy


def sigmoid(x: Array) -> Array:
    return 1 / (1 + np.exp(-x))


def plain_step(policy: RecurrentPolicy, x: Array, state: Array, prefix: str = "") -> Array:
    """The state after one step, of one sequence, as the papers have it; ``prefix`` of the weights' names."""
    w = {
        name.removeprefix(prefix): part.numpy().astype(np.float64)
        for name, part in policy.unflatten(policy.get_vector()).items()
        if name.startswith(prefix)
    }
    x = np.tanh(w["encoder.layer1.weight"] @ x + w["encoder.layer1.bias"])
    of_input = np.split(w["cell.weight_ih"] @ x + w["cell.bias_ih"], len(w["cell.weight_ih"]) // H)
    h = state[-H:] if policy.architecture.cell == "gated-gru" else state[:H]
    of_state = np.split(w["cell.weight_hh"] @ h + w["cell.bias_hh"], policy.cell.gates)
    if policy.architecture.cell in ("gru", "gated-gru"):
        (ri, zi, ni, *gate), (rh, zh, nh) = of_input, of_state
        z = sigmoid(zi + zh)
        new = (1 - z) * np.tanh(ni + sigmoid(ri + rh) * nh) + z * h
        return np.concatenate([2 * sigmoid(gate[0]) * new, new]) if gate else new
    i, f, g, o = (a + b for a, b in zip(of_input, of_state, strict=True))
    c = sigmoid(f) * state[H:] + sigmoid(i) * np.tanh(g)
    return np.concatenate([sigmoid(o) * np.tanh(c), c])


@pytest.mark.parametrize("cell", CELLS)
def test_unrolling_is_a_loop_of_steps(cell: str):
    policy = policy_of(cell)
    rng = np.random.default_rng(0)
    inputs, states = rng.normal(size=(2, 6, policy.inputs_size)), rng.normal(size=(2, policy.state_size))
    x, s = (torch.from_numpy(a).float() for a in (inputs, states))
    params = policy.unflatten(policy.get_vector())
    whole = policy.unroll(params, x, s)
    step = policy.stepper(params)
    for t in range(6):
        states = np.stack([plain_step(policy, *pair) for pair in zip(inputs[:, t], states, strict=True)])
        pi, s = step(x[:, t], s)
        np.testing.assert_allclose(s.numpy(), states, rtol=1e-4, atol=1e-5)
        for found, expected in zip(pi, whole.pi, strict=True):
            torch.testing.assert_close(found, expected[:, t], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(whole.states, states, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("space", [DISCRETE, BOX], ids=["discrete", "box"])
def test_a_trial_of_ragged_episodes_is_one_sequence_without_gaps(space: gym.Space[Any]):
    """Two trials side by side, of episodes of 2 and 4, then 3 and 1 steps, against a plain loop."""
    policy = policy_of("gru", space)
    rng = np.random.default_rng(1)
    actor = RecurrentActor(policy, policy.get_vector(), (1, 2))
    lengths = [(2, 4), (3, 1)]
    states, news = np.zeros((2, H)), np.zeros((2, policy.news_size))
    with torch.inference_mode():
        for of_round in lengths:
            for t in range(max(of_round)):
                ran = np.array([[t < length for length in of_round]])
                observations = rng.normal(size=(1, 2, SEEN)).astype(np.float32)
                pi = actor.act(torch.from_numpy(observations))
                actions = pi.sample(torch.from_numpy(policy.noise(rng, (1, 2)))).numpy()
                rewards = rng.normal(size=(1, 2))
                for k in range(2):
                    if not ran[0, k]:
                        continue
                    states[k] = plain_step(policy, np.concatenate([observations[0, k], news[k]]), states[k])
                    expected = policy.head.outputs(
                        torch.from_numpy(states[k]).float(),
                        {
                            n.removeprefix("head."): x
                            for n, x in policy.unflatten(policy.get_vector()).items()
                        },
                    )
                    torch.testing.assert_close(
                        next(iter(pi))[0, k], next(iter(expected)), rtol=1e-4, atol=1e-5
                    )
                    taken = actions[0, k]
                    features = np.eye(4)[taken] if space is DISCRETE else taken
                    over = t == of_round[k] - 1
                    news[k] = np.concatenate([features, [0.1 * rewards[0, k]], [float(over)]])
                ended = np.array([[t == length - 1 for length in of_round]])
                actor.receive(actions, rewards, ran, ran & ended)


def test_the_memory_goes_on_within_a_trial_and_begins_anew_with_the_next():
    policy = policy_of("gru")
    adaptation = CarryOver(policy)
    params = adaptation.start(policy.get_vector(), 3)
    first = adaptation.actor(params, 2)
    assert adaptation.actor(params, 2, first) is first
    assert adaptation.actor(params, 2) is not first
    batch = StackedEpisodes(torch.zeros(3, 1, SEEN), *torch.zeros(3, 3, 1))
    assert adaptation.step(params, batch) is params
    with pytest.raises(UsageError, match="no gradient steps"):
        adaptation.step(params, batch, 0.5)


@pytest.mark.parametrize("cell", CELLS)
def test_new_cells_have_orthogonal_recurrent_weights_and_states_of_0(cell: str):
    torch.manual_seed(0)
    policy = RecurrentPolicy(SEEN, DISCRETE, CategoricalMLPPolicy(H, 4), Architecture(cell, H))
    for gate in policy.network["cell"].get_parameter("weight_hh").chunk(policy.cell.gates):
        torch.testing.assert_close(gate @ gate.T, torch.eye(H))
    assert not policy.initial_states(2).any()


@pytest.mark.parametrize("cell", CELLS)
def test_units_of_a_new_cell_keep_their_content_as_long_as_asked(cell: str):
    architecture = Architecture(cell, 400, memory_steps=50)
    torch.manual_seed(0)
    policy = RecurrentPolicy(SEEN, DISCRETE, CategoricalMLPPolicy(400, 4), architecture)
    network = policy.network["cell"]
    for name in ("weight_ih", "weight_hh"):
        network.get_parameter(name).data.zero_()
    state = torch.ones(1, policy.state_size)
    weights = [network.get_parameter(name) for name in WEIGHTS]
    after = policy.cell.step(torch.zeros(1, policy.inputs_size), state, weights)[0, -400:]
    steps = 1 / (1 - after)
    assert 2 <= steps.min() < 4
    assert 48 < steps.max() <= 50
    assert abs(steps.mean() - 26) < 3
    if cell == "lstm":
        take, keep, *_ = network.get_parameter("bias_ih").chunk(4)
        assert torch.equal(take, -keep)


def slope(function: Any, at: Tensor, direction: Tensor, size: float = 1e-5) -> Tensor:
    return (function(at + size * direction) - function(at - size * direction)) / (2 * size)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("space", [DISCRETE, BOX], ids=["discrete", "box"])
def test_derivatives_through_time_are_those_of_finite_differences(cell: str, space: gym.Space[Any]):
    policy = policy_of(cell, space).double()
    generator = torch.Generator().manual_seed(2)
    inputs = torch.randn(3, 5, policy.inputs_size, dtype=torch.float64, generator=generator)
    states = torch.randn(3, policy.state_size, dtype=torch.float64, generator=generator)
    theta = policy.get_vector().double()
    at = policy.linearise_sequences(inputs, states, theta)
    direction = torch.randn(len(theta), dtype=torch.float64, generator=generator)

    def numbers(vector: Tensor) -> Tensor:
        pi = policy.unroll(policy.unflatten(vector), inputs, states).pi
        return torch.cat([x.flatten() for x in pi])

    tangent = at.jvp(direction[None])
    expected = slope(numbers, theta, direction)
    torch.testing.assert_close(torch.cat([x.flatten() for x in tangent]), expected, rtol=1e-6, atol=1e-8)
    cotangent = [torch.randn(x.shape, dtype=torch.float64, generator=generator) for x in at.pi]
    gradient = at.vjp(cotangent)[0]
    flat = torch.cat([x.flatten() for x in cotangent])
    torch.testing.assert_close(gradient @ direction, flat @ expected, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("cell", CELLS)
def test_products_in_single_precision_are_those_in_double(cell: str):
    """The CPU's fused kernels would have no second derivatives."""
    single, double = policy_of(cell), policy_of(cell).double()
    inputs, states = torch.randn(3, 5, single.inputs_size), torch.randn(3, single.state_size)
    theta = single.get_vector()
    direction = torch.randn(1, len(theta))
    ours = single.linearise_sequences(inputs, states, theta).jvp(direction)
    theirs = double.linearise_sequences(inputs.double(), states.double(), theta.double()).jvp(
        direction.double()
    )
    for found, expected in zip(ours, theirs, strict=True):
        torch.testing.assert_close(found.double(), expected, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("cell", CELLS)
def test_a_separate_critic_has_a_memory_of_its_own(cell: str):
    policy = policy_of(cell, critic="separate")
    params = policy.unflatten(policy.get_vector())
    inputs = torch.randn(1, 4, policy.inputs_size)
    found = policy.unroll(params, inputs, policy.initial_states(1))
    assert found.values is not None
    state = np.zeros(policy.state_size)
    for x, value in zip(inputs[0], found.values[0], strict=True):
        state = plain_step(policy, x.numpy().astype(np.float64), state, "critic.")
        expected = params["critic.weight"][0].numpy() @ state[:H] + params["critic.bias"].item()
        np.testing.assert_allclose(value, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(found.states[0, policy.state_size :], state, rtol=1e-5, atol=1e-6)
    theta = policy.get_vector().requires_grad_()
    again = policy.unroll(policy.unflatten(theta), inputs, policy.initial_states(1))
    assert again.values is not None
    gradient = policy.unflatten(torch.autograd.grad(again.values.sum(), theta)[0])
    assert {name for name, x in gradient.items() if x.any()} <= {n for n in params if n.startswith("critic.")}


@pytest.mark.parametrize("critic", ["recurrent", "separate"])
def test_states_are_kept_where_they_are_asked_for(critic: str):
    policy = policy_of("lstm", critic=critic)
    inputs = torch.randn(2, 7, policy.inputs_size)
    params = policy.unflatten(policy.get_vector())
    values, states = run_through(policy, params, inputs, [0, 3, 5])
    whole = policy.unroll(params, inputs, policy.initial_states(2))
    torch.testing.assert_close(values, whole.values)
    assert not states[:, 0].any()
    for number, start in ((1, 3), (2, 5)):
        begun = policy.unroll(params, inputs[:, :start], policy.initial_states(2)).states
        torch.testing.assert_close(states[:, number], begun)


def test_statistics_are_part_of_theta_and_nothing_moves_them():
    head = CategoricalMLPPolicy(H, 4)
    policy = RecurrentPolicy(SEEN, DISCRETE, head, Architecture(units=H), no_statistics(SEEN))
    assert set(policy.layout.shapes) - set(policy.moving) == set(no_statistics(SEEN))
    theta = policy.get_vector()
    parts = policy.unflatten(theta)
    parts["meta.observation_mean"] += 1.0
    inputs, states = torch.randn(2, 4, policy.inputs_size), policy.initial_states(2)
    shifted = inputs.clone()
    shifted[..., :SEEN] += 1.0
    before = policy.unroll(policy.unflatten(policy.get_vector()), inputs, states).pi
    after = policy.unroll(policy.unflatten(theta), shifted, states).pi
    torch.testing.assert_close(tuple(after), tuple(before))


@pytest.mark.parametrize("critic", ["recurrent", "separate"])
def test_a_state_dict_has_the_names_of_the_file(critic: str):
    policy, other = policy_of("gru", critic=critic), policy_of("gru", critic=critic)
    state = policy.state_dict()
    parts = policy.unflatten(policy.get_vector())
    assert list(state) == list(parts)
    assert all(torch.equal(state[name], part) for name, part in parts.items())
    with torch.no_grad():
        other.get_parameter("network.cell.bias_hh").add_(1)
    assert not torch.equal(other.get_vector(), policy.get_vector())
    other.load_state_dict(state)
    assert torch.equal(other.get_vector(), policy.get_vector())
    one, without = state | {"cell.bias_hh": torch.zeros(1)}, dict(state)
    del without["cell.bias_hh"]
    for wrong in (one, without):
        with pytest.raises(RuntimeError, match=r"another policy; names or shapes differ: cell\.bias_hh$"):
            other.load_state_dict(wrong)
    assert torch.equal(other.get_vector(), policy.get_vector())
