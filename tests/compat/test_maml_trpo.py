import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
import torch

from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import Config
from maml_rl.episode import BatchEpisodes
from maml_rl.metalearners import MAMLTRPO, MetaState, StepResult
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.policies import Policy
from maml_rl.samplers.futures import EpisodesFuture
from tests.builders import (
    FAST_LRS,
    THREE_TASKS,
    Batches,
    both_families,
    first_or_second_order,
    make_policy,
    random_tasks,
    same_bits,
    to_batches,
)
from tests.oracles.maml import Network, Reference

PER_TASK = ("loss_before", "kl_before", "loss_after", "kl_after")


class Update:
    """A policy, tasks, and one update of the policy on them."""

    def __init__(self, family: str = "normal", inner_steps: int = 1, first_order: bool = False):
        self.policy = make_policy(family)
        self.theta = self.policy.get_vector()
        self.tasks = random_tasks(self.policy, inner_steps, lengths=THREE_TASKS)
        self.learner = MAMLTRPO(self.policy, FAST_LRS[family], first_order)
        self.reference = Reference(
            Network.like(self.policy), self.theta.double(), FAST_LRS[family], first_order
        )

    def batches(self) -> Batches:
        return to_batches(self.tasks)

    def step(self, **options: Any) -> StepResult:
        return self.learner.step(*self.batches(), **options)


def resolved(future: Any, episodes: BatchEpisodes) -> Any:
    future.set_result(episodes)
    return future


def theta_after(policy: Policy) -> torch.Tensor:
    return policy.get_vector().double()


@pytest.fixture
def event_loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@both_families
@first_or_second_order
@pytest.mark.parametrize("inner_steps", [1, 2])
def test_step_equals_a_plain_reference(family: str, first_order: bool, inner_steps: int):
    """With damping, conjugate gradient solves the system well enough even in float32."""
    update = Update(family, inner_steps, first_order)
    logs = update.step(max_kl=1e-2, cg_iters=40, cg_damping=0.1, ls_max_steps=10, ls_backtrack_ratio=0.5)
    expected = update.reference.trpo_step(update.tasks, max_kl=1e-2, damping=0.1, tries=10, ratio=0.5)
    assert expected.accepted
    assert logs["accepted"]
    assert logs["backtracks"] == expected.backtracks
    step, expected_step = (
        theta - update.theta.double() for theta in (theta_after(update.policy), expected.theta)
    )
    assert (step - expected_step).norm() < 1e-2 * expected_step.norm()
    np.testing.assert_allclose(logs["loss_after"], torch.stack(expected.losses), rtol=1e-2, atol=1e-3)
    np.testing.assert_allclose(logs["kl_after"], torch.stack(expected.kls), rtol=3e-2, atol=1e-5)


