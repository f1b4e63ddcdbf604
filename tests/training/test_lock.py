"""A run's folder is taken before it is looked at, and left as it was where that is refused."""

import errno
import os
from pathlib import Path

import pytest

from maml_rl.errors import UsageError
from maml_rl.training.lock import FolderLock
from tests.cli.helpers import TABULAR, TINY, Command

QUIET = ("--logger", "none")


class RefusalError(Exception):
    """Nothing may stay behind it."""


def test_a_folder_that_was_not_there_is_not_there_after_a_refusal(tmp_path: Path):
    with pytest.raises(RefusalError), FolderLock(tmp_path / "runs" / "one").taking():
        raise RefusalError
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("found", [False, True])
def test_a_lock_file_stays_if_it_was_there(tmp_path: Path, found: bool):
    if found:
        (tmp_path / ".lock").touch()
    with pytest.raises(RefusalError), FolderLock(tmp_path).taking():
        raise RefusalError
    assert (tmp_path / ".lock").exists() == found
    with FolderLock(tmp_path).taking():  # It was given back.
        pass


def test_a_folder_stays_taken_until_it_is_given_back(tmp_path: Path):
    first, second = FolderLock(tmp_path / "run"), FolderLock(tmp_path / "run")
    with first.taking():
        pass
    with pytest.raises(UsageError, match="is in use: another process trains there"), second.taking():
        pass
    assert (tmp_path / "run" / ".lock").exists()
    first.release()
    with second.taking():
        pass
    second.release()


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL])
def test_without_locks_a_run_goes_on_with_one_warning(
    command: Command,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    number: int,
):
    def failing(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", failing)
    command.succeeds("train", "--config", TABULAR, *TINY, *QUIET, "--output-folder", tmp_path / "run")
    (message,) = (record.message for record in caplog.records)
    assert f"the file system of '{tmp_path / 'run'}' has no locks" in message
    command.succeeds("train", "--resume", tmp_path / "run", "--num-batches", 3, "--num-workers", 0, *QUIET)


def test_a_lock_that_may_not_be_written_is_an_error(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def failing(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr("fcntl.flock", failing)
    line = command.fails("train", "--config", TABULAR, *TINY, *QUIET, "--output-folder", tmp_path / "run")
    assert "cannot write" in line
    assert ".lock': Input/output error" in line
