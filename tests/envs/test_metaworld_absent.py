"""What is said without Meta-World and its MuJoCo, or with other releases. None of it needs the package."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import gymnasium as gym
import pytest

from maml_rl.envs import make_env, make_task_vector_env
from maml_rl.envs.metaworld import package
from maml_rl.errors import UsageError


@pytest.fixture(autouse=True)
def _asked_anew() -> Iterator[None]:
    package.metaworld.cache_clear()
    yield
    package.metaworld.cache_clear()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder where Python looks first, with a right MuJoCo, and no Meta-World imported so far."""
    monkeypatch.setitem(sys.modules, "metaworld", None)  # So that what was there, or was not, comes back.
    del sys.modules["metaworld"]
    monkeypatch.syspath_prepend(tmp_path)
    write_release(tmp_path, "mujoco", package.MUJOCO)
    return tmp_path


def write_release(folder: Path, name: str, release: str) -> None:
    """Write what pip does beside a package."""
    told = folder / f"{name}-{release}.dist-info" / "METADATA"
    told.parent.mkdir()
    told.write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {release}\n")


def write_metaworld(folder: Path, release: str | None = package.METAWORLD, code: str = "") -> None:
    """Write a package that is called metaworld.

    Args:
        release: what is told beside it, if anything is.
        code: that importing it runs.
    """
    (folder / "metaworld").mkdir()
    (folder / "metaworld" / "__init__.py").write_text(code)
    if release:
        write_release(folder, "metaworld", release)


@pytest.fixture
def _there(folder: Path) -> None:
    write_metaworld(folder)


def test_the_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "metaworld", None)
    with pytest.raises(UsageError, match=r"needs the package metaworld: pip install metaworld==3\.1\.1"):
        make_env("MetaWorld/ML10")
    with pytest.raises(UsageError, match="needs the package metaworld"):
        make_task_vector_env("MetaWorld/ML1-reach-v3", {}, 2)


def test_a_folder_of_that_name_is_no_package(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "metaworld").mkdir()
    monkeypatch.setattr(sys, "path", [str(folder)])
    with pytest.raises(UsageError, match="needs the package metaworld"):
        package.metaworld()


def test_what_the_package_lacks_is_one_line(folder: Path) -> None:
    write_metaworld(folder, code="import no_such_package")
    with pytest.raises(UsageError, match="needs the package no_such_package: pip install"):
        make_env("MetaWorld/ML10")


def test_another_mujoco_is_one_line(folder: Path) -> None:
    shutil.rmtree(folder / f"mujoco-{package.MUJOCO}.dist-info")
    write_release(folder, "mujoco", "3.4.0")
    write_metaworld(folder, code="raise AssertionError('It is not imported.')")
    needed = r"needs metaworld 3\.1\.1 and mujoco 3\.3\.0; installed are metaworld 3\.1\.1 and mujoco 3\.4\.0"
    with pytest.raises(UsageError, match=f"{needed}: pip install"):
        make_env("MetaWorld/ML10")


@pytest.mark.parametrize(("release", "shown"), [("2.0.0", r"2\.0\.0"), (None, "of an unknown release in /")])
def test_another_release_is_one_line(release: str | None, shown: str, folder: Path) -> None:
    write_metaworld(folder, release)
    with pytest.raises(UsageError, match=rf"needs metaworld 3\.1\.1 .*; installed are metaworld {shown}"):
        make_env("MetaWorld/ML10")
    with pytest.raises(UsageError, match=r"pip install metaworld==3\.1\.1"):
        make_task_vector_env("MetaWorld/ML1-reach-v3", {}, 2)


def test_the_release_of_another_copy_does_not_count(
    folder: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_metaworld(folder)
    nearer = tmp_path_factory.mktemp("nearer")
    write_metaworld(nearer, release=None)
    monkeypatch.syspath_prepend(nearer)
    with pytest.raises(UsageError, match=f"metaworld of an unknown release in {nearer}"):
        make_env("MetaWorld/ML10")


def test_a_package_that_cannot_be_imported_is_one_line(folder: Path) -> None:
    write_metaworld(folder, code="from mujoco import no_such_name")
    needed = r"needs metaworld 3\.1\.1 and mujoco 3\.3\.0 \(pip install metaworld==3\.1\.1\)"
    with pytest.raises(UsageError, match=f"{needed}, and cannot be imported: .*no_such_name"):
        make_env("MetaWorld/ML10")


@pytest.mark.usefixtures("_there")
@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"reward_function_version": "v3"}, "reward_function_version: expected v1 or v2, got 'v3'"),
        ({"tasks_seed": -1}, "tasks_seed: expected 0 to 65535, got -1"),
        ({"most_models": 0}, "most_models: expected 1 or more, got 0"),
        ({"tasks_seed": 1.5}, "tasks_seed: expected a whole number, got 1.5"),
        ({"most_models": 2.5}, "most_models: expected a whole number, got 2.5"),
        ({"benchmark": "ML1-push-v3"}, "takes no argument 'benchmark'; it takes: camera_name, "),
        ({"observe_task": True}, "takes no argument 'observe_task'"),
        ({"color": 1}, "takes no argument 'color'"),
    ],
)
def test_wrong_arguments_are_one_line(kwargs: dict[str, object], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make_env("MetaWorld/ML10", kwargs)


@pytest.mark.usefixtures("_there")
def test_episodes_are_not_longer_than_the_packages() -> None:
    make_task_vector_env("MetaWorld/ML1-reach-v3", {"max_episode_steps": 500}, 2).close()
    with pytest.raises(UsageError, match="max_episode_steps: expected 1 to 500, got 501"):
        make_task_vector_env("MetaWorld/ML1-reach-v3", {"max_episode_steps": 501}, 2)


def test_the_ids_are_there_all_the_same() -> None:
    ids = [name for name in gym.registry if name.startswith("MetaWorld/")]
    assert len(ids) == 53
