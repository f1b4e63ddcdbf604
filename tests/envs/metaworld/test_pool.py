"""The simulations that a process keeps."""

import numpy as np

from maml_rl.envs import make_task_vector_env
from maml_rl.envs.metaworld.pool import Pool
from maml_rl.envs.metaworld.tasks import Benchmark
from tests.envs.metaworld.package import assert_same, play_batch

ENVS = ["reach-v3", "push-v3", "reach-wall-v3"]


def test_the_last_used_simulations_are_kept() -> None:
    pool = Pool("v2", most=2)
    pool.use(ENVS[:2])
    reach, push = (pool[name] for name in ENVS[:2])
    pool.use(["reach-v3", "reach-wall-v3"])
    assert pool["reach-wall-v3"].name == "reach-wall-v3"
    assert len(pool) == 2
    assert pool["reach-v3"] is reach
    assert pool["push-v3"] is not push


def test_a_batch_has_all_its_simulations_however_few_are_kept() -> None:
    pool = Pool("v2", most=1)
    for _ in range(2):
        pool.use(ENVS)
        made = [pool[name] for name in ENVS]
        assert [pool[name] for name in ENVS] == made
    pool.use(["push-v3"])
    assert len(pool) == 1


def test_episodes_are_the_same_however_many_are_kept() -> None:
    tasks = [Benchmark(f"ML1-{name}").draw(np.random.default_rng(0), 1, "train")[0] for name in ENVS]
    actions = np.random.default_rng(1).uniform(-1, 1, (4, 3, 4)).astype(np.float32)
    kept = play_batch(make_task_vector_env("MetaWorld/ML10", {}, 3), tasks, actions)
    one = make_task_vector_env("MetaWorld/ML10", {"most_models": 1}, 1)
    for row in (0, 1, 2, 0):
        (again,) = play_batch(one, tasks[row : row + 1], actions[:, row : row + 1])
        assert_same(kept[row], again)
