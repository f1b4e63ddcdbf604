"""Reading and writing whole files: a reader never sees a half-written one."""

import errno
import hashlib
import io
import logging
import os
import re
import secrets
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import BinaryIO

import torch

from maml_rl._system.reading import read_regular
from maml_rl.errors import UsageError

logger = logging.getLogger(__name__)

NOT_SUPPORTED = {errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""Errors of file systems that cannot do what was asked for, such as SMB, NFS and FUSE."""
NOT_FOR_FOLDERS = {*NOT_SUPPORTED, errno.EACCES, errno.EPERM, errno.EBADF, errno.EISDIR}
"""Errors of opening or syncing a folder where that is for files alone, as on Windows."""

Tensors = dict[str, torch.Tensor]
"""Tensors by name, as a file holds them."""


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Say of whatever keeps the block from writing ``path`` (permissions, a full disk) what it is.

    Raises:
        UsageError: in place of `OSError`.
    """
    try:
        yield
    except OSError as error:
        raise UsageError(f"cannot write '{path}': {error.strerror or error}") from None


def write_atomically(path: Path, write: Callable[[BinaryIO], object]) -> None:
    """Write ``path`` by way of a temporary file beside it, which then takes its place.

    Raises:
        UsageError: the folder cannot be written to, or the disk is full.
    """
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.parent / f".{path.name}-{secrets.token_hex(4)}"
        try:
            with temporary.open("xb") as file:
                write(file)
                file.flush()
                sync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)  # It may have taken its place already.
            raise
        _sync_folder(path.parent)


def clear_leftovers(folder: Path, names: str) -> None:
    """Remove the temporary files that killed processes left of files in ``folder``.

    Args:
        names: a regular expression for the names of the files that were to be written.

    Raises:
        UsageError: one cannot be removed.
    """
    temporary = re.compile(rf"\.({names})-[a-z0-9_]{{8}}")
    with writing(folder):
        for path in folder.iterdir() if folder.is_dir() else ():
            if temporary.fullmatch(path.name) and path.is_file():
                path.unlink(missing_ok=True)


def sync(descriptor: int) -> None:
    """Have an open file survive a power cut, where the file system can do that; elsewhere warn once.

    Raises:
        OSError: the disk is full or broken.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in NOT_SUPPORTED:
            raise
        _warn_of_power_cuts()


def _sync_folder(path: Path) -> None:
    """Have the folder's new entry survive a power cut, as `sync` has a file."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        if error.errno not in NOT_FOR_FOLDERS:
            raise
        _warn_of_power_cuts()


@cache
def _warn_of_power_cuts() -> None:
    logger.warning("the file system here cannot sync files and folders: a power cut may lose the newest ones")


def save_tensors(tensors: Tensors, path: Path) -> str:
    """Write tensors by name; return the SHA-256 of the file.

    Raises:
        UsageError: the folder cannot be written to, or the disk is full.
    """
    buffer = io.BytesIO()
    torch.save(tensors, buffer)
    content = buffer.getvalue()
    write_atomically(path, lambda file: file.write(content))
    return hashlib.sha256(content).hexdigest()


def load_tensors(path: Path) -> Tensors:
    """Read a state dict, of this code or of the 2020 code. Nothing in the file is run.

    Raises:
        UsageError: the file is missing, is not a state dict, or is damaged.
    """
    try:
        content = read_regular(path)
    except OSError as error:
        raise UsageError(f"cannot read the policy '{path}': {error.strerror}") from None
    try:
        state = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    except Exception:  # Of a file that is something else, torch raises all sorts.
        raise UsageError(
            f"'{path}' is not a policy: expected a state dict of tensors, as torch.save writes it"
        ) from None
    if not isinstance(state, dict) or not all(isinstance(x, torch.Tensor) for x in state.values()):
        raise UsageError(f"'{path}' is not a policy: expected a state dict of tensors")
    _check_sums(path, content)
    return {str(name): tensor for name, tensor in state.items()}


def _check_sums(path: Path, content: bytes) -> None:
    """Compare the checksums that a file of torch holds, which torch itself passes over.

    Files of torch before 1.6 are not zip archives and have none.
    """
    if not content.startswith(b"PK"):
        return
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            damaged = archive.testzip()
    except Exception:  # Of an archive whose own entries are damaged, zipfile raises all sorts.
        damaged = "the archive"
    if damaged:
        raise UsageError(f"'{path}' is not a policy any more: it is damaged ({damaged}); use a copy of it")
