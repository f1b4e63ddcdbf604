"""Environments of the user's own, named by module and class."""

import sys
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium import spaces

from examples.custom_env import SpringEnv, SpringVectorEnv
from maml_rl.envs import make_env, make_task_vector_env
from maml_rl.envs.adapter import GymTaskVectorEnv
from maml_rl.envs.contract import draw_tasks, set_task
from maml_rl.envs.plain_spaces import FlatObservations
from maml_rl.envs.registry import find_spec
from maml_rl.errors import UsageError
from tests.envs.peculiar import Spaces

BOX = spaces.Box(-1.0, 1.0, (2,), np.float32)

NAME = "examples.custom_env:SpringEnv"


def test_a_class_is_an_environment_and_its_batched_version_is_found():
    assert isinstance(make_env(NAME).unwrapped, SpringEnv)
    assert isinstance(make_task_vector_env(NAME, {}, 6), SpringVectorEnv)


def test_kwargs_reach_both_and_wrong_ones_are_named():
    assert make_env(NAME, {"stiffness": 3.0}).unwrapped.stiffness == 3.0  # type: ignore[attr-defined]
    assert make_task_vector_env(NAME, {"stiffness": 3.0}, 2).stiffness == 3.0  # type: ignore[attr-defined]
    with pytest.raises(
        UsageError, match="takes no argument 'mass'; it takes: max_episode_steps, observe_task, stiffness"
    ):
        make_env(NAME, {"mass": 1})


def test_without_a_batched_version_the_class_is_looped_over(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delattr("examples.custom_env.SpringVectorEnv")
    assert isinstance(make_task_vector_env(NAME, {}, 2), GymTaskVectorEnv)


def test_the_examples_batch_equals_its_single_environment():
    single, batch = SpringEnv(2.0), make_task_vector_env(NAME, {"stiffness": 2.0}, 3)
    tasks = [{"target": target} for target in (-0.5, 0.1, 0.7)]
    batch.reset_task(tasks)
    batch.reset(seed=[0, 1, 2])
    actions = np.random.default_rng(0).standard_normal((50, 3, 1)).astype(np.float32)
    answers = [batch.step(action) for action in actions]
    for i, task in enumerate(tasks):
        single.reset_task(task)
        single.reset()
        for action, (observations, rewards, _, truncated, _) in zip(actions[:, i], answers, strict=True):
            observation, reward, _, cut, _ = single.step(action)
            np.testing.assert_allclose(observations[i], observation, rtol=1e-6)
            assert rewards[i] == pytest.approx(reward)
            assert truncated[i] == cut


def test_a_module_may_register_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "registers_one.py").write_text(
        "import gymnasium as gym\nfrom examples.custom_env import SpringEnv\n"
        "gym.register('Spring-v7', entry_point=SpringEnv, max_episode_steps=9)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    assert find_spec("registers_one:Spring-v7").max_episode_steps == 9
    del gym.registry["Spring-v7"], sys.modules["registers_one"]


@pytest.mark.parametrize(
    "name", ["examples.custom_env:Nothing", "examples.custom_env:EPISODE", "no.such:Env"]
)
def test_names_of_nothing(name: str):
    with pytest.raises(UsageError, match=f"environment '{name}': "):
        find_spec(name)


class Drawless(Spaces):
    """Draws tasks without a number, and takes none."""

    def __init__(self) -> None:
        super().__init__(BOX, BOX)

    def sample_tasks(self) -> list[Any]:  # type: ignore[override]
        return []

    def reset_task(self) -> None:  # type: ignore[override]
        """Do nothing."""


def test_methods_that_take_no_argument_are_told():
    env = Drawless()
    with pytest.raises(
        UsageError, match=r"sample_tasks\(num_tasks\) cannot be called so: .* takes 1 positional"
    ):
        draw_tasks(env, 3)
    with pytest.raises(UsageError, match=r"reset_task\(task\) cannot be called so"):
        set_task(env, {})


class Breaking(Spaces):
    """Observes something else from the second step on, or ends its process."""

    def __init__(self, observed: Any = None) -> None:
        super().__init__(spaces.Dict({"choice": spaces.Discrete(3), "numbers": BOX}), BOX)
        self.observed = observed

    def look(self) -> Any:
        fine = {"choice": 0, "numbers": np.zeros(2, np.float32)}
        return self.observed if self.time and self.observed is not None else fine

    def move(self, action: Any) -> None:
        super().move(action)
        if self.observed is None:
            raise SystemExit(3)


@pytest.mark.filterwarnings("ignore:.*:UserWarning")  # Gymnasium's own check.
@pytest.mark.parametrize(
    ("observed", "message"),
    [
        (None, "the environment has ended its process, with exit code 3"),
        ({"choice": 3, "numbers": np.zeros(2)}, r"observed 3, which is not in Discrete\(3\)"),
        ({"choice": 1}, "the environment fails in Gymnasium's hands: The obs returned by"),
        (5, "the environment fails in Gymnasium's hands: The obs returned by"),
    ],
)
def test_what_breaks_in_a_step_is_one_line(observed: Any, message: str):
    batch = make_task_vector_env(f"{__name__}:Breaking", {"max_episode_steps": 5, "observed": observed}, 2)
    batch.reset(seed=1)
    with pytest.raises(UsageError, match=message):
        batch.step(np.zeros((2, 2), np.float32))


def test_without_gymnasiums_own_check_an_observation_is_looked_at_too():
    env = FlatObservations(Breaking())
    for observed in ({"choice": 1}, 5, None, {"choice": 1, "numbers": "far"}):
        with pytest.raises(UsageError, match=r", which is not in Dict\("):
            env.observation(observed)
