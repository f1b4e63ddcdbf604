"""Samples travel without what pads short episodes, and arrive as they left."""

import pickle
from typing import Any

import numpy as np
import pytest
import torch

from maml_rl.config import Config
from maml_rl.samplers import Recipe
from maml_rl.samplers.packing import packed, unpacked
from maml_rl.samplers.plan import Sample
from maml_rl.training import Run, RunSettings

RNG = np.random.default_rng(0)


def make_sample(lengths: list[list[int]]) -> Sample:
    """Two observations a step, whole actions, and an extra; 0 behind the ends."""
    of_episode = np.array(lengths)
    real = np.arange(of_episode.max())[:, None] < of_episode[:, None]
    arrays: dict[str, Any] = {
        "observations": RNG.standard_normal((*real.shape, 2)).astype(np.float32) * real[..., None],
        "actions": RNG.integers(1, 5, real.shape) * real,
        "rewards": RNG.standard_normal(real.shape).astype(np.float32) * real,
        "lengths": of_episode,
        "last_observations": RNG.standard_normal((*of_episode.shape, 2)).astype(np.float32),
        "advantages": RNG.standard_normal(real.shape).astype(np.float32) * real,
    }
    return Sample(1, arrays, {"success": arrays["rewards"] > 0}, 0.5)


@pytest.mark.parametrize(
    "lengths", [[[3, 1], [2, 2]], [[2, 2], [2, 2]], [[1, 40, 1]], [[1], [1]], [[0, 2]], [[2, 1]]]
)
def test_samples_arrive_as_they_left(lengths: list[list[int]]):
    sample = make_sample(lengths)
    arrived = pickle.loads(pickle.dumps(sample))
    assert type(arrived) is Sample
    assert (arrived.round, arrived.seconds_adapting) == (1, 0.5)
    for ours, theirs in ((sample.arrays, arrived.arrays), (sample.extras, arrived.extras)):
        assert list(ours) == list(theirs)
        for name, array in ours.items():
            assert theirs[name].dtype == array.dtype
            np.testing.assert_array_equal(theirs[name], array)


def test_what_only_pads_does_not_travel():
    sample = make_sample([[1, 400, 1, 1]])
    whole = pickle.dumps((dict(sample.arrays), dict(sample.extras)))
    assert len(pickle.dumps(sample)) < len(whole) / 2


def test_steps_follow_one_another_task_by_task_and_in_time():
    real = np.array([[[True, True], [True, False]]])
    array = np.arange(4).reshape(1, 2, 2) * real
    assert packed(array, real).tolist() == [0, 1, 2]
    np.testing.assert_array_equal(unpacked(packed(array, real), real), array)


def test_nothing_is_behind_the_ends_of_episodes_that_were_sampled():
    sizes = {"meta_batch_size": 3, "fast_batch_size": 4, "num_steps": 1, "hidden_sizes": (8,)}
    config = Config(env_name="HopperRandParams-v0", **sizes)
    with Run(config, RunSettings(seed=1)) as run:
        tasks = run.sampler.sample_tasks(3, iteration=0)
        rounds = run.sampler.sample(tasks, run.init().theta, Recipe.of(config), 0)
    for episodes in (batch for batches in rounds for batch in batches):
        padding = torch.arange(len(episodes))[:, None] >= episodes.data.lengths
        assert padding.any()
        tensors = (*episodes.data[:3], episodes.advantages, *episodes.data.extras.values())
        assert not any(tensor[padding].any() or tensor[padding].signbit().any() for tensor in tensors)
