"""Workers that raise, exit or are killed."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import psutil
import pytest
import torch

from maml_rl.errors import WorkerError
from tests.samplers.helpers import (
    assert_gone,
    fragile_registered,
    identical,
    make_sampler,
    pool_of,
    process_id,
    sample,
    workers_of,
)

PATIENCE = 60
"""Seconds to wait for what takes one or two on a quiet machine, and never comes if it hangs."""

places = pytest.mark.parametrize("place", ["constructor", "reset", "step"])


@pytest.fixture(autouse=True)
def fragile() -> Iterator[str]:
    with fragile_registered() as name:
        yield name


def good_env() -> gym.Env:
    """For the main process; the workers' differ in their arguments."""
    return gym.make("Fragile-v0")


@places
@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_worker_that_raises_brings_its_traceback_and_leaves_no_process(
    backend: str, place: str, num_workers: int
):
    sampler = make_sampler(num_workers, "Fragile-v0", {"fail_in": place}, env=good_env(), backend=backend)
    processes = workers_of(sampler)
    train, valid = sampler.sample_async(sampler.sample_tasks(5))
    for future in (*train[0], *valid):
        with pytest.raises(WorkerError) as caught:
            future.result(timeout=PATIENCE)
        message = str(caught.value)
        assert "Traceback (most recent call last)" in message
        assert "_perhaps_fail" in message  # The worker's own lines, not those of the parent.
        assert f"it broke in its {place}" in message
        assert "while it sampled the tasks [{" in message
    assert_gone(processes)
    sampler.close()


@places
def test_a_sampler_whose_worker_raised_stays_failed(backend: str, place: str):
    with make_sampler(1, "Fragile-v0", {"fail_in": place}, env=good_env(), backend=backend) as sampler:
        with pytest.raises(WorkerError):
            sample(sampler)
        with pytest.raises(WorkerError, match=f"it broke in its {place}"):
            sampler.sample_async(sampler.sample_tasks(2))[1][0].result(timeout=PATIENCE)


def test_an_error_in_the_second_item_leaves_the_first_ones_episodes(backend: str, tmp_path: Path):
    """The first item's train episodes came; the failure is that of a later one."""
    with make_sampler(1, "Fragile-v0", {}, env=good_env(), backend=backend) as sampler:
        tasks = sampler.sample_tasks(4)
        assert len(tasks) == 4
        tasks[2] = {"wrong": 1}
        train, valid = sampler.sample_async(tasks)
        assert valid[1].result(timeout=PATIENCE).lengths == [8] * 3
        with pytest.raises(WorkerError, match="KeyError: 'goal'"):
            valid[2].result(timeout=PATIENCE)
        with pytest.raises(WorkerError, match="KeyError: 'goal'"):
            train[0][3].result(timeout=PATIENCE)


def test_in_this_process_errors_raise_as_they_are():
    sampler = make_sampler(0, "Fragile-v0", {"fail_in": "step"}, env=good_env())
    with sampler, pytest.raises(ArithmeticError, match="it broke in its step"):
        sample(sampler)


