"""What there is instead, when an environment cannot be made."""

from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from maml_rl.envs import make_env, make_task_vector_env
from maml_rl.envs.registry import find_spec
from maml_rl.envs.task_env import TaskVectorEnv, check_positive, check_range
from maml_rl.errors import UsageError, check_number
from tests.envs.creating import register


@pytest.mark.parametrize(
    ("unknown", "nearest"),
    [
        ("2DNavigaton-v0", "2DNavigation-v0"),
        ("2DNavigation-v1", "2DNavigation-v0"),
        ("HalfCheetahVel-v1", "HalfCheetahVel-v2"),
        ("halfcheetah-dir-v2", "HalfCheetahDir-v2"),
        ("Bandit-K500-v0", "Bandit-K50-v0"),
        ("no_such_module:TabularMDP-v0", "TabularMDP-v0"),
    ],
)
def test_an_unknown_id_names_the_nearest(unknown: str, nearest: str):
    with pytest.raises(UsageError) as caught:
        make_env(unknown)
    assert f"'{unknown}'" in str(caught.value)
    assert f"did you mean '{nearest}'?" in str(caught.value)


def test_an_id_like_no_other_says_what_lists_them_all():
    with pytest.raises(UsageError, match="doesn't exist; 'maml-rl envs' lists those that ship"):
        make_env("Xyz")


@pytest.mark.parametrize(
    ("id", "taken"),
    [
        ("2DNavigation-v0", ["goals", "high", "low", "max_episode_steps", "normalization_scale", "task"]),
        ("Bandit-K5-v0", ["k", "max_episode_steps", "task"]),
        ("GaussianBandit-K5-v0", ["k", "max_episode_steps", "std", "task"]),
        ("TabularMDP-v0", ["max_episode_steps", "num_actions", "num_states", "task"]),
        ("HalfCheetahVel-v2", ["high", "low", "max_episode_steps", "normalization_scale", "task"]),
        ("HalfCheetahDir-v2", ["max_episode_steps", "normalization_scale", "task"]),
        ("AntDir-v2", ["contact_forces", "max_episode_steps", "normalization_scale", "task"]),
        ("AntPos-v1", ["contact_forces", "high", "low", "max_episode_steps", "normalization_scale", "task"]),
        ("AntGoal-v0", ["contact_forces", "max_episode_steps", "normalization_scale", "radius", "task"]),
        ("HopperRandParams-v0", ["log_scale_limit", "max_episode_steps", "normalization_scale", "task"]),
    ],
)
def test_an_unknown_argument_lists_what_is_taken(id: str, taken: list[str]):
    with pytest.raises(UsageError) as caught:
        make_env(id, {"speed": 1.0})
    message = str(caught.value)
    assert f"environment '{id}' takes no argument 'speed'; it takes: " in message
    rendering = {"width", "height", "render_mode"}
    listed = message.partition("it takes: ")[2].split(", ")
    assert [name for name in listed if name not in rendering] == sorted([*taken, "observe_task"])


@pytest.mark.parametrize("id", ["HalfCheetahDir-v2", "AntDir-v2"])
def test_directions_have_no_range(id: str):
    with pytest.raises(UsageError, match="takes no argument 'low'"):
        make_env(id, {"low": 0.0})


@pytest.mark.parametrize(
    ("id", "kwargs", "complaint"),
    [
        ("2DNavigation-v0", {"low": 1.0, "high": -1.0}, "low not above high, got 1.0 and -1.0"),
        ("HalfCheetahVel-v2", {"high": float("inf")}, "low and high: expected numbers"),
        ("AntPos-v1", {"low": 9.0}, "low not above high, got 9.0 and 3.0"),
        ("2DNavigation-v0", {"normalization_scale": -1.0}, "normalization_scale: expected a number above 0"),
        ("AntDir-v2", {"normalization_scale": 0.0}, "normalization_scale: expected a number above 0"),
        ("TabularMDP-v0", {"num_states": 0}, "cannot be made with {'num_states': 0}"),
        ("Bandit-K5-v0", {"k": -1}, "cannot be made with {'k': -1}"),
        (
            "2DNavigation-v0",
            {"max_episode_steps": 0},
            "max_episode_steps: expected a whole number, 1 or more, got 0",
        ),
        (
            "2DNavigation-v0",
            {"max_episode_steps": -1},
            "max_episode_steps: expected a whole number, 1 or more, got -1",
        ),
        (
            "2DNavigation-v0",
            {"max_episode_steps": 2.5},
            "max_episode_steps: expected a whole number, 1 or more, got 2.5",
        ),
        (
            "2DNavigation-v0",
            {"max_episode_steps": True},
            "max_episode_steps: expected a whole number, 1 or more, got True",
        ),
        ("GaussianBandit-K5-v0", {"std": -1.0}, "std: expected 0 or more, got -1.0"),
        ("GaussianBandit-K5-v0", {"std": "wide"}, "std: expected 0 or more, got 'wide'"),
        ("AntVel-v0", {"low": 9.0}, "low not above high, got 9.0 and 3.0"),
    ],
)
def test_a_value_that_an_argument_cannot_have(id: str, kwargs: dict[str, Any], complaint: str):
    with pytest.raises(UsageError) as caught:
        make_env(id, kwargs)
    assert complaint in str(caught.value)


