"""Scripts written for the 2020 API: every import, call, position, default and attribute that they used."""

import asyncio
import inspect
import os
import subprocess
import sys
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
import torch.nn.functional as F

import maml_rl.envs  # noqa: F401
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.episode import BatchEpisodes
from maml_rl.metalearners import MAMLTRPO
from maml_rl.policies import CategoricalMLPPolicy, NormalMLPPolicy, Policy
from maml_rl.samplers import MultiTaskSampler
from maml_rl.utils.helpers import get_input_size, get_policy_for_env
from maml_rl.utils.reinforcement_learning import get_returns

ROOT = Path(__file__).parents[2]

SCRIPT = """
import gymnasium as gym
import torch
import maml_rl.envs
from maml_rl.metalearners import MAMLTRPO
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.samplers import MultiTaskSampler
from maml_rl.utils.helpers import get_policy_for_env, get_input_size
from maml_rl.utils.reinforcement_learning import get_returns

torch.manual_seed(1)
env_name, env_kwargs = ENVIRONMENT
env = gym.make(env_name, **env_kwargs)
env.close()

policy = get_policy_for_env(env, hidden_sizes=[64, 64], nonlinearity='tanh')
policy.share_memory()
baseline = LinearFeatureBaseline(get_input_size(env))

sampler = MultiTaskSampler(env_name,
                           env_kwargs={**env_kwargs},
                           batch_size=4,
                           policy=policy,
                           baseline=baseline,
                           env=env,
                           seed=1,
                           num_workers=2)

metalearner = MAMLTRPO(policy, fast_lr=0.1, first_order=False, device='cpu')

num_iterations = 0
for batch in range(2):
    tasks = sampler.sample_tasks(num_tasks=3)
    futures = sampler.sample_async(tasks,
                                   num_steps=1,
                                   fast_lr=0.1,
                                   gamma=0.99,
                                   gae_lambda=1.0,
                                   device='cpu')
    logs = metalearner.step(*futures,
                            max_kl=1e-2,
                            cg_iters=10,
                            cg_damping=1e-5,
                            ls_max_steps=15,
                            ls_backtrack_ratio=0.8)

    train_episodes, valid_episodes = sampler.sample_wait(futures)
    num_iterations += sum(sum(episode.lengths) for episode in train_episodes[0])
    num_iterations += sum(sum(episode.lengths) for episode in valid_episodes)
    logs.update(tasks=tasks,
                num_iterations=num_iterations,
                train_returns=get_returns(train_episodes[0]),
                valid_returns=get_returns(valid_episodes))
    for key in ('loss_before', 'kl_before', 'loss_after', 'kl_after'):
        assert len(logs[key]) == len(tasks) == 3, key
    assert logs['train_returns'].shape == logs['valid_returns'].shape == (3, 4)
    assert float(sum(logs['kl_before'])) == 0
    assert 0 < float(sum(logs['kl_after'])) / 3 < 1e-2
    assert sum(logs['loss_after']) < sum(logs['loss_before'])

with open('policy.th', 'wb') as f:
    torch.save(policy.state_dict(), f)

episodes = valid_episodes[0]
assert isinstance(episodes.lengths, list)
assert len(episodes) == max(episodes.lengths)
assert episodes.observations.shape[:2] == episodes.actions.shape[:2] == episodes.rewards.shape
assert episodes.returns.shape == episodes.mask.shape == episodes.advantages.shape == episodes.rewards.shape
sampler.close()
print(num_iterations)
"""

ENVIRONMENTS: dict[str, tuple[dict[str, Any], int]] = {
    "2DNavigation-v0": ({"low": -0.5, "high": 0.5}, 100),
    "TabularMDP-v0": ({"num_states": 7, "num_actions": 3}, 10),
}
each_environment = pytest.mark.parametrize("env_name", ENVIRONMENTS)


