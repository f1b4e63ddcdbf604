"""Fewer copies of an environment than episodes: these take turns, and come out the same."""

import pickle
from collections.abc import Sequence
from typing import Any

import cloudpickle
import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from maml_rl.adaptation import GradientStep
from maml_rl.advantages import Credit
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.envs import Task, make_env
from maml_rl.envs.adapter import GymTaskVectorEnv
from maml_rl.envs.copies import EnvCopies
from maml_rl.errors import UsageError
from maml_rl.losses import reinforce
from maml_rl.policies.module import ModulePolicy
from maml_rl.samplers.plan import Recipe, Sample, WorkItem
from maml_rl.samplers.worker import SamplerWorker
from tests.envs.peculiar import OneAtATime
from tests.samplers.environments import Fragile
from tests.samplers.helpers import make_policy

EPISODES = 4
CREDIT = Credit(0.9, 0.8, bootstrap_truncated=True)


def name_of(kind: str) -> str:
    return f"tests.envs.peculiar:{kind}"


class Direction(nn.Module):
    """A policy of the direction alone of what it observes, which has none at 0."""

    def __init__(self) -> None:
        super().__init__()
        self.layer, self.log_std = nn.Linear(2, 1), nn.Parameter(torch.zeros(1))

    def forward(self, observations: Tensor) -> tuple[Tensor, Tensor]:
        return self.layer(observations / observations.norm(dim=-1, keepdim=True)), self.log_std


def sampled(
    copies: EnvCopies, tasks: Sequence[Task], first_task: int = 0, module: nn.Module | None = None
) -> list[Sample]:
    """The rounds of an item; hidden layers are wide enough to tell orders of summation apart."""
    env = copies.single
    policy = make_policy(env, hidden_sizes=(32, 32))
    if module is not None:
        policy = ModulePolicy(module, env.observation_space, env.action_space)
    # What follows the end of an episode is 0 too, and adaptation would meet it.
    scales = (1.0,) if module is None else ()
    worker = SamplerWorker(copies, GradientStep(policy, reinforce, 0.3), LinearFeatureBaseline(2))
    item = WorkItem(3, 0, first_task, tasks, policy.get_vector().numpy(), Recipe(EPISODES, scales, CREDIT))
    return list(worker.sample(item))


def all_arrays(sample: Sample) -> dict[str, NDArray[Any]]:
    return {name: x for name, x in {**sample.arrays, **sample.extras}.items() if isinstance(x, np.ndarray)}


def as_bytes(samples: Sequence[Sample]) -> list[dict[str, tuple[Any, ...]]]:
    arrays = [all_arrays(sample) for sample in samples]
    return [{name: (x.dtype, x.shape, x.tobytes()) for name, x in of_round.items()} for of_round in arrays]


TASKS = [{"goal": goal} for goal in (-0.5, 0.2, 0.9)]


@pytest.mark.parametrize("most", [1, 2, 3, 4, 5, 9, 12])
def test_episodes_are_the_same_to_the_bit(most: int):
    all_at_once = sampled(EnvCopies(name_of("AnyLength"), {}), TASKS)
    lengths = all_arrays(all_at_once[0])["lengths"]
    assert len(set(lengths.ravel().tolist())) > 3
    assert 0 < np.count_nonzero(all_at_once[0].extras["success"]) < lengths.sum() / 2
    assert as_bytes(sampled(EnvCopies(name_of("AnyLength"), {}, most), TASKS)) == as_bytes(all_at_once)


def test_what_the_policy_makes_of_nothing_does_not_matter():
    name = name_of("AnyLength")
    torch.manual_seed(0)
    module = Direction()
    one, all_at_once = (sampled(EnvCopies(name, {}, most), TASKS, 0, module) for most in (1, None))
    assert as_bytes(one) == as_bytes(all_at_once)


