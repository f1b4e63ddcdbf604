"""What a worker somewhere else answers to its work, and what its caller makes of that."""

import traceback
from collections.abc import Callable, Iterable, Iterator
from typing import TypeAlias

import cloudpickle
import torch

from maml_rl._system.memory import keep_freed_memory
from maml_rl._system.surroundings import Surroundings
from maml_rl.errors import UsageError, WorkerError, out_of_memory
from maml_rl.samplers.plan import Reply, Sample, Work
from maml_rl.samplers.worker import SamplerWorker

Explained: TypeAlias = FloatingPointError | MemoryError | UsageError
"""Numbers that are not finite, short memory, a mistake of the user's: their message says all."""
Answer: TypeAlias = Sample | Reply | Explained | str | None
"""A sample of an item, the reply to a question, the end of either,
or what went wrong: as it is, or the traceback of another exception."""


class WorkerDiedError(Exception):
    """The worker ended without an answer (killed, or crashed outside Python), or hangs."""


def prepare_for_work() -> None:
    """Have this process, which a worker has for itself, use one thread and keep the memory that it frees."""
    torch.set_num_threads(1)
    keep_freed_memory()


def made_worker(surroundings: Surroundings, payload: bytes) -> SamplerWorker | str:
    """Make this process's worker; return the traceback if that fails.

    Args:
        surroundings: of the caller.
        payload: the pickled function that makes it.
    """
    surroundings.enter()
    try:
        worker: SamplerWorker = cloudpickle.loads(payload)()
        return worker
    except (Exception, SystemExit):  # Whatever a user's environment raises is for the caller to see.
        return traceback.format_exc()


def answers_of(worker: SamplerWorker | str, load: Callable[[], Work]) -> Iterator[Answer]:
    """Yield the answers to some work and None, or what went wrong: in making the worker if that failed.

    Args:
        load: returns the work; it may fail, for tasks may hold what is defined in the caller's script.
    """
    if isinstance(worker, str):
        yield worker
        return
    try:
        yield from worker.do(load())
        yield None
    except FloatingPointError as error:
        yield FloatingPointError(str(error))
    except UsageError as error:  # One that an exception of the environment's caused comes with its traceback.
        yield error if error.__cause__ is None else traceback.format_exc()
    except Exception as error:  # As above; the worker goes on, for the caller decides what follows.
        yield MemoryError(str(error)) if out_of_memory(error) else traceback.format_exc()


def good(answers: Iterable[Answer]) -> Iterator[Sample | Reply]:
    """Yield the good ones among the answers to some work.

    Raises:
        WorkerError: the worker raised; the message holds its traceback.
        FloatingPointError: an episode's numbers are NaN or infinite.
        MemoryError: the worker could not have the memory that it asked for.
        UsageError: the environment is not as it should be.
    """
    for answer in answers:
        if answer is None:
            return
        if isinstance(answer, Explained):
            raise answer
        if isinstance(answer, str):
            raise WorkerError(f"a sampler worker failed; its traceback was:\n\n{answer.rstrip()}")
        yield answer
