"""What the Ray backend does besides the promises of all: theta once an iteration, nodes that come and go."""

import logging
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from maml_rl.errors import UsageError
from tests.samplers.helpers import flat, identical, make_sampler, sample, workers_of
from tests.waiting import wait_until

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]


def test_theta_goes_to_the_store_once_an_iteration(monkeypatch: pytest.MonkeyPatch, ray_here: None):
    with make_sampler(2, backend="ray", tasks_per_item=1) as sampler:
        stored = []
        put = ray.put

        def noted(value: object) -> object:
            stored.append(value)
            return put(value)

        monkeypatch.setattr(ray, "put", noted)
        tasks = sampler.sample_tasks(6)
        for _ in range(3):
            sampler.sample(tasks)
    theta = sampler.policy.get_vector()
    assert len(stored) == 3
    for value in stored:
        assert torch.equal(torch.from_numpy(value), theta.detach())


def test_episodes_may_be_written_to(ray_here: None):
    """What lies in Ray's store may not: a write there ends the process."""
    with make_sampler(1, backend="ray", batch_size=2000) as sampler:  # Large enough for the store.
        episodes = flat(sample(sampler, num_tasks=2))
    for batch in episodes:
        batch.observations.zero_()
        batch.advantages.zero_()
        assert not batch.observations.any()


def test_workers_beyond_the_cpus_wait_and_that_is_said(ray_here: None, caplog: pytest.LogCaptureFixture):
    wait_until(lambda: ray.available_resources().get("CPU") == 4, "earlier actors to go")
    with caplog.at_level(logging.WARNING), make_sampler(6, backend="ray") as sampler:
        samples = sample(sampler)
    assert "free CPUs, one for each worker: 2 of 6 workers wait" in caplog.text
    with make_sampler() as sampler:
        assert identical(samples, sample(sampler))


def test_a_cluster_without_a_free_cpu_is_one_line(ray_here: None):
    with make_sampler(4, backend="ray") as first:
        sample(first)
        workers_of(first)  # All of them have their CPUs.
        with (
            make_sampler(1, backend="ray", worker_timeout=3.0) as second,
            pytest.raises(
                UsageError, match=r"no worker could start on the Ray cluster in \d+ s: see the free"
            ),
        ):
            sample(second)


def test_environments_can_end_by_signals_what_they_start(ray_here: None):
    """The cluster's own processes hear none, and an actor would inherit that, and so would its children."""
    with make_sampler(1, backend="ray") as sampler:
        sample(sampler)
        (worker,) = workers_of(sampler)
        status = Path(f"/proc/{worker.pid}/status").read_text()
    (blocked,) = (line.split()[1] for line in status.splitlines() if line.startswith("SigBlk"))
    assert not int(blocked, 16) & 1 << (signal.SIGTERM - 1)


def test_nothing_is_reported_to_those_who_make_ray(ray_here: None):
    from ray._common.usage.usage_lib import usage_stats_enabled

    assert not usage_stats_enabled()


def test_other_versions_on_a_node_are_named():
    from maml_rl.samplers.backends.ray import _check_versions, _versions

    _check_versions(_versions())
    with pytest.raises(
        UsageError, match=r"a node of the Ray cluster has torch 1\.0, not .*: install the same"
    ):
        _check_versions(_versions() | {"torch": "1.0"})


def test_an_actor_is_killed_a_node_goes_and_another_comes():
    command = [sys.executable, "-m", "tests.samplers.two_nodes"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=280)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["same"]), done.stderr
