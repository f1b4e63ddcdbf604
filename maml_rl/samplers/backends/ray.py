"""Work items done in Ray actors, on one machine or on many."""

import atexit
import logging
import platform
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from importlib.metadata import version
from typing import Any

import cloudpickle
import numpy as np
import ray
from numpy.typing import NDArray
from ray.exceptions import GetTimeoutError, RayError, RayTaskError

import maml_rl
from maml_rl._system.child_process import ONE_THREAD
from maml_rl._system.surroundings import Surroundings
from maml_rl.config import WORKER_TIMEOUT
from maml_rl.errors import UsageError, WorkerError
from maml_rl.samplers.answers import (
    Answer,
    WorkerDiedError,
    answers_of,
    made_worker,
    prepare_for_work,
    samples_of,
)
from maml_rl.samplers.backends.pool import PoolBackend
from maml_rl.samplers.backends.ray_cluster import RayCluster, hear_signals
from maml_rl.samplers.plan import Sample, WorkItem
from maml_rl.samplers.worker import SamplerWorker
from maml_rl.samplers.worker_process import FAREWELL

NO_THETA = np.empty(0, np.float32)
"""Stands for the meta-parameters in an item that travels; they lie in Ray's object store."""
LONGEST_PING = 1.0
"""Seconds for an idle actor to say that it is there; one that is still making its worker may not."""

logger = logging.getLogger(__name__)


class RayBackend(PoolBackend):
    """Does jobs in ``num_workers`` actors of a Ray cluster, one CPU each.

    Args:
        make_worker: called in each actor.
        timeout: seconds without an answer after which an actor counts as dead.

    Raises:
        UsageError: the cluster cannot be reached or started.
    """

    def __init__(
        self,
        make_worker: Callable[[], SamplerWorker],
        num_workers: int,
        timeout: float = WORKER_TIMEOUT,
        cluster: RayCluster | None = None,
    ):
        disconnect = (cluster or RayCluster()).connect(num_workers)
        try:
            _warn_if_short(num_workers)
            actors = Actors(make_worker, timeout)
            super().__init__(lambda _: RayWorker(actors), num_workers, timeout, disconnect)
        except BaseException:
            disconnect()
            raise
        atexit.register(self._finalizer)  # Later than Ray's own, and so called before it.

    def close(self) -> None:
        """End the actors, and the cluster if it was started here."""
        super().close()
        atexit.unregister(self._finalizer)


class Actors:
    """Starts actors, and keeps what they share in Ray's object store.

    Args:
        make_worker: called in each; it may refer to classes that are defined in a script or a notebook.
        timeout: seconds without an answer after which an actor counts as dead.
    """

    def __init__(self, make_worker: Callable[[], SamplerWorker], timeout: float):
        self.timeout = timeout
        self.heard = time.monotonic()
        """When one of them last showed that it is there."""
        self._class = ray.remote(Actor).options(
            num_cpus=1, max_restarts=0, scheduling_strategy="SPREAD", runtime_env={"env_vars": ONE_THREAD}
        )
        self._making = Surroundings.of_this_process(), ray.put(cloudpickle.dumps(make_worker))
        self._lock = threading.Lock()
        self._theta: tuple[NDArray[np.float32], Any] = (NO_THETA, None)

    def start(self) -> Any:
        """Start an actor, which waits for a CPU."""
        actor = self._class.remote()
        actor.make.remote(*self._making)
        return actor

    def stored(self, theta: NDArray[np.float32]) -> Any:
        """Return the reference of an array in the store; the items of an iteration hold the same one."""
        with self._lock:
            if self._theta[0] is not theta:
                self._theta = theta, ray.put(theta)
            return self._theta[1]


