"""Files on file systems that lack something, and what killed processes left of them."""

import errno
import os
from pathlib import Path

import pytest
import torch

from maml_rl._system import files
from maml_rl._system.files import clear_leftovers, load_tensors, save_tensors, write_atomically
from maml_rl.errors import UsageError
from tests.builders import same_bits
from tests.cli.helpers import ROOT


@pytest.fixture(autouse=True)
def _no_warning_yet():
    files._warn_of_power_cuts.cache_clear()


def write(path: Path, content: bytes = b"whole") -> None:
    write_atomically(path, lambda file: file.write(content))


def fails_for_folders(monkeypatch: pytest.MonkeyPatch, function: str, number: int) -> None:
    """Have ``os.open`` or ``os.fsync`` fail for folders, as file systems without that do."""
    real = getattr(os, function)

    def failing(which: Path | int, *arguments: int) -> object:
        if Path(f"/proc/self/fd/{which}" if isinstance(which, int) else which).is_dir():
            raise OSError(number, os.strerror(number))
        return real(which, *arguments)

    monkeypatch.setattr(os, function, failing)


@pytest.mark.parametrize(
    ("function", "number"),
    [
        ("fsync", errno.EINVAL),
        ("fsync", errno.ENOSYS),
        ("fsync", errno.EOPNOTSUPP),
        ("fsync", errno.EPERM),
        ("open", errno.EACCES),
        ("open", errno.EISDIR),
    ],
)
def test_folders_that_cannot_be_synced_cost_one_warning(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    function: str,
    number: int,
):
    fails_for_folders(monkeypatch, function, number)
    for name in ("one", "two"):
        write(tmp_path / name)
        assert (tmp_path / name).read_bytes() == b"whole"
    (message,) = (record.message for record in caplog.records)
    assert "cannot sync files and folders" in message


def test_files_that_cannot_be_synced_cost_one_warning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    def failing(_: int) -> None:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr(os, "fsync", failing)
    write(tmp_path / "one")
    write(tmp_path / "two")
    assert (tmp_path / "two").read_bytes() == b"whole"
    assert len(caplog.records) == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EROFS])
def test_disks_that_are_full_or_broken_are_errors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
):
    fails_for_folders(monkeypatch, "fsync", number)
    with pytest.raises(UsageError, match=f"cannot write '.*file': {os.strerror(number)}"):
        write(tmp_path / "file")


def test_permissions_need_not_be_changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Where there is no such call, as on Windows, or it is refused, as on SMB."""

    def refused(*_: object) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "chmod", refused)
    monkeypatch.delattr(os, "fchmod")
    write(tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == b"whole"


def test_what_a_killed_process_left_is_removed_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    def killed(*_: object) -> None:
        raise SystemExit

    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", killed)
        patch.setattr(Path, "unlink", lambda *_, **__: None)
        with pytest.raises(SystemExit):
            write(tmp_path / "config.json")
    (left,) = tmp_path.iterdir()
    mine = {".config.json-x", ".config.json", ".my-document", "config.json-abcdefgh", ".other.json-abcdefgh"}
    for name in mine:
        (tmp_path / name).touch()
    (tmp_path / ".config.json-a_folder").mkdir()
    clear_leftovers(tmp_path, r"config\.json|policy\.th")
    assert {path.name for path in tmp_path.iterdir()} == {*mine, ".config.json-a_folder"}
    assert left.name not in mine


def test_a_folder_that_is_not_there_has_no_leftovers(tmp_path: Path):
    clear_leftovers(tmp_path / "nowhere", "x")
    assert not (tmp_path / "nowhere").exists()


def test_a_flipped_bit_of_a_policy_is_found_or_changes_nothing(tmp_path: Path):
    generator = torch.Generator().manual_seed(0)
    tensors = {"layer1.weight": torch.randn(5, 4, generator=generator), "sigma": torch.zeros(3)}
    path = tmp_path / "policy.th"
    save_tensors(tensors, path)
    content = path.read_bytes()
    found = 0
    for bit in range(0, 8 * len(content), 7):
        flipped = bytearray(content)
        flipped[bit // 8] ^= 1 << bit % 8
        path.write_bytes(flipped)
        try:
            loaded = load_tensors(path)
        except UsageError:
            found += 1
        else:
            assert loaded.keys() == tensors.keys()
            assert all(same_bits(loaded[name], tensors[name]) for name in tensors)
    assert found > 500


def test_policies_that_were_written_before_are_whole():
    paths = list(ROOT.glob("benchmarks/**/*.th"))
    assert len(paths) > 20
    for path in paths:
        assert load_tensors(path)


def test_a_policy_that_an_older_torch_wrote_has_no_checksums(tmp_path: Path):
    torch.save({"sigma": torch.ones(2)}, tmp_path / "policy.th", _use_new_zipfile_serialization=False)
    assert same_bits(load_tensors(tmp_path / "policy.th")["sigma"], torch.ones(2))
