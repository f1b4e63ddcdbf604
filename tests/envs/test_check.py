import pytest

from maml_rl.envs import check, check_env
from maml_rl.envs.check import EnvCheck, Finding, quick_findings
from maml_rl.errors import UsageError
from tests.envs.peculiar import Line

FOUND = [
    ("NumPyStart", False, "it draws from the global generator of NumPy"),
    ("NumPyTasks", False, "it draws from the global generator of NumPy"),
    ("UnseededTasks", True, "draw from self.np_random alone"),
    ("OneTask", False, "drew the same task 4 times: {'goal': 0.5}"),
    ("DeafToTasks", False, "4 tasks gave the same episode, 8 steps long: does reset_task have an effect"),
    ("OwnGoals", True, "another episode in a copy of the environment: reward -"),
    ("CountsResets", True, "two episodes one after the other: observation ["),
    ("SharedPlace", True, "while a copy of the environment was stepped in between: observation ["),
    ("NoEnd", True, "it has no time limit, and no episode ended in "),
    ("NotFinite", True, "step() returned a reward that is NaN or infinite"),
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
    assert quick_findings(name_of(kind), {}) or kind in ("NoEnd", "FailsAtStep")


def of_the_environment(findings: list[Finding]) -> list[Finding]:
    """Without what beartype draws from Python's generator in these tests."""
    return [found for found in findings if "generator of Python" not in found.message]


@pytest.mark.parametrize("env", [name_of("Line"), "2DNavigation-v0", "TabularMDP-v0", "Bandit-K5-v0"])
def test_nothing_is_found(env: str):
    assert of_the_environment(check_env(env)) == []


def test_what_does_not_travel(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(Line, "horizon", 5)
    (found,) = EnvCheck(name_of("Line")).travels()
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
    monkeypatch.setattr(check, "EnvCheck", None)
    assert quick_findings("2DNavigation-v0", {}) == []
