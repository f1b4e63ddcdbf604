"""The contract of what does the work."""

from typing import Protocol, runtime_checkable

from maml_rl.samplers.jobs import Job


@runtime_checkable
class Backend(Protocol):
    """Does jobs, in any order and anywhere, and resolves their futures."""

    @property
    def restarts(self) -> int:
        """Number of workers that have been replaced so far."""
        ...

    def submit(self, job: Job) -> None:
        """Have the job done, now or later; after `close` it fails at once."""
        ...

    def close(self) -> None:
        """Free whatever does the jobs; those that are not done fail."""
        ...
