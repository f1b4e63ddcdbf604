"""The lock of a run's folder."""

import errno
import logging
import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

from maml_rl._system.files import NOT_SUPPORTED, writing
from maml_rl.errors import UsageError

LOCK = ".lock"
NO_LOCKS = {*NOT_SUPPORTED, errno.ENOLCK}
"""Errors of file systems without locks."""

logger = logging.getLogger(__name__)


class FolderLock:
    """Keeps other processes from training in a folder, until `release` or the process's end.

    Args:
        folder: made when it is taken.
    """

    def __init__(self, folder: Path):
        self._folder = folder
        self._lock = FileLock(folder / LOCK, blocking=False, fallback_to_soft=False)

    @contextmanager
    def taking(self) -> Iterator[None]:
        """Take the folder, then have the block look at it; if that raises, leave the folder as it was.

        Raises:
            UsageError: the folder cannot be made or written to, or another process has it.
        """
        file = self._folder / LOCK
        found = file.exists()
        missing = [path for path in (self._folder, *self._folder.parents) if not path.exists()]
        with ExitStack() as undo:
            with writing(self._folder):
                self._folder.mkdir(parents=True, exist_ok=True)
            for path in reversed(missing):
                undo.callback(_try, path.rmdir)
            self._acquire()
            undo.callback(self.release)
            if not found:
                undo.callback(_try, file.unlink)  # While it is held, so that it is nobody else's.
            yield
            undo.pop_all()

    def release(self) -> None:
        """Let others have the folder."""
        self._lock.release()

    def _acquire(self) -> None:
        if not os.access(self._folder, os.W_OK):
            raise UsageError(f"cannot write to the folder '{self._folder}'")
        with writing(self._folder / LOCK):
            try:
                self._lock.acquire()
            except Timeout:
                raise UsageError(f"'{self._folder}' is in use: another process trains there") from None
            except OSError as error:
                if error.errno not in NO_LOCKS:
                    raise
                logger.warning("the file system of '%s' has no locks: start no other run there", self._folder)


def _try(act: Callable[[], object]) -> None:
    with suppress(OSError):
        act()
