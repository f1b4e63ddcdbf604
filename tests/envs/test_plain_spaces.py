from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from maml_rl.envs.plain_spaces import with_plain_spaces
from maml_rl.errors import UsageError
from tests.envs.peculiar import Spaces

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)
OBSERVATIONS = [
    (spaces.Box(0, 255, (4, 4, 3), np.uint8), (4, 4, 3)),
    (spaces.Box(-1.0, 1.0, (), np.float32), (1,)),
    (spaces.Discrete(5), (5,)),
    (spaces.Discrete(5, start=3), (5,)),
    (spaces.MultiDiscrete([2, 3]), (5,)),
    (spaces.MultiBinary(4), (4,)),
    (spaces.Tuple((spaces.Discrete(2), BOX)), (4,)),
    (spaces.Dict({"b": spaces.Discrete(3), "a": BOX}), (5,)),
]
ACTIONS = [
    (spaces.Box(-1.0, 1.0, (), np.float32), spaces.Box(-1.0, 1.0, (1,), np.float32)),
    (spaces.Box(-2.0, 1.0, (2, 3), np.float32), spaces.Box(-2.0, 1.0, (6,), np.float32)),
    (spaces.Discrete(4, start=-2), spaces.Discrete(4)),
    (spaces.MultiDiscrete([3, 2], start=[1, -1]), spaces.MultiDiscrete([3, 2])),
    (spaces.MultiDiscrete(np.array([[3, 2], [4, 2]])), spaces.MultiDiscrete([3, 2, 4, 2])),
    (spaces.MultiBinary(3), spaces.MultiDiscrete([2, 2, 2])),
    (spaces.MultiBinary((2, 2)), spaces.MultiDiscrete([2, 2, 2, 2])),
]


def plain(
    observations: gym.Space[Any] = BOX, actions: gym.Space[Any] = BOX, clip: bool = True
) -> gym.Env[Any, Any]:
    return with_plain_spaces(Spaces(observations, actions), clip)


@pytest.mark.parametrize(("space", "shape"), OBSERVATIONS, ids=lambda x: str(x)[:30])
def test_observations_become_numbers(space: gym.Space[Any], shape: tuple[int, ...]):
    env = plain(space)
    assert isinstance(env.observation_space, spaces.Box)
    observation, _ = env.reset()
    assert np.shape(observation) == env.observation_space.shape == shape
    observation, *_ = env.step(np.zeros(2, np.float32))
    assert np.shape(observation) == shape


def test_a_dicts_parts_come_in_the_order_of_its_keys():
    env = plain(spaces.Dict({"b": spaces.Box(2.0, 2.0, (1,)), "a": spaces.Box(1.0, 1.0, (1,))}))
    assert env.reset()[0].tolist() == [1.0, 2.0]


@pytest.mark.parametrize(("space", "expected"), ACTIONS, ids=lambda x: str(x)[:30])
def test_any_plain_action_is_one_of_the_environment(space: gym.Space[Any], expected: gym.Space[Any]):
    env = plain(actions=space)
    assert env.action_space == expected
    env.action_space.seed(0)
    env.reset()
    seen = set()
    for _ in range(50):
        env.step(env.action_space.sample())  # The environment looks whether it is one.
        seen.add(str(env.unwrapped.acted))  # type: ignore[attr-defined]
    assert len(seen) > 3


def test_choices_are_counted_from_the_start():
    env = plain(actions=spaces.MultiDiscrete([3, 2], start=[1, -1]))
    env.reset()
    env.step(np.array([2, 0]))
    assert env.unwrapped.acted.tolist() == [3, -1]  # type: ignore[attr-defined]


@pytest.mark.parametrize("shape", [(2,), (2, 1)])
def test_actions_are_clipped_to_a_finite_box(shape: tuple[int, ...]):
    env = plain(actions=spaces.Box(-1.0, 1.0, shape, np.float32))
    env.reset()
    env.step(np.array([3.0, -0.5], np.float32))
    assert env.unwrapped.acted.ravel().tolist() == [1.0, -0.5]  # type: ignore[attr-defined]
    rigid = plain(actions=spaces.Box(-1.0, 1.0, shape, np.float32), clip=False)
    rigid.reset()
    with pytest.raises(AssertionError, match="is not in Box"):
        rigid.step(np.array([3.0, -0.5], np.float32))


def test_plain_environments_are_left_alone():
    for actions in (spaces.Discrete(3), spaces.Box(-np.inf, np.inf, (2,)), spaces.MultiDiscrete([2, 2])):
        env = Spaces(BOX, actions)
        assert with_plain_spaces(env, True) is env


@pytest.mark.parametrize(
    ("observations", "actions", "complaint"),
    [
        (
            spaces.Sequence(spaces.Discrete(2)),
            BOX,
            "observations: expected a Box, Discrete, MultiDiscrete or MultiBinary, or a Dict or Tuple",
        ),
        (spaces.Text(3), BOX, "observations: expected a Box, Discrete"),
        (spaces.OneOf((BOX, spaces.Discrete(2))), BOX, "observations: expected a Box, Discrete"),
        (spaces.Dict({"a": BOX, "b": spaces.Text(3)}), BOX, "observations: expected a Box, Discrete"),
        (spaces.Box(0, 1, (0,)), BOX, "observations: expected a number or more"),
        (spaces.Dict({}), BOX, "observations: expected a number or more"),
        (BOX, spaces.Box(0, 1, (2, 0)), "actions: expected a number or more"),
        (
            BOX,
            spaces.Text(3),
            "actions: expected a Box of real numbers, Discrete, MultiDiscrete or MultiBinary",
        ),
        (BOX, spaces.Box(0, 3, (2,), np.int64), "actions: expected a Box of real numbers"),
        (BOX, spaces.Tuple((BOX, BOX)), "actions: expected a Box of real numbers"),
    ],
)
def test_spaces_that_are_no_numbers(observations: gym.Space[Any], actions: gym.Space[Any], complaint: str):
    with pytest.raises(UsageError, match=complaint):
        plain(observations, actions)
