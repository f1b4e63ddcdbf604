"""What the sampled episodes are: their structure, and that adaptation made the valid ones."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Normal

from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import MeanOver
from maml_rl.episode import BatchEpisodes
from maml_rl.policies import NormalMLPPolicy
from tests.oracles import advantages as oracle
from tests.samplers.helpers import NAVIGATION, flat, identical, make_sampler, sample

ACTIONS = 1
"""The purpose that actions are drawn for; see maml_rl.seeding."""


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("num_steps", [0, 1, 3])
def test_structure_and_shapes(num_workers: int, num_steps: int):
    with make_sampler(num_workers, batch_size=4) as sampler:
        train, valid = sample(sampler, num_tasks=5, num_steps=num_steps, gamma=0.9)
    assert [len(step) for step in train] == [5] * num_steps
    assert len(valid) == 5
    for episodes in flat((train, valid)):
        assert isinstance(episodes, BatchEpisodes)
        assert episodes.batch_size == 4
        assert episodes.gamma == 0.9
        assert episodes.observations.shape == (12, 4, 2)
        assert episodes.actions.shape == (12, 4, 2)
        assert episodes.rewards.shape == episodes.mask.shape == episodes.advantages.shape == (12, 4)
        for tensor in (episodes.observations, episodes.actions, episodes.rewards, episodes.advantages):
            assert tensor.dtype == torch.float32
            assert torch.isfinite(tensor).all()
        assert episodes.lengths == [12] * 4
        assert len(episodes) == 12


def test_discrete_actions_have_no_dimension_of_their_own():
    with make_sampler(env_name="TabularMDP-v0", batch_size=4) as sampler:
        train, valid = sample(sampler, num_tasks=2)
    for episodes in flat((train, valid)):
        assert episodes.observations.shape == (10, 4, 10)
        assert episodes.actions.shape == (10, 4)
        assert episodes.actions.dtype == torch.int64
        assert set(episodes.actions.unique().tolist()) <= set(range(5))
        assert (episodes.observations.sum(-1) == 1).all()


def test_episodes_are_of_their_task():
    with make_sampler() as sampler:
        tasks = sampler.sample_tasks(5)
        train, valid = sampler.sample(tasks)
    for episodes, task in zip([*train[0], *valid], [*tasks, *tasks], strict=True):
        position = episodes.observations + episodes.actions.clamp(-0.1, 0.1)
        distance = (position - torch.as_tensor(task["goal"])).norm(dim=-1)
        torch.testing.assert_close(episodes.rewards, -distance.float())
        torch.testing.assert_close(position[:-1], episodes.observations[1:])


@pytest.mark.parametrize("gae_lambda", [1.0, 0.5])
def test_advantages_are_those_of_a_baseline_fitted_to_the_batch(gae_lambda: float):
    with make_sampler() as sampler:
        samples = sample(sampler, num_tasks=3, gamma=0.9, gae_lambda=gae_lambda)
    for episodes in flat(samples):
        baseline = LinearFeatureBaseline(2)
        baseline.fit(episodes)
        again = BatchEpisodes.from_data(episodes.data, 0.9)
        again.compute_advantages(baseline, gae_lambda=gae_lambda)
        torch.testing.assert_close(episodes.advantages, again.advantages, rtol=1e-4, atol=1e-5)


def test_bootstrapping_at_truncation_reaches_the_workers():
    def advantages(num_workers: int, bootstrap_truncated: bool) -> Tensor:
        with make_sampler(num_workers) as sampler:
            train, _ = sample(sampler, bootstrap_truncated=bootstrap_truncated)
        return train[0][0].advantages

    assert torch.equal(advantages(0, True), advantages(1, True))
    assert not torch.allclose(advantages(0, True), advantages(0, False), atol=1e-2)


def mean_actions(params: dict[str, Tensor], observations: Tensor) -> Tensor:
    hidden = torch.tanh(observations @ params["layer1.weight"].T + params["layer1.bias"])
    return hidden @ params["mu.weight"].T + params["mu.bias"]


def adapted(policy: NormalMLPPolicy, train: list[BatchEpisodes], fast_lr: list[float]) -> dict[str, Tensor]:
    """One task's parameters after a REINFORCE step on each batch of its train episodes, written out."""
    params = {name: p.detach().clone() for name, p in policy.named_parameters()}
    for episodes, step_size in zip(train, fast_lr, strict=True):
        params = {name: p.detach().requires_grad_() for name, p in params.items()}
        pi = Normal(mean_actions(params, episodes.observations), params["sigma"].exp())
        log_probs = pi.log_prob(episodes.actions).sum(-1)
        gains = [
            log_probs[:length, k] * episodes.advantages[:length, k]
            for k, length in enumerate(episodes.lengths)
        ]
        if episodes.mean_over == "steps":
            gains = [torch.cat(gains)]
        loss = -torch.stack([gain.mean() for gain in gains]).mean()
        grads = torch.autograd.grad(loss, list(params.values()))
        params = {n: p - step_size * g for (n, p), g in zip(params.items(), grads, strict=True)}
    return {name: p.detach() for name, p in params.items()}


