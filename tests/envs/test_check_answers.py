"""What the check says of tasks and answers that are not what they should be, and what training says."""

from typing import Any

import numpy as np
import pytest
import torch

from maml_rl.envs import check_env, make_env, make_task_vector_env
from maml_rl.envs.check import quick_findings
from maml_rl.envs.like import like
from maml_rl.errors import UsageError
from tests.envs.odd_answers import Colour
from tests.envs.test_check import of_the_environment

BROKEN: list[tuple[str, dict[str, Any], str]] = [
    ("GoalsOfTheImport", {}, "and in another process "),
    ("OrderOfASet", {}, "nor in the order of a set"),
    ("UnseededTests", {}, "sample_test_tasks after reset(seed=7) drew "),
    ("FewTests", {}, "sample_test_tasks(4): expected 4 tasks, got 1"),
    ("AltersTasks", {}, "the environment alters the task that it is given, [{'goal': "),
    ("ObjectTasks", {}, "a task and its copy do not look the same: "),
    ("FunctionTasks", {}, "a task cannot be sent to a worker"),
    ("Tells", {"success": None}, "step() returned as info['success'] None: expected a number"),
    ("Tells", {"success": float("nan")}, "step() returned as info['success'] nan: expected a finite number"),
    ("Tells", {"success": "yes"}, "step() returned as info['success'] 'yes': expected a number"),
    ("Tells", {"power": [1.0, 2.0]}, "step() returned as info['power'] [1.0, 2.0]: expected a number"),
    ("OddReward", {}, "step() returned as reward array([0., 0.]): expected a number"),
    ("OddFlag", {}, "step() returned as terminated nan: expected a finite number"),
    ("ScaledReward", {"scale": 1e39}, ": expected a finite number, as float32 holds it"),
    ("HugeObservation", {}, "an observation that is NaN or infinite, as float32: array([1.e+300])"),
    ("MatrixTasks", {}, "the environment alters the task that it is given, [{'goal': "),
    ("TwinTells", {"kind": "later"}, "part in task 2: reward "),
    ("TwinTells", {"kind": "success"}, "part in task 0: success 1 and 0 at step 1"),
    ("TwinTells", {"kind": "space"}, "observations are Box(-inf, inf, (2,), float32), those of its batched"),
    ("TwinTells", {"kind": "shape"}, "_advance() returned rewards of shape [4, 1], expected [4]"),
]
FINE = [
    "BrainFloats",
    "StrictChoices",
    "TwoTasks",
    "TellsArrays",
    "ChoicesFromOne",
    "WithAutograd",
    "TwinTells",
]
# Gymnasium's own check, which stops nobody.
pytestmark = pytest.mark.filterwarnings("ignore:.*:UserWarning")


def name_of(kind: str) -> str:
    return f"tests.envs.odd_answers:{kind}"


@pytest.mark.parametrize(("kind", "kwargs", "message"), BROKEN)
def test_what_breaks_a_promise_is_found(kind: str, kwargs: dict[str, Any], message: str):
    (found,) = [finding for finding in check_env(name_of(kind), kwargs) if finding.breaks]
    assert message in found.message
    assert "\n" not in found.message
    if "another process" not in found.message:
        assert any(message in finding.message for finding in quick_findings(name_of(kind), kwargs))


@pytest.mark.parametrize("kind", FINE)
def test_what_is_fine(kind: str):
    assert of_the_environment(check_env(name_of(kind))) == []


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("FailsAtReset", "it fails: no licence (RuntimeError at "),
        ("FailsAtTasks", "it fails: no tasks left (Runtime"),
    ],
)
def test_what_the_environment_raises_is_found(kind: str, message: str):
    (found,) = check_env(name_of(kind))
    assert found.breaks
    assert found.message.startswith(message)
    # Training says it with its traceback.
    assert not quick_findings(name_of(kind), {})