@each_environment
def test_a_training_script_runs_without_a_main_guard(tmp_path: Path, env_name: str):
    env_kwargs, steps = ENVIRONMENTS[env_name]
    (tmp_path / "main.py").write_text(SCRIPT.replace("ENVIRONMENT", repr((env_name, env_kwargs))))
    done = subprocess.run(
        [sys.executable, "-W", "error", "main.py"],
        cwd=tmp_path,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert (done.returncode, done.stderr) == (0, "")
    # Two batches of three tasks, train and valid, four episodes each.
    assert 0.9 * 2 * 3 * 2 * 4 * steps < int(done.stdout) <= 2 * 3 * 2 * 4 * steps
    state = torch.load(tmp_path / "policy.th", weights_only=True)
    get_policy_for_env(gym.make(env_name, **env_kwargs), [64, 64]).load_state_dict(state, strict=True)


@each_environment
def test_positional_arguments_have_the_order_of_2020(env_name: str):
    env_kwargs, _ = ENVIRONMENTS[env_name]
    env = gym.make(env_name, **env_kwargs)
    policy = get_policy_for_env(env, [8], "relu")
    sampler = MultiTaskSampler(
        env_name, env_kwargs, 2, policy, LinearFeatureBaseline(get_input_size(env)), env, 1, 1
    )
    assert (sampler.env, sampler.seed, sampler.num_workers) == (env, 1, 1)
    learner = MAMLTRPO(policy, 0.1, False, "cpu")
    futures = sampler.sample_async(sampler.sample_tasks(2), 1, 0.1, 0.99, 1.0, "cpu")
    learner.step(*futures, 1e-2, 5, 1e-2, 3, 0.5)
    sampler.close()


def test_environment_seed_and_workers_are_optional():
    env = gym.make("2DNavigation-v0")
    policy = get_policy_for_env(env)
    with MultiTaskSampler("2DNavigation-v0", {}, 2, policy, LinearFeatureBaseline(2)) as sampler:
        train, valid = sampler.sample(sampler.sample_tasks(num_tasks=1))
    assert len(train[0]) == len(valid) == 1


@pytest.mark.parametrize(
    ("function", "defaults"),
    [
        (MultiTaskSampler, {"env": None, "seed": None, "num_workers": 1}),
        (MAMLTRPO, {"fast_lr": 0.5, "first_order": False, "device": "cpu"}),
        (
            MAMLTRPO.step,
            {
                "max_kl": 1e-3,
                "cg_iters": 10,
                "cg_damping": 1e-2,
                "ls_max_steps": 10,
                "ls_backtrack_ratio": 0.5,
            },
        ),
        (MultiTaskSampler.sample_async, {"num_steps": 1, "fast_lr": 0.5, "gamma": 0.95, "gae_lambda": 1.0}),
        (
            NormalMLPPolicy,
            {"hidden_sizes": (), "nonlinearity": F.relu, "init_std": 1.0, "min_std": 1e-6},
        ),
        (CategoricalMLPPolicy, {"hidden_sizes": (), "nonlinearity": F.relu}),
        (Policy.forward, {"params": None}),
        (Policy.update_params, {"params": None, "step_size": 0.5, "first_order": False}),
        (BatchEpisodes, {"gamma": 0.95, "device": "cpu"}),
        (BatchEpisodes.compute_advantages, {"gae_lambda": 1.0, "normalize": True}),
        (LinearFeatureBaseline, {"reg_coeff": 1e-5}),
    ],
    ids=lambda value: getattr(value, "__qualname__", ""),
)
def test_defaults_are_those_of_2020_and_in_their_order(function: Any, defaults: dict[str, Any]):
    parameters = inspect.signature(function).parameters
    found = {name: parameters[name].default for name in parameters if name in defaults}
    assert list(found.items()) == list(defaults.items())
    assert all(parameters[name].kind is inspect.Parameter.POSITIONAL_OR_KEYWORD for name in defaults)


def make_episodes(policy: Policy, env: gym.Env[Any, Any], lengths: list[int], seed: int) -> BatchEpisodes:
    """Roll out as 2020 scripts did: one append per time step, naming the episodes that still run."""
    rng = np.random.default_rng(seed)
    episodes = BatchEpisodes(len(lengths), 0.99, "cpu")
    for t in range(max(lengths)):
        running = [k for k, length in enumerate(lengths) if t < length]
        observations = rng.standard_normal((len(running), get_input_size(env))).astype(np.float32)
        with torch.no_grad():
            actions = policy(torch.from_numpy(observations)).sample().numpy()
        episodes.append(observations, actions, rng.standard_normal(len(running)), running)
    return episodes


@each_environment
def test_hand_made_episodes_have_all_their_attributes(env_name: str):
    env = gym.make(env_name, **ENVIRONMENTS[env_name][0])
    policy = get_policy_for_env(env, hidden_sizes=[8])
    lengths = [5, 2, 4]
    episodes = make_episodes(policy, env, lengths, seed=0)
    assert episodes.lengths == lengths
    assert len(episodes) == 5
    assert episodes.observations.shape == (5, 3, get_input_size(env))
    action_shape = () if env_name == "TabularMDP-v0" else (2,)
    assert episodes.actions.shape == (5, 3, *action_shape)
    expected = torch.tensor([[float(t < length) for length in lengths] for t in range(5)])
    assert torch.equal(episodes.mask, expected)
    assert torch.equal(episodes.rewards != 0, expected.bool())
    returns = torch.zeros(5, 3)
    for k in range(3):
        for t in range(5):
            returns[t, k] = sum(0.99**i * episodes.rewards[t + i, k] for i in range(5 - t))
    torch.testing.assert_close(episodes.returns, returns)
    np.testing.assert_allclose(
        get_returns([episodes, episodes]), np.stack([episodes.rewards.sum(0)] * 2), rtol=1e-6
    )
    baseline = LinearFeatureBaseline(get_input_size(env))
    baseline.fit(episodes)
    computed = episodes.compute_advantages(baseline, gae_lambda=1.0, normalize=True)
    assert computed is episodes.advantages
    assert computed.shape == (5, 3)
    assert (computed[episodes.mask == 0] == 0).all()
    assert computed.abs().max() > 0.1


def test_advantages_can_be_set_and_must_be_there():
    env = gym.make("2DNavigation-v0")
    episodes = make_episodes(get_policy_for_env(env, [8]), env, [3, 1], seed=0)
    with pytest.raises(ValueError, match="advantages have not been computed"):
        episodes.advantages  # noqa: B018
    episodes.advantages = torch.ones(3, 2)
    assert torch.equal(episodes.advantages, torch.ones(3, 2))
    with pytest.raises(ValueError, match=r"expected shape \[3, 2\], got \[2, 3\]"):
        episodes.advantages = torch.ones(2, 3)


def resolved(episodes: BatchEpisodes) -> "Future[BatchEpisodes]":
    future: Future[BatchEpisodes] = Future()
    future.set_result(episodes)
    return future


def resolved_in_a_loop(episodes: list[BatchEpisodes]) -> list[Any]:
    """As the 2020 sampler made them: futures of asyncio."""

    async def resolve() -> list[Any]:
        futures = [asyncio.get_running_loop().create_future() for _ in episodes]
        for future, value in zip(futures, episodes, strict=True):
            future.set_result(value)
        return futures

    return asyncio.run(resolve())


@each_environment
@pytest.mark.parametrize("kind", ["concurrent", "asyncio", "bare"])
@pytest.mark.parametrize("computed", [True, False], ids=["computed", "set"])
def test_the_metalearner_takes_hand_made_episodes(env_name: str, kind: str, computed: bool):
    torch.manual_seed(0)
    env = gym.make(env_name, **ENVIRONMENTS[env_name][0])
    policy = get_policy_for_env(env, hidden_sizes=[8], nonlinearity="tanh")
    baseline = LinearFeatureBaseline(get_input_size(env))
    batches = [make_episodes(policy, env, [4, 6, 3], seed) for seed in range(4)]
    for episodes in batches:
        if computed:
            baseline.fit(episodes)
            episodes.compute_advantages(baseline)
        else:
            episodes.advantages = episodes.rewards
    if kind == "asyncio":
        futures = resolved_in_a_loop(batches)
    else:
        futures = [resolved(x) for x in batches] if kind == "concurrent" else batches
    before = policy.get_vector()
    logs = MAMLTRPO(policy, fast_lr=0.1).step([futures[:2]], futures[2:], max_kl=1e-2, cg_damping=1e-3)
    assert [np.shape(logs[key]) for key in ("loss_before", "kl_before", "loss_after", "kl_after")] == [
        (2,)
    ] * 4
    assert logs["loss_after"].mean() < logs["loss_before"].mean()
    assert 0 < logs["kl_after"].mean() < 1e-2
    assert not torch.equal(policy.get_vector(), before)


@each_environment
def test_policies_return_distributions_and_take_other_parameters(env_name: str):
    env = gym.make(env_name, **ENVIRONMENTS[env_name][0])
    policy = get_policy_for_env(env, hidden_sizes=[64, 64], nonlinearity="tanh")
    observations = torch.randn(5, get_input_size(env))
    pi = policy(observations)
    assert isinstance(pi, torch.distributions.Distribution)
    log_probs = pi.log_prob(pi.sample())
    assert log_probs.shape == (5,)  # One number per action, whatever its dimensions.
    params = policy.update_params(-log_probs.mean())
    for (name, parameter), (updated_name, updated) in zip(
        policy.named_parameters(), params.items(), strict=True
    ):
        (gradient,) = torch.autograd.grad(-log_probs.mean(), parameter, retain_graph=True)
        assert name == updated_name
        torch.testing.assert_close(updated, parameter - 0.5 * gradient)
        assert updated.grad_fn is not None
    further = policy.update_params(
        -policy(observations, params).log_prob(pi.sample()).mean(), params, 0.1, True
    )
    assert list(further) == list(params)
    assert torch.isfinite(policy(observations, params=further).log_prob(pi.sample())).all()
