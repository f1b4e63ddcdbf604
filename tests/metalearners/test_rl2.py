"""RL²: gradients through time, what its updates are, and what its keys say."""

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from torch import Tensor

from maml_rl.baseline import make_baseline
from maml_rl.config import Config
from maml_rl.config.parsing import parse_config
from maml_rl.errors import UsageError
from maml_rl.losses import clipped_surrogate, likelihood_ratio
from maml_rl.metalearners import MetaState
from maml_rl.metalearners.chunks import chunk_threads
from maml_rl.metalearners.rl2 import RL2
from maml_rl.metalearners.trial_credit import TrialCredit
from maml_rl.metalearners.trial_problem import SequenceLoss, TrialProblem
from maml_rl.metalearners.trials import Sequences, Trials
from maml_rl.policies.cells import CELLS
from maml_rl.policies.normalized import REWARD_SCALE
from maml_rl.policies.recurrent import RecurrentPolicy
from maml_rl.samplers import Recipe
from maml_rl.training import Run, RunSettings
from tests.policies.test_recurrent import BOX, DISCRETE, policy_of, slope

SIZES: dict[str, Any] = {
    "env_name": "TabularMDP-v0",
    "env_kwargs": {"num_states": 3, "max_episode_steps": 4},
    "meta_batch_size": 4,
    "fast_batch_size": 3,
    "tasks_per_item": 2,
    "num_steps": 2,
    "units": 5,
}
ROWS, STEPS = 5, 6


def sequences(policy: RecurrentPolicy, discrete: bool) -> Sequences:
    generator = torch.Generator().manual_seed(3)

    def random(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator, dtype=torch.float64)

    actions = torch.randint(4, (ROWS, STEPS), generator=generator) if discrete else random(ROWS, STEPS, 2)
    weights = torch.rand(ROWS, STEPS, generator=generator, dtype=torch.float64)
    weights[0, 3:] = 0
    tasks = torch.tensor([0, 0, 1, 1, 1])
    for task in range(2):
        weights[tasks == task] /= weights[tasks == task].sum()
    inputs, states = random(ROWS, STEPS, policy.inputs_size), random(ROWS, policy.memory_size)
    return Sequences(inputs, states, actions, random(ROWS, STEPS), random(ROWS, STEPS), weights, tasks)


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("discrete", [True, False], ids=["discrete", "box"])
@pytest.mark.parametrize("critic", ["recurrent", "separate", None])
def test_gradients_through_time_are_those_of_finite_differences(
    cell: str, discrete: bool, critic: str | None
):
    policy = policy_of(cell, DISCRETE if discrete else BOX, critic=critic).double()
    theta = policy.get_vector().double()
    data = sequences(policy, discrete)
    loss = SequenceLoss(lambda pi, batch: clipped_surrogate(pi, batch, 0.2), entropy=0.3, value=0.7)
    with chunk_threads() as parallel_map:
        problem = TrialProblem(policy, theta, data, loss, parallel_map)
        generator = torch.Generator().manual_seed(4)
        direction = torch.randn(len(theta), dtype=torch.float64, generator=generator)
        moved = theta + 0.01 * direction

        def value(at: Tensor) -> Tensor:
            unrolled = policy.unroll(policy.unflatten(at), data.inputs, data.states)
            batch = data.stacked()._replace(old=policy.unroll(policy.unflatten(theta), *data[:2]).pi)
            return loss(unrolled, batch, data.targets).sum() / 2

        for at in (theta, moved):
            gradient = problem.gradient(at, torch.arange(ROWS))
            expected = slope(value, at, direction)
            torch.testing.assert_close(gradient @ direction, expected, rtol=1e-6, atol=1e-9)
        parts = [problem.gradient(moved, rows) for rows in (torch.tensor([0, 3]), torch.tensor([1, 2, 4]))]
        shares = [data.weights[[0, 3]].sum() / 2, data.weights[[1, 2, 4]].sum() / 2]
        together = sum(part * share for part, share in zip(parts, shares, strict=True))
        torch.testing.assert_close(together, problem.gradient(moved, torch.arange(ROWS)))


