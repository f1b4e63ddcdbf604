"""Environments as other libraries have them work by their names alone."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.envs.registration import EnvSpec
from gymnasium.spaces import Dict, Discrete, MultiBinary, MultiDiscrete, Tuple

from maml_rl.envs import check_env, make_env, make_task_vector_env
from maml_rl.envs.contract import draw_tasks, set_task
from maml_rl.envs.elsewhere.old_gym import as_gymnasium
from maml_rl.envs.registry import find_spec
from maml_rl.envs.task_space import EnvTaskSpace
from maml_rl.errors import UsageError
from tests.envs.elsewhere import STEPS
from tests.samplers.helpers import flat, identical, make_sampler, sample

HIDDEN = {"obs_context_features": [], "obs_context_as_dict": False}
GOALS = [[0.5, 0.5], [-0.5, 0.5], [0.25, -0.5]]
KINDS: dict[str, dict[str, Any]] = {
    "Learn2Learn": {},
    "OldMetaWorld": {},
    "Garage": {},
    "Gym26": {},
    "OldSpring": {"task_space": {"mass": [0.5, 2.0]}},
    "GymnasiumSetTask": {"task_space": GOALS},
    "Points": {"size": 0.5},
    "SameStep": {},
    "Waiting": {},
    "Carl": {**HIDDEN, "task_space": {"g": [5, 15], "l": [0.5, 1.5]}},
}


def name_of(kind: str) -> str:
    return f"tests.envs.elsewhere:{kind}"


def made(kind: str, **kwargs: Any) -> Any:
    return make_env(name_of(kind), {**KINDS.get(kind, {}), **kwargs})


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_they_keep_what_samplers_rely_on(kind: str):
    findings = check_env(name_of(kind), KINDS[kind])
    assert [found for found in findings if "it draws from the global generator" not in found.message] == []


@pytest.mark.parametrize("kind", KINDS)
def test_episodes_are_the_same_with_any_number_of_workers(kind: str):
    def sampled(num_workers: int) -> Any:
        kwargs = KINDS[kind]
        with make_sampler(num_workers, name_of(kind), kwargs, env=made(kind)) as sampler:
            return sample(sampler)

    here = sampled(0)
    assert identical(here, sampled(2))
    assert len({float(episodes.rewards.sum()) for episodes in flat(here)}) > 1


def played(env: gym.Env[Any, Any], task: Any, move: float = 0.1) -> tuple[list[Any], list[float], bool, bool]:
    set_task(env, task)
    observation, _ = env.reset(seed=5)
    seen, rewards = [observation], []
    for _ in range(50):
        observation, reward, ended, cut, _ = env.step(np.full(2, move, np.float32))
        seen.append(observation)
        rewards.append(float(reward))
        if ended or cut:
            return seen, rewards, ended, cut
    raise AssertionError("no end")


@pytest.mark.parametrize("kind", ["Learn2Learn", "Garage", "Gym26"])
def test_ends_and_time_limits_are_told_apart(kind: str):
    env = made(kind)
    seen, rewards, ended, cut = played(env, {"goal": np.array([-1.0, -1.0])})
    assert (len(seen), len(rewards), ended, cut) == (STEPS + 1, STEPS, False, True)
    assert all(observation.dtype == np.float32 for observation in seen)
    seen, _, ended, cut = played(env, {"goal": seen[2]}, 0.1)
    assert (ended, cut) == (True, False)
    assert len(seen) <= 3


@pytest.mark.parametrize("kind", ["Learn2Learn", "Gym26", "Garage"])
def test_the_seed_goes_where_the_library_has_it(kind: str):
    first, second = made(kind), made(kind)
    starts = [env.reset(seed=seed)[0].tolist() for env, seed in ((first, 1), (second, 1), (first, 2))]
    assert starts[0] == starts[1] != starts[2]
    assert str(EnvTaskSpace(first).sample(3, 2)) == str(EnvTaskSpace(second).sample(3, 2))


def test_numbers_as_tasks_and_the_task_that_is_told():
    env = made("OldMetaWorld")
    (task,) = EnvTaskSpace(env).sample(0, 1)
    set_task(env, task)
    assert env.get_wrapper_attr("task") == pytest.approx(task)
    env = made("Learn2Learn", observe_task=True)
    assert env.observation_space.shape == (4,)


def test_attributes_of_an_old_environment_itself():
    env = made("OldSpring")
    set_task(env, {"mass": 2.0})
    env.reset(seed=0)
    assert (env.unwrapped.inner.mass, env.unwrapped.inner.inverse) == (2.0, 0.5)


def test_set_task_alone_needs_a_list():
    with pytest.raises(UsageError, match=r"has no method sample_tasks\(\)"):
        make_env(name_of("GymnasiumSetTask"))
    env = made("GymnasiumSetTask")
    env.reset(seed=0)
    assert sorted(draw_tasks(env, 3)) == sorted(GOALS)


def test_success_travels():
    env = make_task_vector_env(name_of("Garage"), {}, 1)
    env.reset_task([{"goal": np.array([0.3, 0.3])}])
    env.reset(seed=0)
    told = [env.step(np.full((1, 2), 0.1, np.float32))[4]["success"][0] for _ in range(2)]
    assert told == [0.0, 1.0]


@pytest.mark.parametrize("kind", ["Points", "SameStep", "Waiting"])
def test_a_batch_is_as_its_copies_are_one_by_one(kind: str):
    tasks = [{"goal": np.array(goal)} for goal in ([0.2, 0.2], [0.5, 0.5], [9.0, 9.0])]
    batch = make_task_vector_env(name_of(kind), {}, 6)
    batch.reset_task(tasks)
    observations, _ = batch.reset(seed=[7, 8, 9])
    single = make_env(name_of(kind))
    moves = np.random.default_rng(0).uniform(-0.4, 0.7, (STEPS + 2, 6, 2)).astype(np.float32)
    seeds = [int(s) for seed in (7, 8, 9) for s in np.random.default_rng(seed).integers(2**31, size=2)]
    expected = []
    for i, seed in enumerate(seeds):
        set_task(single, tasks[i // 2])
        steps: list[Any] = [(single.reset(seed=seed)[0], 0.0, False, False, {"success": 0.0})]
        while not (steps[-1][2] or steps[-1][3]):
            steps.append(single.step(moves[len(steps) - 1, i]))
        expected.append(steps)
    lengths = [len(steps) - 1 for steps in expected]
    assert len(set(lengths)) > 1
    for t in range(STEPS + 2):
        np.testing.assert_array_equal(observations, [steps[min(t, len(steps) - 1)][0] for steps in expected])
        observations, rewards, ended, cut, told = batch.step(moves[t])
        for i, steps in enumerate(expected):
            if t < lengths[i]:
                _, reward, is_end, is_cut, info = steps[t + 1]
                assert (rewards[i], ended[i], cut[i]) == (reward, is_end, is_cut)
                assert told["success"][i] == info["success"]
            else:
                assert (rewards[i], ended[i], cut[i]) == (0.0, True, False)


def test_time_limits_and_actions_of_a_batch():
    batch = make_task_vector_env(name_of("Points"), {"max_episode_steps": 3, "size": 2.0}, 2)
    batch.reset_task([{"goal": np.array([9.0, 9.0])}])
    batch.reset(seed=1)
    flags = [batch.step(np.full((2, 2), 7.0, np.float32))[2:4] for _ in range(4)]  # The Box ends at 0.5.
    assert [cut.tolist() for _, cut in flags] == [[False] * 2, [False] * 2, [True] * 2, [False] * 2]
    assert [ended.tolist() for ended, _ in flags] == [[False] * 2] * 3 + [[True] * 2]
    with pytest.raises(UsageError, match=r"takes no argument 'sise'; it takes: max_episode_steps, .*size"):
        make_task_vector_env(name_of("Points"), {"sise": 2.0}, 2)


def test_batches_that_lack_a_method():
    with pytest.raises(UsageError, match=r"'.*:Taskless': a VectorEnv needs reset_task\(tasks\)"):
        find_spec(name_of("Taskless"))
    with pytest.raises(UsageError, match=r"has no method sample_tasks\(\)"):
        make_env(name_of("Unsampled"))
    env = make_env(name_of("Unsampled"), {"task_space": [{"goal": [0.5, 0.5]}]})
    assert EnvTaskSpace(env).sample(0, 1) == [{"goal": [0.5, 0.5]}]
    navigation = make_env("maml_rl.envs.navigation:Navigation2DVectorEnv", {"task_space": [{"goal": [1, 1]}]})
    assert len(played(navigation, {"goal": [0.4, 0.4]})[1]) == 4


def test_batches_that_are_registered(monkeypatch: pytest.MonkeyPatch):
    registry = dict(gym.registry)
    registry["Points-v7"] = EnvSpec(
        "Points-v7",
        entry_point=name_of("GymnasiumSetTask"),
        vector_entry_point=name_of("Points"),
        max_episode_steps=4,
    )
    monkeypatch.setattr(gym.envs.registration, "registry", registry)
    monkeypatch.setattr(gym, "registry", registry)
    batch = make_task_vector_env("Points-v7", {"task_space": GOALS}, 2)
    assert (type(batch).__name__, batch.max_episode_steps) == ("BatchEnv", 4)
    assert find_spec("CartPole-v1").vector_entry_point is None  # It has no tasks.
    assert find_spec("2DNavigation-v0").vector_entry_point is not None


def test_contexts_are_tasks():
    contexts = {0: {"g": 9.0, "m": 1.0, "l": 1.0}, 1: {"g": 3.0, "m": 2.0, "l": 0.5}}
    env = make_env(name_of("Carl"), {**HIDDEN, "contexts": contexts})
    env.reset(seed=0)
    drawn = draw_tasks(env, 2)
    assert sorted(task["g"] for task in drawn) == [3.0, 9.0]
    for task in [*drawn, {"g": 5.0}]:
        set_task(env, task)
        for _ in range(2):
            env.reset(seed=0)
            pendulum: Any = env.unwrapped
            assert {"g": pendulum.g, "m": pendulum.m, "l": pendulum.l} == {
                "g": 10.0,
                "m": 1.0,
                "l": 1.0,
                **task,
            }


def test_contexts_that_the_policy_sees():
    findings = check_env(name_of("Carl"), {"task_space": {"g": [5, 15]}})
    (seen,) = [found.message for found in findings if "context" in found.message]
    assert seen.startswith("the policy sees g, m, l of the context: {obs_context_features: []")
    with pytest.raises(UsageError, match="there is no 'gravity'; there are g, m, l"):
        make_env(name_of("Carl"), {"task_space": {"gravity": [5, 15]}})


def test_spaces_of_other_libraries():
    class Space:
        def __init__(self, **fields: Any) -> None:
            vars(self).update(fields)

    def of(kind: str, **fields: Any) -> Any:
        return type(kind, (Space,), {})(**fields)

    three = of("Discrete", n=3)
    assert as_gymnasium(three) == Discrete(3)
    assert as_gymnasium(of("Discrete", n=3, start=1)) == Discrete(3, start=1)
    assert as_gymnasium(of("MultiDiscrete", nvec=[2, 3])) == MultiDiscrete([2, 3])
    assert as_gymnasium(of("MultiBinary", n=4)) == MultiBinary(4)
    assert as_gymnasium(of("Dict", spaces={"a": three})) == Dict(a=Discrete(3))
    assert as_gymnasium(of("Tuple", spaces=[three, three])) == Tuple([Discrete(3), Discrete(3)])
    assert as_gymnasium(Discrete(2)) == Discrete(2)
    with pytest.raises(UsageError, match="a space of kind Image"):
        as_gymnasium(of("Image"))
