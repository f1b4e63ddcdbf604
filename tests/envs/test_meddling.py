"""Environments that change settings of the process, and tasks that are hard to compare."""

from pathlib import Path
from typing import Any

import pytest

from maml_rl._system.kept import process_settings_kept
from maml_rl.envs import check_env, make_env
from maml_rl.evaluation.task_arrays import task_arrays
from tests.envs.meddling import MEDDLING
from tests.envs.test_check import of_the_environment

SAID = {
    "folder": "the working folder",
    "signal": "the handler of SIGTERM",
    "gradients": "torch's gradients",
    "type": "torch's default type",
    "threads": "torch's number of threads",
    "device": "torch's default device",
}


def name_of(kind: str) -> str:
    return f"tests.envs.meddling:{kind}"


def findings(kind: str, **kwargs: Any) -> list[tuple[bool, str]]:
    found = of_the_environment(check_env(name_of(kind), kwargs))
    return [(finding.breaks, finding.message) for finding in found]


@pytest.mark.parametrize("what", MEDDLING)
def test_what_making_an_environment_changes_is_put_back_and_said(what: str):
    message = f"making it changes {SAID[what]}: maml_rl puts that back, and it runs without"
    assert findings("Meddles", what=what) == [(False, message)]


@pytest.mark.parametrize("what", [what for what in MEDDLING if what != "device"])
def test_what_an_episode_changes_breaks_a_promise(what: str):
    with process_settings_kept():
        (found,) = findings("Meddles", what=what, late=True)
    assert found == (
        True,
        f"an episode changes {SAID[what]}, which all in the process depend on: leave that be",
    )


def test_settings_are_put_back_when_it_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def fail() -> None:
        MEDDLING["folder"]()
        raise RuntimeError("no licence")

    monkeypatch.setitem(MEDDLING, "fails", fail)
    with pytest.raises(Exception, match="no licence"):
        make_env(name_of("Meddles"), {"what": "fails"})
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(("offset", "number"), [(1e7, 1), (-1e5, 1), (10.0, 0), (0.0, 0)])
def test_rewards_that_float32_hardly_tells_apart_are_said(offset: float, number: int):
    found = findings("FarRewards", offset=offset)
    assert len(found) == number
    assert all("are told apart too coarsely as float32" in message for _, message in found)


def test_one_task_for_all_is_said():
    ((breaks, message),) = findings("OneObject")
    assert not breaks
    assert message.startswith("sample_tasks(64) drew one task alone: ")


@pytest.mark.parametrize("kind", ["SetTasks", "HiddenTasks"])
def test_tasks_are_compared_by_what_they_hold(kind: str):
    assert findings(kind) == []


@pytest.mark.parametrize("kind", ["FirstTaskForAll", "OneGenerator"])
def test_copies_of_a_batch_keep_to_their_tasks_and_seeds(kind: str):
    ((breaks, message),) = findings(kind)
    assert breaks
    assert message.startswith("its batched version and a batch of one part in task 1: ")
    assert message.endswith(": each copy keeps to its own task and seed")


def test_keys_of_tasks_may_be_anything():
    arrays = task_arrays([{("hip", 0): 1.0, "limits": {(0, 1): 2}}])
    assert arrays["task_('hip', 0)"].tolist() == [1.0]
    assert arrays["task_limits"].tolist() == ["{'[0, 1]': 2}"]
