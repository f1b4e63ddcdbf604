import weakref
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import torch

from maml_rl.adaptation import GradientStep, Unrolled
from maml_rl.config import Config
from maml_rl.metalearners import MetaState, MetaUpdate, chunks
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.metalearners.problem import TaskChunk
from tests.builders import (
    FAST_LRS,
    THREE_TASKS,
    both_families,
    first_or_second_order,
    make_policy,
    random_tasks,
    same_bits,
    to_batches,
)
from tests.oracles.maml import Network, Reference

PER_TASK = ("loss_before", "kl_before", "loss_after", "kl_after")
DEFAULTS = {"max_kl": 1e-3, "cg_iters": 10, "cg_damping": 1e-2, "ls_max_steps": 10, "ls_backtrack_ratio": 0.5}


class Update:
    """A policy, tasks, and one update on them."""

    def __init__(self, family: str = "normal", inner_steps: int = 1, first_order: bool = False):
        self.family, self.first_order = family, first_order
        self.policy = make_policy(family)
        self.theta = self.policy.get_vector()
        self.tasks = random_tasks(self.policy, inner_steps, lengths=THREE_TASKS)
        self.rounds = [*(parts := to_batches(self.tasks))[0], parts[1]]
        self.reference = Reference(
            Network.like(self.policy), self.theta.double(), FAST_LRS[family], first_order
        )

    def learner(self, *, rebuild: bool = False, **options: Any) -> TrustRegionMAML:
        keys = DEFAULTS | {"fast_lr": FAST_LRS[self.family], "first_order": self.first_order} | options
        return TrustRegionMAML(self.policy, Config(env_name="-", **keys), rebuild=rebuild)

    def step(self, *, rebuild: bool = False, **options: Any) -> MetaUpdate:
        """From the template's parameters."""
        learner = self.learner(rebuild=rebuild, **options)
        return learner.update(learner.init(), self.rounds)


@both_families
@first_or_second_order
def test_step_equals_a_plain_reference(family: str, first_order: bool):
    """With damping, conjugate gradient solves the system well enough even in float32."""
    update = Update(family, 1, first_order)
    found = update.step(max_kl=1e-2, cg_iters=40, cg_damping=0.1, ls_max_steps=10, ls_backtrack_ratio=0.5)
    expected = update.reference.trpo_step(update.tasks, max_kl=1e-2, damping=0.1, tries=10, ratio=0.5)
    assert expected.accepted
    assert found.metrics["accepted"]
    assert found.metrics["backtracks"] == expected.backtracks
    step, expected_step = (
        theta - update.theta.double() for theta in (found.state.theta.double(), expected.theta)
    )
    assert (step - expected_step).norm() < 1e-2 * expected_step.norm()
    np.testing.assert_allclose(
        found.per_task["loss_after"], torch.stack(expected.losses), rtol=1e-2, atol=1e-3
    )
    np.testing.assert_allclose(found.per_task["kl_after"], torch.stack(expected.kls), rtol=3e-2, atol=1e-5)


@both_families
def test_metrics_are_the_methods_columns_and_per_task_numbers_their_terms(family: str):
    update = Update(family)
    found = update.step(max_kl=1e-2)
    assert list(found.metrics) == list(TrustRegionMAML.columns)
    assert set(found.per_task) == set(PER_TASK)
    for name in PER_TASK:
        assert found.per_task[name].shape == (3,)
        assert found.per_task[name].dtype == np.float32
    assert not found.per_task["kl_before"].any()
    for name in ("loss_before", "loss_after"):
        assert found.metrics[name] == pytest.approx(found.per_task[name].mean(), rel=1e-6)
    assert found.metrics["kl"] == pytest.approx(found.per_task["kl_after"].mean(), rel=1e-6)
    gradient = torch.stack([update.reference.gradient(task) for task in update.tasks]).mean(0)
    assert found.metrics["grad_norm"] == pytest.approx(gradient.norm().item(), rel=1e-4)
    assert found.seconds_waiting >= 0
    assert set(TrustRegionMAML.headline) <= set(found.metrics)


def test_the_first_state_is_the_templates_parameters_and_remembers_nothing():
    update = Update()
    state = update.learner().init()
    assert same_bits(state.theta, update.theta)
    assert state.memory == {}
    assert update.step().state.memory == {}


def test_an_update_reads_the_states_theta_alone():
    """Neither the template nor the policy that it was copied from has a say, or is moved."""
    update = Update()
    expected = update.step(max_kl=1e-2).state.theta
    learner = update.learner(max_kl=1e-2)
    for policy in (update.policy, learner.adaptation.policy):
        policy.set_vector(torch.zeros_like(update.theta))
    state = MetaState(update.theta.clone(), {})
    found = learner.update(state, update.rounds)
    assert same_bits(found.state.theta, expected)
    assert not same_bits(found.state.theta, update.theta)
    assert same_bits(state.theta, update.theta)
    assert not update.policy.get_vector().any()


