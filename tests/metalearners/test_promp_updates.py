"""ProMP's updates: Adam, the coefficients of its penalty, and what it remembers."""

from typing import Any

import numpy as np
import pytest
import torch

from maml_rl.config.parsing import parse_config
from maml_rl.errors import UsageError
from maml_rl.metalearners import MetaState, MetaUpdate
from maml_rl.metalearners.promp import COEFFICIENTS, ProMP
from maml_rl.optim.base import Comparison, Evaluation, Step
from tests.builders import (
    THREE_TASKS,
    both_families,
    first_or_second_order,
    make_policy,
    random_tasks,
    same_bits,
    to_batches,
)
from tests.metalearners.test_promp import CLIP, FAST_LRS, config, inner_steps_0_1_2
from tests.oracles import promp as oracle
from tests.oracles.maml import Network


class Updates:
    """The method on float32 episodes, as in a run."""

    def __init__(self, family: str = "normal", inner_steps: int = 1, **keys: Any):
        self.policy = make_policy(family)
        self.tasks = random_tasks(self.policy, inner_steps, lengths=THREE_TASKS)
        train, valid = to_batches(self.tasks)
        self.rounds = [*train, valid]
        keys = {"fast_lr": FAST_LRS[family], "clip": CLIP, "inner_kl": 0.75, "learning_rate": 0.02} | keys
        self.settings: Any = config(num_steps=inner_steps, **keys)
        self.learner = ProMP(self.policy, self.settings)

    def update(self, state: MetaState | None = None, learner: ProMP | None = None) -> MetaUpdate:
        learner = learner or self.learner
        return learner.update(learner.init() if state is None else state, self.rounds)

    def oracle(self) -> oracle.ProMP:
        theta, steps = self.policy.get_vector().double(), self.settings.num_steps
        coefficients = [self.settings.inner_kl] * steps
        network = Network.like(self.policy)
        return oracle.ProMP(
            network, theta, self.settings.fast_lr, CLIP, coefficients, self.settings.first_order
        )


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_an_update_is_adam_on_the_oracles_mean_gradient(family: str, first_order: bool, inner_steps: int):
    updates = Updates(family, inner_steps, first_order=first_order)
    reference, tasks = updates.oracle(), updates.tasks
    moving = torch.nn.Parameter(reference.theta_old.clone())
    adam = torch.optim.Adam([moving], updates.settings.learning_rate)
    for _ in range(updates.settings.adam_steps):
        moving.grad = reference.mean_gradient(moving.detach(), tasks)
        adam.step()
    expected = moving.detach()
    found = updates.update()
    step, expected_step = found.state.theta.double() - reference.theta_old, expected - reference.theta_old
    assert (step - expected_step).norm() < 1e-3 * expected_step.norm()

    terms = [reference.terms(expected, task) for task in tasks]
    losses = np.array([reference.loss(expected, task).item() for task in tasks])
    kls = np.array([each.kl.item() for each in terms])
    np.testing.assert_allclose(found.per_task["loss_after"], losses, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.per_task["kl_after"], kls, rtol=1e-2, atol=1e-5)
    old_losses = [reference.loss(reference.theta_old, task).item() for task in tasks]
    np.testing.assert_allclose(found.per_task["loss_before"], old_losses, rtol=1e-4, atol=1e-6)
    assert not found.per_task["kl_before"].any()

    metrics = found.metrics
    assert list(metrics) == list(ProMP.columns)
    assert metrics["loss_before"] == pytest.approx(np.mean(old_losses), rel=1e-4, abs=1e-6)
    assert metrics["loss_after"] == pytest.approx(losses.mean(), rel=1e-3, abs=1e-4)
    assert metrics["kl"] == pytest.approx(kls.mean(), rel=1e-2, abs=1e-5)
    inner_kls = [kl.item() for each in terms for kl in each.inner_kls] or [0.0]
    assert metrics["inner_kl"] == pytest.approx(np.mean(inner_kls), rel=1e-2, abs=1e-6)
    assert metrics["inner_kl_coefficient"] == (0.75 if inner_steps else 0.0)
    gradient = reference.mean_gradient(reference.theta_old, tasks)
    assert metrics["grad_norm"] == pytest.approx(gradient.norm().item(), rel=1e-3)


def test_the_first_state_holds_theta_moments_and_a_coefficient_for_each_step():
    updates = Updates(inner_steps=2, inner_kl=0.25)
    state = updates.learner.init()
    assert same_bits(state.theta, updates.policy.get_vector())
    assert set(state.memory) == {COEFFICIENTS, "adam.exp_avg", "adam.exp_avg_sq", "adam.step"}
    assert state.memory[COEFFICIENTS].tolist() == [0.25, 0.25]
    assert not any(tensor.any() for name, tensor in state.memory.items() if name != COEFFICIENTS)


def step_with(*inner_kls: float) -> Step:
    """What an optimiser did, as far as coefficients go: two tasks about each of these mean KLs."""
    two = torch.zeros(2)
    tensors = tuple(torch.tensor([0.5 * kl, 1.5 * kl], dtype=torch.float64) for kl in inner_kls)
    theta = torch.zeros(3)
    return Step(theta, {"adam.step": two}, Evaluation(two, theta), Comparison(two, two, tensors))


TARGET = 0.01


