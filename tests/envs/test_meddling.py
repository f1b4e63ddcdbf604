"""Environments that change settings of the process, and tasks that are hard to compare."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import gymnasium as gym
import pytest
from gymnasium.envs.registration import EnvSpec

from maml_rl._system.kept import process_settings_kept
from maml_rl.config import Config
from maml_rl.envs import check_env, make_env
from maml_rl.envs.check import quick_findings
from maml_rl.errors import UsageError
from maml_rl.evaluation.task_arrays import task_arrays
from maml_rl.samplers import Recipe
from maml_rl.training.run import Run, RunSettings
from maml_rl.viz.rendering import record_episodes
from tests.envs.meddling import MEDDLING
from tests.envs.test_check import of_the_environment

SAID = {
    "folder": "the working folder",
    "signal": "the handler of SIGTERM",
    "gradients": "torch's gradients",
    "type": "torch's default type",
    "threads": "torch's number of threads",
    "device": "torch's default device",
    "folder that is gone": "the working folder",
}
PUT_BACK = (
    "importing or making it changes {}: maml_rl puts that back, so that it runs without; change it where it "
    "is needed, and restore it"
)


def name_of(kind: str) -> str:
    return f"tests.envs.meddling:{kind}"


def findings(kind: str, **kwargs: Any) -> list[tuple[bool, str]]:
    found = of_the_environment(check_env(name_of(kind), kwargs))
    return [(finding.breaks, finding.message) for finding in found]


@pytest.mark.parametrize("what", MEDDLING)
def test_what_making_an_environment_changes_is_put_back_and_said(what: str):
    folder = Path.cwd()
    assert findings("Meddles", what=what) == [(False, PUT_BACK.format(SAID[what]))]
    assert Path.cwd() == folder


# A device without numbers, and a folder that is gone, make episodes fail.
@pytest.mark.parametrize("what", [what for what in MEDDLING if "gone" not in what and what != "device"])
def test_what_an_episode_changes_breaks_a_promise(what: str):
    folder = Path.cwd()
    (found,) = findings("Meddles", what=what, late=True)
    assert found == (True, f"it changes {SAID[what]} while it runs: restore that before returning")
    assert Path.cwd() == folder


def test_what_it_misses_then_is_said_before_it_fails(tmp_path: Path):
    (tmp_path / "start.txt").write_text("0.5")
    put_back, fails = findings("NeedsItsFolder", folder=str(tmp_path))
    assert put_back == (False, PUT_BACK.format("the working folder"))
    assert "No such file" in fails[1]
    (quick,) = quick_findings(name_of("NeedsItsFolder"), {"folder": str(tmp_path)})
    assert quick == put_back


def test_training_says_it_however_long_making_takes():
    (found,) = quick_findings(name_of("SlowMeddles"), {})
    assert found.message == PUT_BACK.format("the working folder")


IMPORTED = """
import os
from tests.envs.peculiar import Line
os.chdir("/")
class Env(Line):
    pass