def drawn_noise(seed: int, iteration: int, task: int, step: int, steps: int, batch_size: int) -> Tensor:
    """What the documented stream of a task's actions draws."""
    path = np.random.SeedSequence(seed, spawn_key=(iteration, task, step, ACTIONS))
    noise = np.random.default_rng(path).standard_normal((64, batch_size, 2), dtype=np.float32)
    return torch.from_numpy(noise[:steps])


@pytest.mark.parametrize("fast_lr", [[], [0.5], [0.8, 0.4, 0.2]], ids=["0 steps", "1 step", "3 steps"])
def test_episodes_come_from_the_parameters_adapted_so_far(fast_lr: list[float]):
    with make_sampler(seed=5) as sampler:
        tasks = sampler.sample_tasks(3)
        train, valid = sampler.sample(
            tasks, num_steps=len(fast_lr), fast_lr=tuple(fast_lr), gamma=0.95, iteration=7
        )
        policy = sampler.policy
    assert isinstance(policy, NormalMLPPolicy)
    for task in range(3):
        batches = [step[task] for step in (*train, valid)]
        for step, episodes in enumerate(batches):
            params = adapted(policy, batches[:step], fast_lr[:step])
            noise = drawn_noise(5, 7, task, step, len(episodes), 3)
            means = mean_actions(params, episodes.observations)
            actions = means + params["sigma"].exp() * noise
            torch.testing.assert_close(episodes.actions, actions, rtol=1e-4, atol=1e-4)
            if step:
                unadapted = adapted(policy, batches[: step - 1], fast_lr[: step - 1])
                assert (mean_actions(unadapted, episodes.observations) - means).abs().max() > 0.02


@pytest.mark.parametrize("num_workers", [0, 1])
@pytest.mark.parametrize("mean_over", ["episodes", "steps"])
def test_long_and_short_episodes_count_as_asked(num_workers: int, mean_over: MeanOver):
    """Walks that meet the goal end there."""
    kwargs = {"max_episode_steps": 30}
    with make_sampler(num_workers, env_kwargs=kwargs, batch_size=20) as sampler:
        tasks = [{"goal": np.array([0.1, 0.1])}, {"goal": np.array([0.2, 0.0])}]
        train, valid = sampler.sample(tasks, fast_lr=0.5, mean_over=mean_over, iteration=7)
        policy = sampler.policy
    assert isinstance(policy, NormalMLPPolicy)
    other: MeanOver = "steps" if mean_over == "episodes" else "episodes"
    for task in range(2):
        before, after = train[0][task], valid[task]
        assert min(before.lengths) < 15
        assert max(before.lengths) == 30
        assert before.mean_over == after.mean_over == mean_over
        moments = oracle.moments(before.advantages.double().numpy(), before.lengths, mean_over)
        np.testing.assert_allclose(moments, (0, 1), atol=1e-5)
        first = after.observations[0], after.actions[0]
        noise = drawn_noise(0, 7, task, 1, 1, 20)[0]
        params = adapted(policy, [before], [0.5])
        actions = mean_actions(params, first[0]) + params["sigma"].exp() * noise
        torch.testing.assert_close(first[1], actions, rtol=1e-4, atol=1e-4)
        before.mean_over = other
        params = adapted(policy, [before], [0.5])
        assert ((mean_actions(params, first[0]) + params["sigma"].exp() * noise) - actions).abs().max() > 1e-3


def test_one_step_size_stands_for_all_steps():
    with make_sampler() as sampler:
        tasks = sampler.sample_tasks(2)
        one = sampler.sample(tasks, num_steps=2, fast_lr=0.4, iteration=0)
        listed = sampler.sample(tasks, num_steps=2, fast_lr=[0.4, 0.4], iteration=0)
        others = sampler.sample(tasks, num_steps=2, fast_lr=[0.4, 0.1], iteration=0)
    assert identical(one, listed)
    # The second step size shows after the second step alone.
    assert identical((one[0], []), (others[0], []))
    assert not identical(([], one[1]), ([], others[1]))