@pytest.mark.parametrize("most", [1, 3, 4, 7, 8, 12, 50])
def test_every_episode_has_one_turn(most: int):
    copies = EnvCopies(name_of("Line"), {}, most)
    batch = copies.batch(12)
    batch.reset_task(TASKS)
    runs = np.zeros((3, EPISODES), int)
    for turn in batch.turns:
        batch.reset(seed=[0, 1, 2], options={"turn": turn})
        running = batch.running.reshape(3, EPISODES)
        runs += running
        assert running[turn].all()
        assert running.sum() == running[turn].size <= most
        assert len({id(batch._envs[i].unwrapped) for i in np.flatnonzero(running)}) == running.sum()  # type: ignore[attr-defined]
    assert (runs == 1).all()


def test_items_of_any_size_share_one_set():
    copies = EnvCopies(name_of("Line"), {})
    for num_envs in (8, 12, 4):
        batch = copies.batch(num_envs)
        assert isinstance(batch, GymTaskVectorEnv)
        assert len(batch._copies) == num_envs
    assert len(copies._copies) == 12
    assert copies.single not in copies._copies


@pytest.mark.parametrize("most", [1, 2, 3])
@pytest.mark.parametrize("first", ["single", "batch"])
def test_there_are_no_more_copies_than_there_may_be(most: int, first: str):
    copies = EnvCopies(name_of("Line"), {}, most)
    if first == "batch":
        copies.batch(4)
    copies.single.reset(seed=0)
    copies.batch(4)
    assert len(copies._made) == most
    assert (copies.single in copies._copies) == (most == 1 or first == "batch")


def test_a_batch_leaves_its_copies_open():
    copies = EnvCopies(name_of("OneAtATime"), {}, 1)
    for num_envs in (2, 4):
        copies.batch(num_envs).close()  # As Gymnasium 1.1 and 1.2 do when one is let go.
    assert OneAtATime.alive == 1
    copies.close()
    assert OneAtATime.alive == 0


@pytest.mark.parametrize("most", [0, -1])
def test_no_copies_are_too_few(most: int):
    with pytest.raises(UsageError, match=f"env-copies: expected 1 or more, got {most}"):
        EnvCopies(name_of("Line"), {}, most)


def test_what_travels_is_the_description():
    copies = EnvCopies(name_of("OneAtATime"), {}, 1)
    sampled(copies, TASKS)
    there = pickle.loads(cloudpickle.dumps(copies))
    assert (there.spec, there.env_kwargs, there.most) == (copies.spec, {}, 1)
    with pytest.raises(UsageError, match="one simulator per process"):
        there.single  # noqa: B018
    copies.close()
    assert there.single.observation_space == make_env(name_of("Line")).observation_space
    there.close()


def test_what_is_closed_is_made_anew():
    copies = EnvCopies(name_of("OneAtATime"), {}, 1)
    before = as_bytes(sampled(copies, TASKS))
    copies.close()
    assert as_bytes(sampled(copies, TASKS)) == before
    copies.close()


def test_copies_that_cannot_be_made_side_by_side():
    copies = EnvCopies(name_of("OneAtATime"), {})
    with pytest.raises(UsageError, match=r"one copy could be made: with --env-copies 1 a process holds no"):
        copies.batch(2)
    copies.close()


def test_a_batched_version_has_no_copies():
    with pytest.raises(UsageError, match=r"env-copies: environment '2DNavigation-v0' has a batched version"):
        EnvCopies("2DNavigation-v0", {}, 4)


@pytest.mark.parametrize("most", [None, 1, 3])
def test_the_task_whose_numbers_are_not_finite_is_named(most: int | None):
    name = f"{Fragile.__module__}:{Fragile.__qualname__}"
    tasks = [{"goal": np.zeros(2)}, {"goal": np.zeros(2), "breaks": True}, {"goal": np.zeros(2)}]
    copies = EnvCopies(name, {"broken": "observations"}, most)
    with pytest.raises(FloatingPointError, match=r"observations are NaN or infinite in tasks \[6\] after 0"):
        sampled(copies, tasks, first_task=5)