def test_true_is_no_number():
    with pytest.raises(UsageError, match="low and high: expected numbers"):
        check_range(0.0, True)
    for low, high in ((0, 10**400), (-(10**400), 0), (1, 0)):
        with pytest.raises(UsageError, match="low and high: expected numbers with low not above high"):
            check_range(low, high)
    with pytest.raises(UsageError, match="expected numbers whose distance is finite, got"):
        check_range(-1.7e308, 1.7e308)
    check_range(-1e-3, 1e5)
    with pytest.raises(UsageError, match="scale: expected a number above 0, got True"):
        check_positive("scale", True)
    for value in (True, "wide", None, float("inf"), float("nan"), 10**400):
        with pytest.raises(UsageError, match="std: expected 0 or more, got"):
            check_number("std", value, 0)
    check_number("std", np.float32(0.5), 0)
    check_number("std", np.int64(2), 0, 2)


@pytest.mark.parametrize("kwargs", [{"task": {"goal": [0.0, 0.0]}}, {"render_mode": "rgb_array"}])
def test_what_one_environment_takes_alone_a_batch_refuses(kwargs: dict[str, Any]):
    (name,) = kwargs
    taken = "goals, high, low, max_episode_steps, normalization_scale, observe_task"
    with pytest.raises(UsageError, match=f"takes no argument '{name}'; it takes: {taken}"):
        make_task_vector_env("2DNavigation-v0", kwargs, 2)


@pytest.mark.parametrize("id", ["2DNavigation-v0", "HalfCheetahVel-v2"])
def test_no_time_limit_means_the_registered_one(id: str):
    limit = find_spec(id).max_episode_steps
    made = make_env(id, {"max_episode_steps": None})
    batch = make_task_vector_env(id, {"max_episode_steps": None}, 2)
    assert made.get_wrapper_attr("_max_episode_steps") == batch.max_episode_steps == limit
    made.close()
    batch.close()


def test_an_argument_that_is_missing_is_named():
    with pytest.raises(UsageError, match="needs the argument 'k': give it in env-kwargs"):
        make_env("maml_rl.envs.bandit:BernoulliBanditEnv")


@pytest.mark.parametrize("path", ["./examples/custom_env.py:SpringEnv", "examples/custom_env:SpringEnv"])
def test_a_file_in_place_of_a_module(path: str):
    with pytest.raises(UsageError, match=r"a module, as in 'examples\.custom_env:SpringEnv', not a file"):
        make_env(path)


def test_an_environment_without_tasks_says_what_is_missing():
    with pytest.raises(UsageError, match=r"'CartPole-v1' has no method sample_tasks\(\): a task"):
        make_env("CartPole-v1")


class Half(gym.Env[Any, Any]):
    observation_space = action_space = gym.spaces.Discrete(2)

    def sample_tasks(self, num_tasks: int) -> list[dict[str, Any]]:
        return [{}] * num_tasks


class Anything(Half):
    def __init__(self, **kwargs: Any):
        if kwargs.get("explode"):
            raise ValueError("it exploded")
        self.kwargs = kwargs

    def reset_task(self, task: dict[str, Any]) -> None: ...


@pytest.fixture
def registered() -> Iterator[None]:
    register("Half-v0", entry_point=Half)
    register("Anything-v0", entry_point=Anything)
    register("Foreign-v0", entry_point=Anything, vector_entry_point=foreign_batch)
    yield
    for name in ("Half-v0", "Anything-v0", "Foreign-v0"):
        del gym.registry[name]


def foreign_batch(num_envs: int, **_: Any) -> gym.vector.SyncVectorEnv:
    return gym.vector.SyncVectorEnv([Anything] * num_envs)


@pytest.mark.usefixtures("registered")
def test_an_environment_with_half_of_the_methods_says_which_is_missing():
    with pytest.raises(UsageError, match=r"'Half-v0' has no method reset_task\(\)"):
        make_env("Half-v0")


@pytest.mark.usefixtures("registered")
@pytest.mark.filterwarnings("ignore:.*obs.*:UserWarning")
def test_an_environment_that_takes_any_argument_gets_them_all():
    made = make_env("Anything-v0", {"a": 1, "b": 2})
    assert made.unwrapped.kwargs == {"a": 1, "b": 2}  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"'Anything-v0' cannot be made with {'explode': True}: it exploded"):
        make_env("Anything-v0", {"explode": True})


@pytest.mark.usefixtures("registered")
def test_a_batched_version_of_another_kind_is_refused():
    with pytest.raises(UsageError, match=r"makes a SyncVectorEnv, expected a maml_rl\.envs\.TaskVectorEnv"):
        make_task_vector_env("Foreign-v0", None, 2)


@pytest.mark.parametrize("name", ["2DNavigation-v0", "maml_rl.envs:2DNavigation-v0"])
def test_a_module_before_the_id_is_imported(name: str):
    assert make_env(name, {"low": -2.0}).unwrapped.low == -2.0  # type: ignore[attr-defined]
    assert isinstance(make_task_vector_env(name, {"low": -2.0}, 3), TaskVectorEnv)


def test_arguments_may_be_spelled_with_dashes():
    env = make_env("2DNavigation-v0", {"max-episode-steps": 3, "observe-task": True})
    assert env.spec is not None
    assert env.spec.max_episode_steps == 3
    assert env.observation_space.shape == (4,)
    twice = {"max-episode-steps": 3, "max_episode_steps": 4}
    with pytest.raises(
        UsageError, match=r"^env-kwargs: one argument is there twice, in max-episode-steps, max_"
    ):
        make_env("2DNavigation-v0", twice)