"""


@pytest.mark.parametrize("registered", [False, True])
def test_what_an_import_changes_is_put_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, registered: bool
):
    module = f"moves_away_{registered}"
    (tmp_path / f"{module}.py").write_text(IMPORTED)
    monkeypatch.syspath_prepend(tmp_path)
    name = f"{module}:Env"
    if registered:
        monkeypatch.setitem(gym.registry, "MovesAway-v0", EnvSpec("MovesAway-v0", entry_point=name))
        name = "MovesAway-v0"
    folder = Path.cwd()
    assert (False, PUT_BACK.format("the working folder")) in of_the_environment(quick_findings(name, {}))
    assert Path.cwd() == folder


def test_other_threads_leave_the_process_alone():
    def settings_of_a_thread() -> set[str]:
        with process_settings_kept() as changed:
            MEDDLING["threads"]()
        return changed

    with process_settings_kept(), ThreadPoolExecutor(1) as executor:
        assert executor.submit(settings_of_a_thread).result() == set()


def test_settings_are_put_back_when_it_cannot_be_made(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    monkeypatch.chdir(tmp_path)

    def fail() -> None:
        MEDDLING["folder"]()
        raise RuntimeError("no licence")

    monkeypatch.setitem(MEDDLING, "fails", fail)
    with pytest.raises(UsageError, match="no licence"):
        make_env(name_of("Meddles"), {"what": "fails"})
    assert Path.cwd() == tmp_path


@pytest.mark.parametrize(("offset", "number"), [(1e7, 1), (-1e5, 1), (10.0, 0), (0.0, 0)])
def test_rewards_that_float32_hardly_tells_apart_are_said(offset: float, number: int):
    found = findings("FarRewards", offset=offset)
    assert len(found) == number
    assert all("differ by too little for float32" in message for _, message in found)


def test_one_task_for_all_is_said():
    ((breaks, message),) = findings("OneObject")
    assert not breaks
    assert message.startswith("sample_tasks(64) drew one task alone: ")


@pytest.mark.parametrize("kind", ["ConstantRewards", "OneStep"])
def test_rewards_that_do_not_differ_are_no_matter(kind: str):
    assert not any("float32" in message for _, message in findings(kind))


@pytest.mark.parametrize("what", ["observation", "reward"])
@pytest.mark.parametrize("when", [30, 40])
def test_numbers_late_in_an_episode_are_looked_at(what: str, when: int):
    ((breaks, message),) = findings("NotFinite", what=what, when=when)
    assert breaks
    assert message.startswith(f"step() returned {'an' if what == 'observation' else 'as'} {what}")


@pytest.mark.parametrize("env_copies", [None, 1])
def test_a_last_observation_that_is_not_finite_ends_the_run(env_copies: int | None):
    sizes = {"fast_batch_size": 2, "meta_batch_size": 1, "hidden_sizes": (4,), "env_copies": env_copies}
    config = Config(env_name=name_of("NotFinite"), env_kwargs={"what": "observation"}, **sizes)
    with Run(config, RunSettings(seed=1, num_workers=0)) as run:
        tasks, theta = run.sampler.sample_tasks(1, 0), run.learner.init().theta
        with pytest.raises(FloatingPointError, match="observations are NaN or infinite"):
            run.sampler.sample(tasks, theta, Recipe.of(config), 0)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("gray", "uint8 of [8, 8], expected uint8 of [height, width, 3]"),
        ("rgba", "uint8 of [8, 8, 4], expected"),
        ("float", "float64 of [8, 8, 3], expected"),
        ("integers", "int64 of [8, 8, 3], expected"),
        ("grows", "pictures of [8, 8, 3] and [9, 8, 3], expected one size"),
        ("list", "expected uint8"),
        ("nothing", "None, expected uint8"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Gymnasium's own check, which stops nobody.
def test_what_is_no_picture_is_said(kind: str, message: str):
    sizes = {"fast_batch_size": 1, "meta_batch_size": 1, "hidden_sizes": (4,)}
    config = Config(env_name=name_of("Films"), env_kwargs={"kind": kind}, **sizes)
    with Run(config, RunSettings(seed=1, num_workers=0)) as run:
        (task,), theta = run.sampler.sample_tasks(1, 0), run.learner.init().theta
        with pytest.raises(UsageError, match=r"render.* returned ") as error:
            record_episodes(run, task, 0, [theta[None]], size=8)
    assert message in str(error.value)


def test_tasks_that_are_added_to_are_said():
    ((breaks, message),) = findings("AddsToTasks")
    assert breaks
    assert "copy it in reset_task" in message


KINDS = ["SetTasks", "HiddenTasks", "TwoKinds", "CachedTasks", "SetKeys"]


@pytest.mark.parametrize("kind", KINDS)
def test_tasks_are_compared_by_what_they_hold(kind: str):
    assert findings(kind) == []


@pytest.mark.parametrize("kind", ["FirstTaskForAll", "OneGenerator"])
def test_copies_of_a_batch_keep_to_their_tasks_and_seeds(kind: str):
    ((breaks, message),) = findings(kind)
    assert breaks
    assert message.startswith("its batched version and a batch of one part in task 1: ")
    assert message.endswith(": each copy keeps to its own task and seed")


def test_tasks_that_differ_in_a_late_digit_differ():
    assert not any("one task alone" in message for _, message in findings("TensorTasks"))


def test_sets_are_saved_in_one_order():
    assert task_arrays([{3, 1, 2}, {"x"}])["task"].tolist() == ["[1, 2, 3]", "[x]"]


def test_keys_of_tasks_may_be_anything():
    arrays = task_arrays([{("hip", 0): 1.0, "limits": {(0, 1): 2}}])
    assert arrays["task_('hip', 0)"].tolist() == [1.0]
    assert arrays["task_limits"].tolist() == ["{'[0, 1]': 2}"]