@pytest.mark.parametrize("fast_lr", [[], [0.1], [0.1, 0.1, 0.1]])
def test_as_many_step_sizes_as_steps_are_expected(fast_lr: list[float]):
    with make_sampler() as sampler, pytest.raises(ValueError, match="entries for 2 steps"):
        sampler.sample_async(sampler.sample_tasks(2), num_steps=2, fast_lr=fast_lr)


def ending_of(episodes: BatchEpisodes) -> tuple[Tensor, Tensor]:
    """The observation after each episode's last step, and whether time cut it."""
    last, truncated = episodes.data.last_observations, episodes.data.truncated
    assert last is not None
    assert truncated is not None
    return last, truncated


def assert_padded_with_zeros(episodes: BatchEpisodes) -> None:
    steps, lengths = len(episodes), episodes.lengths
    assert max(lengths) == steps
    expected = torch.tensor([[float(t < length) for length in lengths] for t in range(steps)])
    assert torch.equal(episodes.mask, expected)
    behind = expected == 0
    for tensor in (episodes.observations, episodes.actions, episodes.rewards, episodes.advantages):
        assert (tensor[behind] == 0).all()
    assert (episodes.rewards[~behind] != 0).all()
    assert (episodes.returns[behind] == 0).all()


@pytest.mark.parametrize("num_workers", [0, 2])
def test_episodes_that_end_early_are_padded_with_zeros(num_workers: int):
    kwargs = {"max_episode_steps": 50}
    with make_sampler(num_workers, "AntVel-v2", kwargs, batch_size=6) as sampler:
        samples = sample(sampler, num_tasks=3)
    everything = flat(samples)
    assert len({length for episodes in everything for length in episodes.lengths}) > 5
    for episodes in everything:
        # Tasks of one item are padded to the longest of them.
        assert max(episodes.lengths) <= len(episodes) <= 50
        real = episodes.observations[:, :, 2] != 0
        assert real.sum(0).tolist() == episodes.lengths
        # An episode ends when the torso leaves [0.2, 1], or after 50 steps.
        last, truncated = ending_of(episodes)
        outside = (last[:, 2] < 0.2) | (last[:, 2] > 1.0)
        assert torch.equal(truncated, ~outside)
        assert (torch.tensor(episodes.lengths)[truncated] == 50).all()
        heights = episodes.observations[1:, :, 2]
        assert ((heights >= 0.2) & (heights <= 1.0) | (heights == 0)).all()


@pytest.mark.parametrize("num_workers", [0, 1])
def test_walks_that_reach_the_goal_end_there(num_workers: int):
    with make_sampler(num_workers, batch_size=40, tasks_per_item=1) as sampler:
        near, far = {"goal": np.array([0.1, 0.1])}, {"goal": np.array([5.0, 5.0])}
        train, valid = sampler.sample([near, far])
    assert min(train[0][0].lengths) < 12
    assert train[0][1].lengths == [12] * 40
    for episodes in flat((train, valid)):
        assert_padded_with_zeros(episodes)
    # The position after the last step of a walk that ended early is at the goal.
    last, truncated = ending_of(train[0][0])
    at_goal = ((last - 0.1).abs() < 0.01).all(-1)
    assert at_goal.any()
    assert torch.equal(truncated, ~at_goal)


def test_a_meta_batch_without_tasks_is_empty():
    with make_sampler(1) as sampler:
        assert sampler.sample([], num_steps=2) == ([[], []], [])


def test_samplers_draw_tasks_from_the_environment_they_are_given():
    env = gym.make("2DNavigation-v0", low=3.0, high=4.0)
    with make_sampler(env=env, env_kwargs=NAVIGATION) as sampler:
        goals = np.array([task["goal"] for task in sampler.sample_tasks(50)])
    assert ((goals >= 3) & (goals <= 4)).all()


def test_a_multi_task_sampler_has_workers():
    with pytest.raises(ValueError, match="expected at least 1, got -1"):
        make_sampler(num_workers=-1)


def test_kwargs_reach_the_workers_environments():
    arguments: dict[str, Any] = {
        "env_name": "TabularMDP-v0",
        "env_kwargs": {"num_states": 4, "num_actions": 2},
    }
    with make_sampler(1, **arguments) as sampler:
        train, _ = sample(sampler, num_tasks=1)
    assert train[0][0].observations.shape == (10, 3, 4)