@both_families
def test_rejected_step_leaves_theta_to_the_bit(family: str):
    update = Update(family)
    # So short a step is lost in float32, and a loss that has not fallen is not accepted.
    found = update.step(max_kl=1e-30, ls_max_steps=3)
    assert not found.metrics["accepted"]
    assert found.metrics["backtracks"] == 3
    assert same_bits(found.state.theta, update.theta)
    assert np.array_equal(found.per_task["loss_after"], found.per_task["loss_before"])
    assert not found.per_task["kl_after"].any()
    assert found.metrics["kl"] == 0


def test_tasks_adapt_as_the_settings_say():
    update = Update()
    adaptation = TrustRegionMAML.adapts(update.policy, Config(env_name="-", fast_lr=0.7, first_order=True))
    assert isinstance(adaptation, GradientStep)
    assert (adaptation.length, adaptation.first_order) == (0.7, True)
    assert update.learner().layout.shapes == update.policy.layout.shapes


@both_families
def test_chunking_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch, family: str):
    results = []
    for limit in (1, 10**6):
        monkeypatch.setattr(chunks, "CPU_CHUNK_STEPS", limit)
        results.append(Update(family).step(max_kl=1e-2, cg_damping=0.1))
    found, other = results
    torch.testing.assert_close(found.state.theta, other.state.theta, rtol=1e-3, atol=1e-4)
    for name in PER_TASK:
        np.testing.assert_allclose(found.per_task[name], other.per_task[name], rtol=1e-2, atol=1e-4)


def test_same_update_twice_gives_the_same_bits():
    assert same_bits(Update().step().state.theta, Update().step().state.theta)


@both_families
@pytest.mark.parametrize("inner_steps", [1, 2])
def test_rebuilding_gives_the_same_bits_and_holds_one_chunk_per_thread(
    monkeypatch: pytest.MonkeyPatch, family: str, inner_steps: int
):
    monkeypatch.setattr(chunks, "CPU_CHUNK_STEPS", 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alive: weakref.WeakSet[Unrolled] = weakref.WeakSet()
    most: dict[bool, int] = {False: 0, True: 0}
    build = Unrolled.__init__
    thetas = []
    for rebuild in (False, True):

        def count(self: Unrolled, *args: Any, rebuild: bool = rebuild) -> None:
            build(self, *args)
            alive.add(self)
            most[rebuild] = max(most[rebuild], len(alive))

        monkeypatch.setattr(Unrolled, "__init__", count)
        update = Update(family, inner_steps)
        thetas.append(update.step(rebuild=rebuild).state.theta)
        assert not alive
    torch.set_num_threads(threads)
    assert same_bits(*thetas)
    assert not same_bits(thetas[0], update.theta)
    assert most == {False: len(THREE_TASKS), True: 1}


@pytest.fixture
def three_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("three_threads")
def test_number_of_threads_is_restored():
    update = Update()
    update.step()
    assert torch.get_num_threads() == 3
    with pytest.raises(ValueError, match="no tasks"):
        update.learner().update(update.learner().init(), [[]])
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("limit", [1, 10**6], ids=["a chunk per task", "one chunk"])
@pytest.mark.parametrize("which", ["train", "valid"])
def test_non_finite_advantages_stop_the_update(monkeypatch: pytest.MonkeyPatch, which: str, limit: int):
    monkeypatch.setattr(chunks, "CPU_CHUNK_STEPS", limit)
    update = Update()
    train, valid = update.rounds
    broken = train[1] if which == "train" else valid[1]
    broken.advantages[0, 0] = torch.nan
    state = MetaState(update.theta.clone(), {})
    with pytest.raises(FloatingPointError, match=r"in tasks \[1\]"):
        update.learner().update(state, update.rounds)
    assert same_bits(state.theta, update.theta)
    assert torch.get_num_threads() == 3


def test_all_broken_tasks_are_named():
    update = Update()
    train, valid = update.rounds
    valid[0].advantages[0, 0] = torch.inf
    train[2].observations[0, 0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"in tasks \[0, 2\]"):
        update.step()


def test_non_finite_parameters_stop_the_update():
    update = Update()
    broken = update.theta.clone()
    broken[3] = torch.nan
    with pytest.raises(FloatingPointError, match="parameters are NaN or infinite"):
        update.learner().update(MetaState(broken, {}), update.rounds)


def test_non_finite_curvature_is_named(monkeypatch: pytest.MonkeyPatch):
    def broken(self: TaskChunk, vector: torch.Tensor, fraction: float) -> torch.Tensor:
        products = vector.float().expand(self.size, -1).clone()
        products[-1, 0] = torch.inf
        return products

    monkeypatch.setattr(TaskChunk, "fisher_product", broken)
    update = Update()
    state = MetaState(update.theta.clone(), {})
    with pytest.raises(FloatingPointError, match=r"Fisher-vector products .* in tasks \[2\]"):
        update.learner().update(state, update.rounds)
    assert same_bits(state.theta, update.theta)
