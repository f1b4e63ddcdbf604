import asyncio
import weakref
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import Any

import numpy as np
import pytest
import torch

from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.episode import BatchEpisodes
from maml_rl.metalearners import MAMLTRPO, StepResult, base
from maml_rl.metalearners.task_chunk import TaskChunk
from maml_rl.policies import Policy
from maml_rl.samplers.futures import EpisodesFuture
from tests.builders import (
    FAST_LRS,
    batch,
    both_families,
    first_or_second_order,
    make_policy,
    random_tasks,
    same_bits,
)
from tests.oracles.maml import Network, Reference, Task

THREE_TASKS = ((4, 2, 1), (3, 5), (6,))
PER_TASK = ("loss_before", "kl_before", "loss_after", "kl_after")
Batches = tuple[list[list[BatchEpisodes]], list[BatchEpisodes]]


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


def to_batches(tasks: Sequence[Task]) -> Batches:
    """``[inner step][task]`` and ``[task]``."""
    train = [[batch(episodes) for episodes in step] for step in zip(*(t.train for t in tasks), strict=True)]
    return train, [batch(task.valid) for task in tasks]


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


@pytest.mark.parametrize("limit", [1, 12, 10**6])
def test_chunks_cover_the_tasks_in_order(monkeypatch: pytest.MonkeyPatch, limit: int):
    monkeypatch.setattr(base, "CPU_CHUNK_STEPS", limit)
    update = Update(inner_steps=2)
    chunks = list(update.learner.chunks(*update.batches()))
    sizes = [valid.weights.shape[0] for _, valid in chunks]
    assert sizes == {1: [1, 1, 1], 12: [1, 1, 1], 10**6: [3]}[limit]
    advantages = torch.cat([valid.advantages[:, 0] for _, valid in chunks])
    assert advantages.tolist() == pytest.approx([t.valid[0].advantages[0].item() for t in update.tasks])
    for train, valid in chunks:
        assert len(train) == 2
        assert [stack.weights.shape[0] for stack in train] == [valid.weights.shape[0]] * 2


@both_families
def test_chunking_does_not_change_the_result(monkeypatch: pytest.MonkeyPatch, family: str):
    results = []
    for limit in (1, 10**6):
        monkeypatch.setattr(base, "CPU_CHUNK_STEPS", limit)
        update = Update(family)
        logs = update.step(max_kl=1e-2, cg_damping=0.1)
        results.append((update.policy.get_vector(), logs))
    (theta, logs), (other_theta, other_logs) = results
    torch.testing.assert_close(theta, other_theta, rtol=1e-3, atol=1e-4)
    for name in PER_TASK:
        np.testing.assert_allclose(logs[name], other_logs[name], rtol=1e-2, atol=1e-4)


def test_same_update_twice_gives_the_same_bits():
    first, second = Update(), Update()
    first.step()
    second.step()
    assert same_bits(first.policy.get_vector(), second.policy.get_vector())


@both_families
@pytest.mark.parametrize("inner_steps", [1, 2])
def test_rebuilding_gives_the_same_bits_and_holds_one_chunk_per_thread(
    monkeypatch: pytest.MonkeyPatch, family: str, inner_steps: int
):
    monkeypatch.setattr(base, "CPU_CHUNK_STEPS", 1)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    alive: weakref.WeakSet[TaskChunk] = weakref.WeakSet()
    most: dict[bool, int] = {False: 0, True: 0}
    build = TaskChunk.__init__
    thetas = []
    for rebuild in (False, True):

        def count(self: TaskChunk, *args: Any, rebuild: bool = rebuild) -> None:
            build(self, *args)
            alive.add(self)
            most[rebuild] = max(most[rebuild], len(alive))

        monkeypatch.setattr(TaskChunk, "__init__", count)
        update = Update(family, inner_steps)
        update.learner.rebuild = rebuild
        update.step()
        thetas.append(update.policy.get_vector())
        assert not alive
    torch.set_num_threads(threads)
    assert same_bits(*thetas)
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
        update.learner.step([], [])
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
@pytest.mark.parametrize("limit", [1, 10**6], ids=["a chunk per task", "one chunk"])
@pytest.mark.parametrize("which", ["train", "valid"])
def test_non_finite_advantages_stop_the_update(monkeypatch: pytest.MonkeyPatch, which: str, limit: int):
    monkeypatch.setattr(base, "CPU_CHUNK_STEPS", limit)
    update = Update()
    train, valid = update.batches()
    broken = train[0][1] if which == "train" else valid[1]
    broken.advantages[0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"in tasks \[1\]"):
        update.learner.step(train, valid)
    assert same_bits(update.policy.get_vector(), update.theta)
    assert torch.get_num_threads() == 3


def test_all_broken_tasks_are_named():
    update = Update()
    train, valid = update.batches()
    valid[0].advantages[0, 0] = torch.inf
    train[0][2].observations[0, 0, 0] = torch.nan
    with pytest.raises(FloatingPointError, match=r"in tasks \[0, 2\]"):
        update.learner.step(train, valid)


def test_non_finite_parameters_stop_the_update():
    update = Update()
    broken = update.theta.clone()
    broken[3] = torch.nan
    update.policy.set_vector(broken)
    with pytest.raises(FloatingPointError, match="parameters are NaN or infinite"):
        update.learner.step(*update.batches())


def test_non_finite_curvature_is_named(monkeypatch: pytest.MonkeyPatch):
    def broken(self: TaskChunk, vector: torch.Tensor) -> torch.Tensor:
        products = vector.float().expand(self.size, -1).clone()
        products[-1, 0] = torch.inf
        return products

    monkeypatch.setattr(TaskChunk, "fisher_product", broken)
    update = Update()
    with pytest.raises(FloatingPointError, match=r"Fisher-vector products .* in tasks \[2\]"):
        update.learner.step(*update.batches())
    assert same_bits(update.policy.get_vector(), update.theta)


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