def test_observations_outside_of_their_box_are_advice():
    (found,) = of_the_environment(check_env(name_of("NarrowBox")))
    assert not found.breaks
    assert found.message.startswith(
        "step() returned an observation outside of Box(-0.01, 0.01, (2,), float32"
    )


def test_global_generators_are_advice_though_copies_share_them():
    findings = of_the_environment(check_env(name_of("GlobalDraws")))
    assert [found.breaks for found in findings] == [False]
    assert "the global generator of NumPy" in findings[0].message


def stepped(kind: str, **kwargs: Any) -> Any:
    """A batch of two after a step, and what the step returned."""
    batch = make_task_vector_env(name_of(kind), kwargs, 2)
    batch.reset_task([{"goal": 0.1}, {"goal": 0.5}])
    batch.reset(seed=[0, 1])
    space: Any = batch.single_action_space
    actions: Any = np.zeros((2, *space.shape), np.float32)
    return batch, batch.step(actions if space.shape else actions.astype(np.int64))  # As policies have them.


def test_successes_and_extras_may_be_arrays_of_one_number():
    *_, extras = stepped("TellsArrays")[1]
    assert extras["success"].tolist() == [1.0, 1.0]
    assert extras["power"].tolist() == [2.0, 2.0]


@pytest.mark.parametrize("success", [None, float("nan"), "yes", [1.0, 0.0]])
def test_a_success_that_is_no_number_is_not_taken_for_one(success: Any):
    with pytest.raises(UsageError, match=r"step\(\) returned as info\['success'\] "):
        stepped("Tells", success=success)


def test_choices_outside_of_their_space_are_not_encoded_as_others():
    env = make_env(name_of("ChoicesFromOne"), {"first": 3})
    assert env.reset(seed=0)[0].tolist() == [0, 0, 1]
    with pytest.raises(UsageError, match=r"observed 0, which is not in Discrete\(3, start=1\)"):
        stepped("ChoicesFromOne", first=0)
    with pytest.raises(UsageError, match=r"observed array\(\[0, 2\]\), which is not in MultiBinary\(2\)"):
        check_env(name_of("PartsOfChoices"))


@pytest.mark.parametrize("of", ["uint8", "int32", "int64"])
def test_choices_have_the_type_of_their_space(of: str):
    assert stepped("StrictChoices", of=of)[0].running.all()


@pytest.mark.parametrize("high", [1.0, np.inf])
def test_actions_have_the_type_of_their_box(high: float):
    assert stepped("HalfPrecision", high=high)[0].running.all()


def test_rewards_may_be_of_a_graph():
    _, rewards, *_ = stepped("WithAutograd")[1]
    assert rewards == pytest.approx([-0.02, -0.5])


@pytest.mark.parametrize(
    ("examples", "value", "expected"),
    [
        ([Colour.RED], "BLUE", Colour.BLUE),
        ([{1, 2}], [3, 3], {3}),
        ([frozenset({1})], [2], frozenset({2})),
        ([{"goal": 1}, 0.5], 0.25, 0.25),
        ([0.5, "here"], "there", "there"),
        ([True, 2], 3, 3),
    ],
)
def test_listed_tasks_have_the_kind_of_those_that_are_drawn(examples: Any, value: Any, expected: Any):
    found = like(examples, value, "tasks[0]")
    assert found == expected
    assert type(found) is type(expected)


def test_listed_tasks_may_be_tensors():
    found = like([torch.tensor([1.0, 2.0])], [3, 4], "tasks[0]")
    torch.testing.assert_close(found, torch.tensor([3.0, 4.0]))
    with pytest.raises(UsageError, match=r"expected numbers of shape \[2\]"):
        like([torch.tensor([1.0, 2.0])], [3], "tasks[0]")


def test_a_member_that_there_is_not():
    with pytest.raises(UsageError, match=r"tasks\[0\]: expected one of RED, BLUE, got 'GREEN'"):
        like([Colour.RED], "GREEN", "tasks[0]")
