"""What holds for every registered environment."""

import gymnasium as gym
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from maml_rl.envs import TaskVectorEnv
from tests.envs.creating import create, create_vec
from tests.envs.ids import (
    ANT_IDS,
    BANDIT_IDS,
    CHEETAH_IDS,
    HUMANOID_IDS,
    MUJOCO_IDS,
    PAPER_ANT_IDS,
    PAPER_CHEETAH_IDS,
    TIME_LIMITS,
    WALKER_IDS,
    every_id,
    one_of_each_kind,
    play,
)

TASK_SHAPES = {
    "2DNavigation-v0": {"goal": (2,)},
    "Bandit-K5-v0": {"mean": (5,)},
    "Bandit-K10-v0": {"mean": (10,)},
    "Bandit-K50-v0": {"mean": (50,)},
    "GaussianBandit-K5-v0": {"mean": (5,)},
    "GaussianBandit-K10-v0": {"mean": (10,)},
    "GaussianBandit-K50-v0": {"mean": (50,)},
    "TabularMDP-v0": {"transitions": (10, 5, 10), "rewards_mean": (10, 5)},
    "HalfCheetahVel-v2": {"velocity": ()},
    "HalfCheetahDir-v2": {"direction": ()},
    "AntVel-v2": {"velocity": ()},
    "AntDir-v2": {"direction": ()},
    "AntPos-v1": {"position": (2,)},
    "HalfCheetahVel-v0": {"velocity": ()},
    "HalfCheetahDir-v0": {"direction": ()},
    "AntVel-v0": {"velocity": ()},
    "AntDir-v0": {"direction": ()},
    "AntGoal-v0": {"goal": (2,)},
    "AntDir2D-v0": {"direction": (2,)},
    "HumanoidDir-v0": {"direction": ()},
    "HumanoidDir2D-v0": {"direction": (2,)},
    "Walker2dVel-v0": {"velocity": ()},
    "Walker2dDir-v0": {"direction": ()},
    "Walker2dRandParams-v0": {
        "body_mass": (8,),
        "body_inertia": (8, 3),
        "dof_damping": (9,),
        "geom_friction": (8, 3),
    },
    "HopperRandParams-v0": {
        "body_mass": (5,),
        "body_inertia": (5, 3),
        "dof_damping": (6,),
        "geom_friction": (5, 3),
    },
    "SwimmerVel-v0": {"velocity": ()},
}
OBSERVATION_SIZES = {
    "2DNavigation-v0": 2,
    **dict.fromkeys(BANDIT_IDS, 1),
    "TabularMDP-v0": 10,
    **dict.fromkeys(CHEETAH_IDS + PAPER_CHEETAH_IDS, 20),
    **dict.fromkeys(ANT_IDS + PAPER_ANT_IDS, 125),
    "AntGoal-v0": 113,
    "AntDir2D-v0": 111,
    "HopperRandParams-v0": 11,
    "SwimmerVel-v0": 8,
    **dict.fromkeys(WALKER_IDS, 17),
    **dict.fromkeys(HUMANOID_IDS, 376),
}


@every_id
# The spaces are unbounded on purpose; the checker would like bounds.
@pytest.mark.filterwarnings("ignore:.*A Box observation space m.* value is")
def test_gymnasiums_checker_passes(id: str):
    check_env(create(id).unwrapped, skip_render_check=True)


@every_id
def test_single_and_batched_have_the_same_spaces_and_time_limit(id: str):
    single, batched = create(id), create_vec(id, num_envs=3)
    assert isinstance(batched, TaskVectorEnv)
    assert batched.num_envs == 3
    assert batched.single_observation_space == single.observation_space
    assert batched.single_action_space == single.action_space
    assert single.observation_space.shape == (OBSERVATION_SIZES[id],)
    assert single.spec is not None
    assert single.spec.max_episode_steps == batched.max_episode_steps == TIME_LIMITS.get(id)
    observations, _ = batched.reset(seed=0)
    assert batched.observation_space.contains(observations)
    batched.close()