@pytest.mark.parametrize("cell", CELLS)
def test_fisher_products_through_time_are_the_curvature_of_the_kl(cell: str):
    policy = policy_of(cell).double()
    theta = policy.get_vector().double()
    data = sequences(policy, discrete=True)
    with chunk_threads() as parallel_map:
        problem = TrialProblem(policy, theta, data, SequenceLoss(likelihood_ratio), parallel_map)
        generator = torch.Generator().manual_seed(5)
        u, v = torch.randn(2, len(theta), dtype=torch.float64, generator=generator)
        product = problem.fisher_product(u)
        torch.testing.assert_close(product @ v, problem.fisher_product(v) @ u, rtol=1e-8, atol=1e-12)
        size = 1e-4
        kl = sum(problem.evaluate(theta + sign * size * u).kls.mean() for sign in (1, -1)) / size**2
        torch.testing.assert_close(product @ u, kl, rtol=1e-4, atol=1e-8)
        kept = TrialProblem(policy, theta, data, SequenceLoss(likelihood_ratio), parallel_map, keep=False)
        assert torch.equal(kept.fisher_product(u), product)
        half = problem.fisher_product(u, fraction=0.4)
        assert not torch.allclose(half, product)


def one_update(**keys: Any) -> tuple[Run, MetaState, Any, list[Any]]:
    config = Config(metalearner="rl2", **(SIZES | keys))
    with Run(config, RunSettings(seed=3)) as run:
        state = run.init()
        tasks = run.sampler.sample_tasks(config.meta_batch_size, iteration=0)
        rounds = run.sampler.sample(tasks, state.theta, Recipe.of(config), 0)
        return run, state, run.learner.update(state, rounds), rounds


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"outer": "trust-region"},
        {"critic": "recurrent", "minibatches": 3, "max_grad_norm": 0.5, "entropy_coefficient": 0.01},
        {"cell": "lstm", "encoder_sizes": (4,), "hidden_sizes": (4,), "chunk": 5, "overlap": 2},
        {
            "critic": "separate",
            "encoder_sizes": (4,),
            "chunk": 5,
            "overlap": 2,
            "normalize_observations": True,
        },
        {"normalize_observations": True, "normalize_rewards": True},
        {"credit_over": "episode", "bootstrap_over": "episode"},
        {"env_name": "2DNavigation-v0", "env_kwargs": {"max_episode_steps": 4}, "policy": "squashed"},
    ],
    ids=lambda keys: "-".join(keys) or "defaults",
)
def test_an_update_lowers_the_loss_and_reports_its_columns(keys: dict[str, Any]):
    run, state, update, _ = one_update(**keys)
    assert list(update.metrics) == list(run.learner.columns)
    assert update.metrics["loss_after"] < update.metrics["loss_before"]
    assert not torch.equal(update.state.theta, state.theta)
    assert set(update.state.memory) == set(run.learner.init().memory)
    fixed = set(run.learner.layout.shapes) - set(run.learner.adaptation.policy.moving)
    for name in fixed:
        assert torch.equal(*(run.learner.layout.view(x.theta)[name] for x in (state, update.state)))


@pytest.mark.parametrize("over", ["trial", "episode"])
@pytest.mark.parametrize("baseline", ["linear", "linear-cv"])
def test_the_scale_of_rewards_is_that_of_values_too(baseline: str, over: str):
    """Advantages of rewards that a scale multiplies are those of the rewards, times it."""
    keys = {"bootstrap_over": over, "normalize_advantages": False, "normalize_rewards": True}
    run, state, _, rounds = one_update(**keys, fast_batch_size=8, gae_lambda=0.5)
    policy, trials = run.learner.adaptation.policy, Trials.of(rounds)
    assert isinstance(policy, RecurrentPolicy)
    credit = TrialCredit(policy, run.config, make_baseline(baseline, policy.observation_size))

    def sequences(scale: float) -> tuple[Sequences, float]:
        theta = state.theta.clone()
        run.learner.layout.view(theta)[REWARD_SCALE].fill_(scale)
        with chunk_threads() as parallel_map:
            return credit.sequences(theta, trials, parallel_map)

    (plain, explained), (scaled, explained_scaled) = sequences(1.0), sequences(0.01)
    torch.testing.assert_close(scaled.advantages, 0.01 * plain.advantages, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(scaled.targets, 0.01 * plain.targets)
    assert explained_scaled == pytest.approx(explained, rel=1e-4)


def test_the_learner_recomputes_what_workers_did():
    """The distributions that actions were drawn from, from the trials alone."""
    acted: list[Tensor] = []
    original = RecurrentPolicy.stepper

    def spied(self: RecurrentPolicy, params: Any) -> Any:
        step = original(self, params)

        def stepping(x: Tensor, state: Tensor) -> Any:
            acted.append(torch.cat([x, state], dim=-1).clone())
            return step(x, state)

        return stepping

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RecurrentPolicy, "stepper", spied)
        run, _, _, rounds = one_update(tasks_per_item=4)
    assert isinstance(run.learner, RL2)
    policy = run.learner.adaptation.policy
    trials = Trials.of(rounds)
    inputs = TrialCredit(policy, run.config, make_baseline("none", 1)).inputs(trials)
    rows = torch.stack(acted, dim=1)[..., : policy.inputs_size]
    torch.testing.assert_close(inputs, rows[:, : inputs.shape[1]])