class RayWorker:
    """Does work items with an actor, one at a time."""

    def __init__(self, actors: Actors):
        self._actors, self._actor = actors, actors.start()
        self._greeting = self._actor.greet.remote()
        self._started = time.monotonic()
        self._up = self._busy = self._stopped = False
        self._ending = threading.Lock()
        self._farewell: Any = None

    def ready(self, seconds: float) -> bool:
        """Return whether the actor has found a CPU; wait for that, but no longer than ``seconds``.

        Raises:
            UsageError: no actor has found one for too long, or its node has other versions.
            WorkerError: its process could not be made what it shall be.
        """
        if not self._up:
            try:
                _check_versions(ray.get(self._greeting, timeout=seconds))
            except GetTimeoutError:
                waited = time.monotonic() - max(self._actors.heard, self._started)
                if waited > self._actors.timeout:
                    raise UsageError(
                        f"no worker could start on the Ray cluster in {waited:.0f} s: see the free CPUs in "
                        "'ray status', or raise --worker-timeout"
                    ) from None
                return False
            except RayTaskError as error:
                raise WorkerError(f"a sampler worker could not start:\n\n{error}") from None
            except RayError:  # It died; `alive` says so.
                return False
            self._up = True
        self._actors.heard = time.monotonic()
        return True

    def run(self, item: WorkItem) -> Iterator[Sample]:
        """Yield the samples of ``item`` as they come.

        Raises:
            WorkerError: the worker raised; the message holds its traceback.
            WorkerDiedError: the actor or its node died, or has not answered for too long.
            FloatingPointError: an episode's numbers are NaN or infinite.
            MemoryError: the worker could not have the memory that it asked for.
            UsageError: the environment is not as it should be.
        """
        with self._ending:
            if self._stopped:
                raise WorkerDiedError("stopped")
            self._busy = True
        try:
            yield from map(_owned, samples_of(self._answers(item)))
        except RayTaskError as error:
            raise WorkerError(f"a sampler worker failed; its traceback was:\n\n{error}") from None
        except GetTimeoutError:
            raise WorkerDiedError(f"no answer for {self._actors.timeout:g} s") from None
        except RayError as error:
            raise WorkerDiedError(_reason(error)) from None

    def _answers(self, item: WorkItem) -> Iterator[Answer]:
        payload = cloudpickle.dumps(replace(item, theta=NO_THETA))
        references = self._actor.answer.remote(payload, self._actors.stored(item.theta))
        while True:
            if not ray.wait([references], timeout=self._actors.timeout)[0]:
                raise GetTimeoutError
            answer: Answer = ray.get(next(references), timeout=self._actors.timeout)
            self._busy = isinstance(answer, Sample)
            self._actors.heard = time.monotonic()
            yield answer

    @property
    def alive(self) -> bool:
        """Whether the actor is there, as far as is known; it may still wait for a CPU."""
        try:
            ray.get(self._actor.greet.remote() if self._up else self._greeting, timeout=LONGEST_PING)
        except GetTimeoutError:
            return True
        except RayError:
            return False
        return True

    def stop(self) -> None:
        """Have the actor end: at once, or if it is idle when its environments are closed."""
        with self._ending:
            if self._stopped:
                return
            self._stopped, self._deadline = True, time.monotonic() + FAREWELL
            if self._up and not self._busy:
                self._farewell = self._actor.close.remote()
            else:
                self._kill()

    def close(self) -> None:
        """End the actor, whatever it is doing. An idle one may tidy up first."""
        self.stop()
        if self._farewell is not None:
            ray.wait([self._farewell], timeout=max(self._deadline - time.monotonic(), 0.0))
            self._kill()

    def _kill(self) -> None:
        with suppress(RayError):  # It has ended already.
            ray.kill(self._actor)


class Actor:
    """Answers work items in a process that Ray gives it."""

    def greet(self) -> dict[str, str]:
        """Return the versions here of what results depend on."""
        return _versions()

    def make(self, surroundings: Surroundings, payload: bytes) -> None:
        """Make the worker; what goes wrong is the answer to the first item."""
        hear_signals()
        prepare_for_work()
        self._worker = made_worker(surroundings, payload)

    @ray.method(num_returns="streaming")  # type: ignore[untyped-decorator]
    def answer(self, payload: bytes, theta: NDArray[np.float32]) -> Iterator[Answer]:
        """Yield the answers to an item.

        Args:
            payload: the pickled item.
            theta: its meta-parameters; what comes from the store is read-only.
        """
        yield from answers_of(self._worker, lambda: replace(cloudpickle.loads(payload), theta=theta.copy()))

    def close(self) -> None:
        """Close the environments."""
        if not isinstance(self._worker, str):
            self._worker.close()


def _owned(sample: Sample) -> Sample:
    """Return the sample in memory of its own; what comes from the store is read-only, and fills it."""
    return sample._replace(
        arrays={name: array.copy() for name, array in sample.arrays.items()},
        extras={name: array.copy() for name, array in sample.extras.items()},
        advantages=sample.advantages.copy(),
    )


def _versions() -> dict[str, str]:
    packages = {name: version(name) for name in ("torch", "numpy", "gymnasium", "mujoco")}
    return {"maml_rl": maml_rl.__version__, "Python": platform.python_version(), **packages}


def _check_versions(there: dict[str, str]) -> None:
    """Check that a node has what this machine has; other versions may round differently.

    Raises:
        UsageError: it has not.
    """
    here = _versions()
    if other := [f"{name} {there[name]}, not {here[name]}" for name in here if there[name] != here[name]]:
        raise UsageError(f"a node of the Ray cluster has {'; '.join(other)}: install the same on all")


def _warn_if_short(num_workers: int) -> None:
    free = int(ray.available_resources().get("CPU", 0))
    if free < num_workers:
        logger.warning(
            "the Ray cluster has %d free CPUs, one for each worker: %d of %d workers wait",
            *(free, num_workers - free, num_workers),
        )


def _reason(error: RayError) -> str:
    """Return the last line of what Ray says, without its advice."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[-1].partition(" Some common causes")[0]