@every_id
def test_tasks_are_dicts_of_plain_numbers_of_the_right_shapes(id: str):
    env = create(id)
    env.reset(seed=0)
    tasks = env.unwrapped.sample_tasks(3)
    assert len(tasks) == 3
    for task in tasks:
        assert {key: np.shape(value) for key, value in task.items()} == TASK_SHAPES[id]
        env.unwrapped.reset_task(task)
        assert env.unwrapped.task is task
        env.reset()
        env.step(env.action_space.sample())


@every_id
def test_the_seed_determines_the_tasks(id: str):
    env = create(id)

    def draw(seed: int) -> list[float]:
        env.reset(seed=seed)
        # Enough of them that even directions, one bit each, cannot agree by chance.
        return [x for task in env.unwrapped.sample_tasks(64) for v in task.values() for x in np.ravel(v)]

    assert draw(1) == draw(1)
    assert draw(1) != draw(2)


@pytest.mark.parametrize("id", ["2DNavigation-v0", "TabularMDP-v0", *MUJOCO_IDS])
def test_the_seed_determines_the_episode(id: str):
    env = create(id)
    env.reset(seed=0)
    env.unwrapped.reset_task(env.unwrapped.sample_tasks(1)[0])
    assert play(env, seed=5) == play(env, seed=5)
    if id != "2DNavigation-v0":  # Nothing is random there.
        assert play(env, seed=5) != play(env, seed=6)
    assert play(env, seed=5, actions_seed=1) != play(env, seed=5)


@pytest.mark.parametrize("id", ["Bandit-K5-v0", "GaussianBandit-K5-v0"])
def test_the_seed_determines_a_bandits_pay(id: str):
    env = create(id)

    def pays(first_seed: int) -> list[float]:
        return [play(env, seed)[2] for seed in range(first_seed, first_seed + 40)]

    assert pays(0) == pays(0)
    assert pays(0) != pays(100)


@pytest.mark.parametrize("id", ["2DNavigation-v0", "TabularMDP-v0", *MUJOCO_IDS])
@pytest.mark.parametrize("limit", [None, 3])
def test_episodes_are_truncated_at_the_time_limit(id: str, limit: int | None):
    kwargs = {} if limit is None else {"max_episode_steps": limit}
    if id.startswith(("Ant", "Humanoid", "Walker2d", "Hopper")) and limit is None:
        limit, kwargs = 25, {"max_episode_steps": 25}  # A still robot stands longer than that, not for ever.
    single, batched = create(id, **kwargs), create_vec(id, num_envs=2, **kwargs)
    goals = [{"goal": np.ones(2)}] if "Navigation" in id else single.unwrapped.sample_tasks(1)
    single.unwrapped.reset_task(goals[0])
    batched.reset_task(goals)
    single.reset(seed=0)
    batched.reset(seed=[0])
    limit = limit or TIME_LIMITS[id]
    still = 0 * single.action_space.sample()
    for t in range(1, limit + 1):
        _, _, terminated, truncated, _ = single.step(still)
        _, _, all_terminated, all_truncated, _ = batched.step(np.stack([still, still]))
        assert not terminated
        assert not all_terminated.any()
        assert truncated == (t == limit)
        assert (all_truncated == (t == limit)).all()


@pytest.mark.parametrize("id", MUJOCO_IDS)
def test_actions_are_in_plus_minus_the_normalization_scale(id: str):
    for kwargs, scale in (({}, 1.0), ({"normalization_scale": 10.0}, 10.0)):
        for space in (create(id, **kwargs).action_space, create_vec(id, **kwargs).single_action_space):
            assert isinstance(space, gym.spaces.Box)
            assert (space.high == scale).all()
            assert (space.low == -scale).all()


@one_of_each_kind
def test_gymnasiums_own_vectorization_works_too(id: str):
    envs = create_vec(id, num_envs=2, vectorization_mode="sync")
    assert not isinstance(envs, TaskVectorEnv)
    observations, _ = envs.reset(seed=0)
    assert observations.shape == (2, OBSERVATION_SIZES[id])
    envs.step(envs.action_space.sample())
    envs.close()