@both_families
def test_accepted_step_lowers_the_loss_within_the_bound(family: str):
    update = Update(family)
    logs = update.step(max_kl=1e-2)
    assert logs["accepted"]
    new_theta = theta_after(update.policy)
    old_losses, losses, kls = (
        torch.stack([measure(theta, task).detach() for task in update.tasks])
        for measure, theta in [
            (update.reference.loss, update.theta.double()),
            (update.reference.loss, new_theta),
            (update.reference.kl, new_theta),
        ]
    )
    assert losses.mean() < old_losses.mean()
    assert kls.mean() < 1e-2
    np.testing.assert_allclose(logs["loss_before"], old_losses, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(logs["loss_after"], losses, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(logs["kl_after"], kls, rtol=1e-2, atol=1e-6)
    assert logs["kl"] == pytest.approx(kls.mean().item(), rel=1e-2)
    assert logs["improvement"] == pytest.approx((old_losses - losses).mean().item(), rel=1e-2)


def test_logs_hold_one_number_per_task():
    update = Update()
    logs = update.step()
    assert set(logs) == set(StepResult.__annotations__)
    for name in PER_TASK:
        assert isinstance(logs[name], np.ndarray)
        assert logs[name].shape == (3,)
    assert not logs["kl_before"].any()
    gradient = torch.stack([update.reference.gradient(task) for task in update.tasks]).mean(0)
    assert logs["grad_norm"] == pytest.approx(gradient.norm().item(), rel=1e-4)


@both_families
def test_rejected_step_leaves_the_policy_to_the_bit(family: str):
    update = Update(family)
    # So short a step is lost in float32, and a loss that has not fallen is not accepted.
    logs = update.step(max_kl=1e-30, ls_max_steps=3)
    assert not logs["accepted"]
    assert logs["backtracks"] == 3
    assert same_bits(update.policy.get_vector(), update.theta)
    assert np.array_equal(logs["loss_after"], logs["loss_before"])
    assert not logs["kl_after"].any()
    assert logs["kl"] == logs["improvement"] == 0


def test_step_beyond_all_bounds_is_rejected():
    update = Update()
    logs = update.step(max_kl=1e12, ls_max_steps=2)
    assert not logs["accepted"]
    assert same_bits(update.policy.get_vector(), update.theta)


def wrapped_plain(episodes: BatchEpisodes) -> BatchEpisodes:
    return episodes


def wrapped_thread_future(episodes: BatchEpisodes) -> Any:
    return resolved(Future(), episodes)


def wrapped_own_future(episodes: BatchEpisodes) -> Any:
    return resolved(EpisodesFuture(), episodes)


def after_one_step(wrap: Callable[[BatchEpisodes], Any]) -> torch.Tensor:
    update = Update()
    train, valid = update.batches()
    update.learner.step([[wrap(b) for b in step] for step in train], [wrap(b) for b in valid])
    return update.policy.get_vector()


@pytest.mark.parametrize("wrap", [wrapped_thread_future, wrapped_own_future])
def test_futures_of_threads(wrap: Callable[[BatchEpisodes], Any]):
    assert same_bits(after_one_step(wrap), after_one_step(wrapped_plain))


def test_resolved_futures_of_asyncio(event_loop: asyncio.AbstractEventLoop):
    theta = after_one_step(lambda episodes: resolved(event_loop.create_future(), episodes))
    assert same_bits(theta, after_one_step(wrapped_plain))


def test_failed_futures_pass_their_error_on():
    update = Update()
    train, valid = update.batches()
    failed: Future[BatchEpisodes] = Future()
    failed.set_exception(RuntimeError("the worker fell over"))
    with pytest.raises(RuntimeError, match="the worker fell over"):
        update.learner.step(train, [valid[0], failed, valid[2]])
    assert same_bits(update.policy.get_vector(), update.theta)


@both_families
@first_or_second_order
@pytest.mark.parametrize("rebuild", [False, True])
def test_a_step_is_an_update_of_the_method_to_the_bit(family: str, first_order: bool, rebuild: bool):
    update = Update(family, 2, first_order)
    template = make_policy(family)
    options = {
        "max_kl": 5e-3,
        "cg_iters": 7,
        "cg_damping": 0.03,
        "ls_max_steps": 12,
        "ls_backtrack_ratio": 0.7,
    }
    settings = Config(env_name="-", fast_lr=FAST_LRS[family], first_order=first_order, **options)
    train, valid = update.batches()
    expected = TrustRegionMAML(template, settings).update(MetaState(update.theta, {}), [*train, valid])
    update.learner.rebuild = rebuild
    logs = update.step(**options)
    assert same_bits(update.policy.get_vector(), expected.state.theta)
    assert not same_bits(update.policy.get_vector(), update.theta)
    for name in PER_TASK:
        assert np.array_equal(logs[name], expected.per_task[name])
    for name in ("accepted", "kl", "backtracks", "cg_residual", "grad_norm", "inner_grad_norm", "entropy"):
        assert logs[name] == expected.metrics[name]


def test_steps_continue_from_where_the_policy_is():
    """It is the caller's own, which may change it between steps."""
    update, other = Update(), Update()
    update.step(max_kl=1e-2)
    moved = update.policy.get_vector()
    update.step(max_kl=1e-2)
    other.policy.set_vector(moved)
    other.step(max_kl=1e-2)
    assert not same_bits(update.policy.get_vector(), moved)
    assert same_bits(update.policy.get_vector(), other.policy.get_vector())


@pytest.mark.parametrize("which", ["train", "valid"])
def test_non_finite_advantages_leave_the_policy_as_it_was(which: str):
    update = Update()
    train, valid = update.batches()
    broken = train[0][1] if which == "train" else valid[1]
    broken.advantages[0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"in tasks \[1\]"):
        update.learner.step(train, valid)
    assert same_bits(update.policy.get_vector(), update.theta)


def test_no_tasks_are_refused():
    update = Update()
    with pytest.raises(ValueError, match="no tasks"):
        update.learner.step([], [])


def test_non_finite_parameters_stop_the_update():
    update = Update()
    broken = update.theta.clone()
    broken[3] = torch.nan
    update.policy.set_vector(broken)
    with pytest.raises(FloatingPointError, match="parameters are NaN or infinite"):
        update.learner.step(*update.batches())


def test_non_finite_rewards_stop_before_the_update():
    update = Update()
    episodes = update.batches()[1][0]
    episodes.rewards[0, 0] = torch.inf
    with pytest.raises(FloatingPointError, match="rewards are NaN or infinite"):
        LinearFeatureBaseline(2).fit(episodes)


@pytest.mark.parametrize("inner_step", [0, 1])
def test_mismatching_numbers_of_tasks_are_refused(inner_step: int):
    update = Update(inner_steps=2)
    train, valid = update.batches()
    train[inner_step].pop()
    with pytest.raises(ValueError, match=f"step {inner_step} are of 2 tasks, valid ones of 3"):
        update.learner.step(train, valid)
    assert same_bits(update.policy.get_vector(), update.theta)