def test_workers_compute_no_advantages_for_a_learner_of_whole_trials():
    _, _, _, rounds = one_update()
    with pytest.raises(ValueError, match="the advantages have not been computed"):
        _ = rounds[0][0].advantages


def test_advantages_are_0_where_nothing_made_a_difference():
    bandit = {"env_name": "tests.metalearners.test_rl2:AlwaysOne", "env_kwargs": {}}
    _, state, update, _ = one_update(**bandit)
    assert torch.equal(update.state.theta, state.theta)


def test_episodes_per_trial_is_another_way_to_say_num_steps():
    config = parse_config({"env-name": "Bandit-K5-v0", "metalearner": "rl2", "episodes-per-trial": 10}, "x")
    assert config.num_steps == 9
    again = parse_config(config.to_dict(), "x")
    assert again == config
    with pytest.raises(UsageError, match=r"^x: num-steps 3 makes 4 episodes per trial, not 10$"):
        parse_config(config.to_dict() | {"num-steps": 3, "episodes-per-trial": 10}, "x")


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ({"chunk": 4, "overlap": 4}, "overlap 4 leaves nothing of chunk 4"),
        ({"overlap": 2}, "overlap 2 is of chunks: set chunk"),
        ({"outer": "trust-region", "critic": "recurrent"}, "set critic to linear"),
        ({"episodes-per-trial": 0}, "episodes-per-trial"),
        ({"fast-lr": 0.1}, "rl2 has no key 'fast-lr'"),
    ],
)
def test_keys_that_do_not_go_together_are_told(keys: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        parse_config({"env-name": "Bandit-K5-v0", "metalearner": "rl2", **keys}, "x")


def test_bootstrapping_behind_a_trial_is_refused():
    with pytest.raises(UsageError, match="bootstrap-truncated"):
        one_update(bootstrap_truncated=True)


class AlwaysOne(gym.Env[Any, Any]):
    """Two actions, and a reward of 1 whatever was done."""

    observation_space = gym.spaces.Box(-1.0, 1.0, (1,))
    action_space = gym.spaces.Discrete(2)

    def sample_tasks(self, num_tasks: int) -> list[dict[str, int]]:
        return [{"number": i} for i in range(num_tasks)]

    def reset_task(self, task: Any) -> None: ...

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        return np.zeros(1, np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        return np.zeros(1, np.float32), 1.0, True, False, {}


@pytest.mark.parametrize("episodes", [10, "10", 10.0, np.int64(10)], ids=repr)
def test_episodes_per_trial_count_however_they_are_written(episodes: Any):
    entries = {"env-name": "Bandit-K5-v0", "metalearner": "rl2"}
    config = parse_config(entries | {"episodes-per-trial": episodes}, "here")
    assert (config.num_steps, config.to_dict()["episodes-per-trial"]) == (9, None)
    for steps in ("9", 9.0):
        assert parse_config(entries | {"episodes-per-trial": episodes, "num-steps": steps}, "here") == config
    for steps in (3, "3"):
        with pytest.raises(UsageError, match="num-steps 3 makes 4 episodes per trial, not 10"):
            parse_config(entries | {"episodes-per-trial": episodes, "num-steps": steps}, "here")
    for wrong in ("many", 2.5, 0, True):
        with pytest.raises(UsageError, match="'episodes-per-trial': "):
            parse_config(entries | {"episodes-per-trial": wrong}, "here")
