"""What is said where Meta-World, or its MuJoCo, is not installed. None of it needs the package."""

import sys
import types
from collections.abc import Iterator

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
def _there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "metaworld", types.ModuleType("metaworld"))


def test_the_missing_package_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "metaworld", None)
    with pytest.raises(UsageError, match=r"needs the package metaworld: pip install 'maml-rl\[metaworld\]'"):
        make_env("MetaWorld/ML10")
    with pytest.raises(UsageError, match="needs the package metaworld"):
        make_task_vector_env("MetaWorld/ML1-reach-v3", {}, 2)


@pytest.mark.usefixtures("_there")
def test_another_mujoco_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(package, "version", lambda _: "3.4.0")
    with pytest.raises(UsageError, match=r"needs mujoco 3\.3\.0, and mujoco 3\.4\.0 is installed"):
        make_env("MetaWorld/ML10")


@pytest.mark.usefixtures("_there")
@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"reward_function_version": "v3"}, "reward-function-version: expected v1 or v2, got 'v3'"),
        ({"tasks_seed": -1}, "tasks-seed: expected 0 to 65535, got -1"),
        ({"most_models": 0}, "most-models: expected 1 or more, got 0"),
        ({"tasks_seed": 1.5}, "tasks-seed: expected a whole number, got 1.5"),
        ({"most_models": 2.5}, "most-models: expected a whole number, got 2.5"),
        ({"benchmark": "ML1-push-v3"}, "takes no argument 'benchmark'; it takes: camera_name, "),
        ({"observe_task": True}, "takes no argument 'observe_task'"),
        ({"color": 1}, "takes no argument 'color'"),
    ],
)
def test_wrong_arguments_are_one_line(
    kwargs: dict[str, object], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(package, "version", lambda _: package.MUJOCO)
    with pytest.raises(UsageError, match=message):
        make_env("MetaWorld/ML10", kwargs)


def test_the_ids_are_there_all_the_same() -> None:
    ids = [name for name in gym.registry if name.startswith("MetaWorld/")]
    assert len(ids) == 53
