"""Work done in Ray actors, on one machine or on many."""

import atexit
import logging
import platform
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
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
    good,
    made_worker,
    prepare_for_work,
)
from maml_rl.samplers.backends.pool import PoolBackend
from maml_rl.samplers.backends.ray_cluster import RayCluster, hear_signals
from maml_rl.samplers.plan import Reply, Sample, Work
from maml_rl.samplers.worker import SamplerWorker
from maml_rl.samplers.worker_process import FAREWELL

NOTHING = np.empty(0, np.float32)
"""Stands for an array in work that travels; the array itself lies in Ray's object store."""
KEPT = 2
"""Arrays that are at hand in the store: theta, and what is asked of it. Others go when nobody needs them."""
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
        self._stored: deque[tuple[NDArray[Any], Any]] = deque(maxlen=KEPT)

    def start(self) -> Any:
        """Start an actor, which waits for a CPU."""
        actor = self._class.remote()
        actor.make.remote(*self._making)
        return actor

    def stored(self, array: NDArray[Any]) -> Any:
        """Return the reference of an array in the store, where what many pieces of work share lies once."""
        with self._lock:
            for known, reference in self._stored:
                if known is array:
                    return reference
            self._stored.append((array, ray.put(array)))
            return self._stored[-1][1]


class RayWorker:
    """Has an actor do its work, one piece at a time."""

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

    def run(self, work: Work) -> Iterator[Sample | Reply]:
        """Yield the answers to ``work`` as they come.

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
            for answer in good(self._answers(work)):
                yield answer.owned()  # What comes from the store is read-only, and fills it.
        except RayTaskError as error:
            raise WorkerError(f"a sampler worker failed; its traceback was:\n\n{error}") from None
        except GetTimeoutError:
            raise WorkerDiedError(f"no answer for {self._actors.timeout:g} s") from None
        except RayError as error:
            raise WorkerDiedError(_reason(error)) from None

    def _answers(self, work: Work) -> Iterator[Answer]:
        arrays = work.arrays
        payload = cloudpickle.dumps(work.with_arrays([NOTHING for _ in arrays]))
        references = self._actor.answer.remote(payload, *map(self._actors.stored, arrays))
        while True:
            if not ray.wait([references], timeout=self._actors.timeout)[0]:
                raise GetTimeoutError
            answer: Answer = ray.get(next(references), timeout=self._actors.timeout)
            self._busy = isinstance(answer, Sample | Reply)
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
    """Does its work in a process that Ray gives it."""

    def greet(self) -> dict[str, str]:
        """Return the versions here of what results depend on."""
        return _versions()

    def make(self, surroundings: Surroundings, payload: bytes) -> None:
        """Make the worker; what goes wrong is the answer to the first item."""
        hear_signals()
        prepare_for_work()
        self._worker = made_worker(surroundings, payload)

    @ray.method(num_returns="streaming")  # type: ignore[untyped-decorator]
    def answer(self, payload: bytes, *arrays: NDArray[Any]) -> Iterator[Answer]:
        """Yield the answers to some work.

        Args:
            payload: the pickled work, without its arrays.
            arrays: those; what comes from the store is read-only.
        """
        own = [array.copy() for array in arrays]
        yield from answers_of(self._worker, lambda: cloudpickle.loads(payload).with_arrays(own))

    def close(self) -> None:
        """Close the environments."""
        if not isinstance(self._worker, str):
            self._worker.close()


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
