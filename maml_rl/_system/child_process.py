"""A worker's process as its user sees it, however it was started."""

from typing import Any, Protocol, runtime_checkable

TARGET = "maml_rl.samplers.worker_process:serve"
"""The function that every worker runs with its end of the pipe. Importing it takes seconds."""

_LIBRARIES = ("OMP", "OPENBLAS", "MKL", "BLIS", "NUMEXPR")
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in _LIBRARIES} | {"VECLIB_MAXIMUM_THREADS": "1"}
"""Environment variables that BLAS and OpenMP read when they are loaded; workers share the processors."""


@runtime_checkable
class ChildProcess(Protocol):
    """A process at the other end of a pipe."""

    @property
    def connection(self) -> Any:
        """The near end of the pipe, a connection of multiprocessing's."""
        ...

    @property
    def pid(self) -> int | None:
        """Its number."""
        ...

    @property
    def exitcode(self) -> int | None:
        """Its exit code, negative for a signal; None while it is not known."""
        ...

    def receive(self) -> Any:
        """Return the next message.

        Raises:
            BlockingIOError: none has come within the limit.
            EOFError, OSError: the process has ended.
        """
        ...

    def hang_up(self) -> None:
        """Have the process find its pipe closed. Another thread may be waiting for a message meanwhile."""
        ...

    def kill(self) -> None:
        """End the process at once, and where there are process groups, those that it started too."""
        ...

    def join(self, timeout: int | float | None = None) -> None:
        """Wait for the exit code."""
        ...

    def close(self) -> None:
        """Free the pipe."""
        ...