@places
@pytest.mark.parametrize("how", ["kill", "exit"])
def test_a_worker_that_dies_is_replaced(
    backend: str, place: str, how: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    kwargs = {"fail_in": place, "how": how, "marker": str(tmp_path / "died"), "safe_pid": os.getpid()}
    with make_sampler(1, "Fragile-v0", kwargs, backend=backend) as sampler:
        first = workers_of(sampler)
        disturbed = sample(sampler)
        assert (tmp_path / "died").exists()
        assert workers_of(sampler) != first
        assert_gone(first)
        calm = sampler.sample(sampler.sample_tasks(5), gamma=0.95, gae_lambda=0.9, fast_lr=0.3)
    exit_code = f"exit code {-signal.SIGKILL if how == 'kill' else 7}"
    reason = exit_code if backend == "processes" else "The actor is dead because its worker process has died"
    assert f"died ({reason}" in caplog.text
    with make_sampler(0, "Fragile-v0", kwargs) as sampler:
        assert identical(disturbed, sample(sampler))
        assert identical(calm, sample(sampler))


def test_workers_killed_from_outside_while_they_work_are_replaced(backend: str):
    with make_sampler(2, "Fragile-v0", {"step_seconds": 0.01}, tasks_per_item=1, backend=backend) as sampler:
        tasks = sampler.sample_tasks(6)
        futures = sampler.sample_async(tasks, fast_lr=0.3, num_steps=2)
        futures[0][0][0].result(timeout=PATIENCE)  # They are at it.
        victims = workers_of(sampler)
        for victim in victims:
            victim.kill()
        disturbed = sampler.sample_wait(futures)
        assert_gone(victims)
        assert not {worker.pid for worker in workers_of(sampler)} & {victim.pid for victim in victims}
    with make_sampler(0, "Fragile-v0", tasks_per_item=1) as sampler:
        assert identical(disturbed, sampler.sample(tasks, fast_lr=0.3, num_steps=2))


def test_an_idle_worker_that_was_killed_is_replaced(backend: str):
    with make_sampler(1, backend=backend) as sampler:
        sample(sampler)
        (victim,) = workers_of(sampler)
        victim.kill()
        assert_gone([victim])
        second = sample(sampler)
    with make_sampler(0) as sampler:
        sample(sampler)
        assert identical(second, sample(sampler))


def test_the_death_of_an_idle_worker_is_noticed_within_a_second(
    backend: str, caplog: pytest.LogCaptureFixture
):
    with make_sampler(2, backend=backend) as sampler:
        sample(sampler)
        time.sleep(0.2)  # The item's last message may still be on its way.
        victim = workers_of(sampler)[0]
        victim.kill()
        deadline = time.monotonic() + 1.0
        while "starting another" not in caplog.text and time.monotonic() < deadline + PATIENCE:
            time.sleep(0.01)
        assert time.monotonic() < deadline
        assert "died (while idle)" in caplog.text


def test_a_worker_that_hangs_counts_as_dead(backend: str, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    kwargs = {
        "fail_in": "step",
        "how": "hang",
        "marker": str(tmp_path / "hung"),
        "safe_pid": os.getpid(),
    }
    timeout = 3.0 if backend == "processes" else 20.0  # The start of an actor takes seconds.
    with make_sampler(1, "Fragile-v0", kwargs, worker_timeout=timeout, backend=backend) as sampler:
        first = workers_of(sampler)
        disturbed = sample(sampler)
        assert_gone(first)
    assert f"died (no answer for {timeout:g} s); starting another" in caplog.text
    with make_sampler(0, "Fragile-v0", kwargs) as sampler:
        assert identical(disturbed, sample(sampler))


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("quantity", ["rewards", "observations"])
def test_numbers_that_are_not_finite_name_quantity_and_tasks(backend: str, num_workers: int, quantity: str):
    with make_sampler(num_workers, "Fragile-v0", {"broken": quantity}, backend=backend) as sampler:
        tasks = sampler.sample_tasks(4)
        tasks[2] = {"goal": tasks[2]["goal"], "breaks": True}
        message = rf"{quantity} are NaN or infinite in tasks \[2\] after 0 inner steps"
        with pytest.raises(FloatingPointError, match=message):
            sampler.sample(tasks, fast_lr=0.3)


def test_tasks_that_kill_every_worker_are_blamed(backend: str):
    kwargs = {"fail_in": "step", "how": "kill", "safe_pid": os.getpid()}
    with make_sampler(1, "Fragile-v0", kwargs, backend=backend) as sampler:
        with pytest.raises(
            WorkerError, match=r"3 workers died one after another on the same tasks: \[{'goal'"
        ):
            sample(sampler, num_tasks=1)
        # The pool ends its last worker by itself, before or after this line.
        (thread,) = pool_of(sampler)._threads
        thread.join(PATIENCE)
        assert not thread.is_alive()
        (worker,) = pool_of(sampler)._workers
        deadline = time.monotonic() + PATIENCE
        while psutil.pid_exists(process_id(worker)):
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_a_missing_environment_is_noticed_before_any_worker_starts():
    with pytest.raises(ValueError, match=r"environment 'Fragil-v0': .* doesn't exist"):
        make_sampler(1, "Fragil-v0", {}, env=good_env())


def test_a_worker_that_cannot_be_replaced_ends_the_waiting(monkeypatch: pytest.MonkeyPatch):
    """Else the thread would end alone, and whoever waits for its episodes would wait for ever."""

    def refuse() -> None:
        raise OSError("too many open files")

    with make_sampler(1) as sampler:
        monkeypatch.setattr(pool_of(sampler), "_start_worker", refuse)
        (victim,) = workers_of(sampler)
        victim.kill()
        (thread,) = pool_of(sampler)._threads
        thread.join(PATIENCE)
        assert not thread.is_alive()
        (worker,) = pool_of(sampler)._workers
        deadline = time.monotonic() + PATIENCE
        while psutil.pid_exists(process_id(worker)):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(OSError, match="too many open files"):
            sample(sampler)


def test_parameters_that_are_not_finite_are_named():
    """With NaN logits a categorical policy would quietly take action 0."""
    with make_sampler(0, "TabularMDP-v0") as sampler:
        sampler.policy.set_vector(torch.full_like(sampler.policy.get_vector(), torch.nan))
        with pytest.raises(
            FloatingPointError, match=r"parameters are NaN .* in tasks \[0, 1\] after 0 inner"
        ):
            sample(sampler)


@pytest.mark.parametrize("timeout", [0.0, float("nan")])
def test_a_timeout_that_is_none_is_refused(timeout: float):
    with pytest.raises(ValueError, match="worker_timeout: expected more than 0"):
        make_sampler(1, worker_timeout=timeout)