@pytest.mark.parametrize(
    ("kl", "factor"),
    [
        (0.0, 0.5),
        (TARGET / 1.51, 0.5),
        (TARGET / 1.49, 1.0),
        (TARGET, 1.0),
        (TARGET * 1.49, 1.0),
        (TARGET * 1.51, 2.0),
        (1.0, 2.0),
    ],
)
def test_a_coefficient_follows_its_kl_towards_the_target(kl: float, factor: float):
    learner = Updates(inner_steps=2, inner_kl_target=TARGET).learner
    coefficients = torch.tensor([0.75, 0.25])
    state = MetaState(torch.zeros(3), {COEFFICIENTS: coefficients, "adam.step": torch.ones(2)})
    for kls, factors in [((kl, TARGET), (factor, 1.0)), ((TARGET, kl), (1.0, factor))]:
        memory = learner.remember(state, step_with(*kls))
        assert memory[COEFFICIENTS].tolist() == [0.75 * factors[0], 0.25 * factors[1]]
        assert not memory["adam.step"].any()  # The optimiser's own memory is the step's.
    assert coefficients.tolist() == [0.75, 0.25]


def test_a_coefficient_never_stays_at_0():
    learner = Updates(inner_steps=1, inner_kl_target=TARGET).learner
    state = MetaState(torch.zeros(3), {COEFFICIENTS: torch.tensor([1e-3])})
    for kl in [0.0] * 200 + [1.0] * 200:
        memory = learner.remember(state, step_with(kl))
        state = MetaState(state.theta, {COEFFICIENTS: memory[COEFFICIENTS]})
    assert state.memory[COEFFICIENTS].item() > 1
    entries = {"env-name": "Bandit-K5-v0", "metalearner": "promp", "inner-kl": 0, "inner-kl-target": TARGET}
    with pytest.raises(UsageError, match="inner-kl 0 stays 0"):
        parse_config(entries, "here")


@pytest.mark.parametrize("kl", [0.0, TARGET, 1.0])
def test_without_a_target_the_coefficients_stay(kl: float):
    learner = Updates(inner_steps=2).learner
    state = MetaState(torch.zeros(3), {COEFFICIENTS: torch.tensor([0.75, 0.25])})
    assert learner.remember(state, step_with(kl, kl))[COEFFICIENTS].tolist() == [0.75, 0.25]


def test_an_update_changes_the_coefficients_of_the_next_and_reports_its_own():
    updates = Updates(inner_steps=2, inner_kl_target=1e6)
    first = updates.update()
    second = updates.update(first.state)
    assert first.state.memory[COEFFICIENTS].tolist() == [0.375] * 2
    assert second.state.memory[COEFFICIENTS].tolist() == [0.1875] * 2
    assert [update.metrics["inner_kl_coefficient"] for update in (first, second)] == [0.75, 0.375]
    kept = Updates(inner_steps=2)
    same = kept.update(kept.update().state)
    assert not same_bits(second.state.theta, same.state.theta)


@both_families
def test_an_update_from_a_copied_state_is_the_uninterrupted_one_to_the_bit(family: str):
    updates = Updates(family, inner_steps=2, inner_kl_target=1e-4)
    first = updates.update().state
    copied = MetaState(first.theta.clone(), {name: tensor.clone() for name, tensor in first.memory.items()})
    uninterrupted = updates.update(updates.update(first).state)
    fresh = ProMP(make_policy(family, seed=7), updates.settings)
    continued = updates.update(updates.update(copied, fresh).state, fresh)
    assert same_bits(continued.state.theta, uninterrupted.state.theta)
    assert not same_bits(continued.state.theta, copied.theta)
    assert continued.state.memory.keys() == uninterrupted.state.memory.keys() == copied.memory.keys()
    for name, tensor in continued.state.memory.items():
        assert same_bits(tensor, uninterrupted.state.memory[name])
        assert not torch.equal(tensor, copied.memory[name])
    assert continued.metrics == uninterrupted.metrics


@pytest.mark.parametrize("name", ["adam.exp_avg", "adam.exp_avg_sq", "adam.step", COEFFICIENTS])
def test_all_that_is_remembered_matters(name: str):
    updates = Updates(inner_steps=1, inner_kl_target=1e-6)
    state = updates.update().state
    forgetful = MetaState(state.theta, {**state.memory, name: updates.learner.init().memory[name]})
    assert not same_bits(updates.update(state).state.theta, updates.update(forgetful).state.theta)


def test_an_update_leaves_the_state_and_the_policies_as_they_were():
    updates = Updates(inner_steps=2, inner_kl_target=1e-6)
    theta, state = updates.policy.get_vector(), updates.update().state
    before = {name: tensor.clone() for name, tensor in state.memory.items()}
    updates.update(state)
    assert before.keys() == state.memory.keys()
    assert all(same_bits(tensor, before[name]) for name, tensor in state.memory.items())
    for policy in (updates.policy, updates.learner.adaptation.policy):
        assert same_bits(policy.get_vector(), theta)


@both_families
def test_rebuilding_gives_the_same_bits(family: str):
    updates = Updates(family, inner_steps=2)
    rebuilding = ProMP(updates.policy, updates.settings, rebuild=True)
    assert same_bits(updates.update(learner=rebuilding).state.theta, updates.update().state.theta)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_non_finite_advantages_stop_the_update(which: int):
    updates = Updates(inner_steps=2)
    updates.rounds[which][1].advantages[0, 0] = torch.nan
    state = updates.learner.init()
    with pytest.raises(FloatingPointError, match=r"in tasks \[1\]"):
        updates.update(state)
    assert same_bits(state.theta, updates.policy.get_vector())


def test_a_learning_rate_beyond_all_bounds_is_one_line():
    updates = Updates(learning_rate=1e30)
    with pytest.raises(FloatingPointError, match="NaN or infinite") as caught:
        updates.update()
    assert len(str(caught.value).splitlines()) == 1
