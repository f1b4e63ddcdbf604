"""Reading and writing whole files: a reader never sees a half-written one."""

import hashlib
import io
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

import torch

from maml_rl.errors import UsageError

UMASK = os.umask(0)  # It can only be read by setting it; before any thread starts, that is safe.
os.umask(UMASK)

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
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}-")
        temporary = Path(name)
        try:
            os.fchmod(descriptor, 0o666 & ~UMASK)  # Temporary files are private, this is not to be.
            with os.fdopen(descriptor, "wb") as file:
                write(file)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)  # It may have taken its place already.
            raise
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    """Have the folder's new entry survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


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
        UsageError: the file is missing, or is not a state dict.
    """
    try:
        content = path.read_bytes()
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
    return {str(name): tensor for name, tensor in state.items()}
