from contextlib import closing
from typing import Any

import numpy as np
import pytest

from maml_rl.envs import check, check_env
from maml_rl.envs.check import STEPS, quick_findings, try_out
from maml_rl.envs.checks.repeats import travels
from maml_rl.envs.checks.trial import Finding, Trial
from maml_rl.envs.playback import Step, difference
from maml_rl.errors import UsageError
from tests.envs.peculiar import Line, OneAtATime

FOUND = [
    ("NumPyStart", False, "it draws from the global generator of NumPy"),
    ("NumPyTasks", False, "it draws from the global generator of NumPy"),
    ("UnseededTasks", True, "draw from self.np_random alone"),
    ("RelativeTasks", True, "and then, after another task and its episode, [{'goal': "),
    ("OneTask", False, "drew one task alone: {'goal': 0.5}"),
    ("DeafToTasks", False, "4 tasks gave the same episode, 8 steps long: does reset_task have an effect"),
    ("OwnGoals", True, "another episode in a copy of the environment: reward -"),
    ("CountsResets", True, "two episodes one after the other: observation[0] 2 and 3 at step 0"),
    ("SharedPlace", True, "while a copy of the environment was stepped in between: observation[0] "),
    ("OneAtATime", True, "one copy could be made: with --env-copies 1 a process holds no more"),
    ("PositiveActions", True, "fails at actions outside of its Box, which policies do draw: outside of the"),
    ("NoEnd", True, "it has no time limit, and no episode ended in "),
    ("NotFinite", True, "step() returned as reward nan: expected a finite number"),
    ("FailsAtStep", True, "it fails: too far (ArithmeticError at "),
]


def name_of(kind: str) -> str:
    return f"tests.envs.peculiar:{kind}"


@pytest.mark.parametrize(("kind", "breaks", "message"), FOUND, ids=[kind for kind, *_ in FOUND])
def test_what_is_found(kind: str, breaks: bool, message: str):
    findings = check_env(name_of(kind))
    assert any(found.breaks == breaks and message in found.message for found in findings), findings
    if not breaks:
        assert not any(found.breaks for found in findings)
    assert quick_findings(name_of(kind), {}) or kind in ("NoEnd", "FailsAtStep", "OneAtATime")


def of_the_environment(findings: list[Finding]) -> list[Finding]:
    """Without what beartype draws from Python's generator in these tests."""
    return [found for found in findings if "generator of Python" not in found.message]


def found_in(env: str, steps: int = STEPS, copies: int | None = None, **env_kwargs: Any) -> list[Finding]:
    """What is found within this process."""
    with closing(Trial(env, env_kwargs, steps, copies)) as trial:
        return of_the_environment(list(try_out(trial)))


@pytest.mark.parametrize("env", [name_of("Line"), "2DNavigation-v0"])
def test_nothing_is_found(env: str):
    assert of_the_environment(check_env(env)) == []


@pytest.mark.parametrize(
    "env",
    [name_of("TwinLine"), name_of("StrictActions"), name_of("EndsForGood"), "TabularMDP-v0", "Bandit-K5-v0"],
)
def test_nothing_is_found_within_a_process(env: str):
    assert found_in(env) == []


def test_nothing_is_found_in_the_task_of_the_corners():
    assert found_in("2DNavigation-v0", goals="corners") == []


def test_what_does_not_travel(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Line, "horizon", 5)
    (found,) = travels(Trial(name_of("Line"), {}, 20))
    assert found.breaks
    assert "in another process: " in found.message


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("FewTasks", r"sample_tasks\(4\): expected 4 tasks, got 3"),
        ("NoTasks", "expected a list of tasks, got a dict"),
    ],
)
def test_what_is_no_task_distribution(kind: str, message: str):
    with pytest.raises(UsageError, match=message):
        check_env(name_of(kind))


def test_a_finding_is_a_line():
    assert all(found.message.isprintable() for found in check_env(name_of("CountsResets")))


def test_what_ships_is_not_checked_at_every_start(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(check, "Trial", None)
    assert quick_findings("2DNavigation-v0", {}) == []


@pytest.mark.parametrize("kind", ["OneAtATime", "SharedPlace"])
def test_one_copy_is_enough_where_a_process_is_to_hold_one(kind: str):
    assert found_in(name_of(kind), copies=1) == []
    assert OneAtATime.alive == 0


def test_a_batched_version_that_is_wrong_in_one_row():
    (found,) = found_in(name_of("TwinLine"), wrong=0.25)
    assert found.breaks
    assert "its batched version and the single environment part in task 2: reward -" in found.message
    assert found.message.count("at step 5: ") == 1


def test_a_batched_version_that_rounds_otherwise():
    (found,) = found_in(name_of("TwinLine"), wrong=1e-9)
    assert not found.breaks
    assert "part by rounding from step 5 of task 2 on, 1e-09 within 10 steps" in found.message


def test_robots_part_by_rounding_alone():
    found = found_in("HalfCheetahDir-v2", steps=60)
    assert not any(finding.breaks for finding in found)
    assert all("part by rounding" in finding.message for finding in found)


@pytest.mark.parametrize(
    ("kind", "breaks", "said"),
    [
        ("StrictActions", True, "it fails at actions outside of its Box"),
        ("Line", False, "actions outside of its Box have an effect of their own"),
    ],
)
def test_actions_outside_of_the_box_that_are_not_clipped(kind: str, breaks: bool, said: str):
    found = found_in(name_of(kind), clip_actions=False)[0]
    assert found.breaks == breaks
    assert found.message.startswith(said)
    assert "leave clip_actions in env-kwargs at true" in found.message


def test_actions_outside_of_the_box_that_the_environment_clips_itself():
    assert found_in(name_of("ClippedActions"), clip_actions=False) == []


@pytest.mark.parametrize("name", ["observation", "reward", "truncated"])
def test_what_differs_is_named(name: str):
    steps = [
        Step(np.array([0.5, -0.0, 3.0], np.float32).tobytes(), -0.25),
        Step(np.array([0.5, 1.5, np.nan], np.float32).tobytes(), 2.0),
    ]
    other = Step(np.array([0.5, 2.0, np.nan], np.float32).tobytes(), 2.5, truncated=True)
    assert difference(steps, list(steps)) is None
    found = difference(steps, [steps[0], steps[1]._replace(**{name: getattr(other, name)})])
    assert found is not None
    said, size = {
        "observation": ("observation[1] 1.5 and 2 at step 1", 0.5 / 1.5),
        "reward": ("reward 2 and 2.5 at step 1", 0.25),
        "truncated": ("truncated False and True at step 1", np.inf),
    }[name]
    assert str(found) == said
    assert found.size == pytest.approx(size)
    assert str(difference(steps, steps[:1])) == "steps of the episode 1 and 0 at step 0"
