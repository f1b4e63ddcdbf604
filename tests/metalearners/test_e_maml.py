"""E-MAML's term against the derivative of the return after adaptation, over all episodes of a small MDP."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from maml_rl.config import Config
from maml_rl.losses import Round, reinforce, surrogate
from maml_rl.metalearners.base import GradientMetaLearner
from maml_rl.metalearners.e_maml import sampling_term
from maml_rl.metalearners.problem import TaskChunk
from maml_rl.policies.distributions import CategoricalLogits
from maml_rl.samplers import Recipe
from maml_rl.stacked import stack_episodes
from maml_rl.training import Run, RunSettings
from tests.test_dice import ALL, LOGITS, STEPS, expected_return, probabilities, values

ALPHA = 5.0


def returns_after(logits: Tensor) -> Tensor:
    """The expected return after a step on each episode."""
    losses = values(reinforce, ALL, logits)
    after = [
        expected_return(logits - ALPHA * torch.autograd.grad(loss, logits, create_graph=True)[0])
        for loss in losses
    ]
    return torch.stack(after)


def test_the_term_is_what_maml_drops():
    logits = LOGITS.clone().requires_grad_()
    after = returns_after(logits)
    whole, of_maml = (p @ after for p in (probabilities(logits), probabilities(LOGITS)))
    (dropped,) = torch.autograd.grad(whole - of_maml, logits)
    assert dropped.abs().max() > 1e-2

    def term(logits: Tensor) -> Tensor:
        train = Round(CategoricalLogits(ALL.observations @ logits), ALL)
        return probabilities(LOGITS) @ sampling_term([train], STEPS * after.detach())

    torch.testing.assert_close(-jacobian(term, LOGITS), dropped)


@pytest.mark.parametrize("outer", ["trust-region", "adam"])
def test_credit_is_the_valid_return_normalised_over_tasks(outer: str):
    keys: dict[str, Any] = {"meta_batch_size": 4, "fast_batch_size": 3, "num_steps": 1, "hidden_sizes": (4,)}
    coefficients = {
        name: Config(
            metalearner="e-maml", env_name="TabularMDP-v0", outer=outer, sampling_coefficient=x, **keys
        )
        for name, x in (("with", 3.0), ("without", 0.0))
    }
    losses = {}
    for name, config in coefficients.items():
        with Run(config, RunSettings(seed=1)) as run:
            assert isinstance(run.learner, GradientMetaLearner)
            theta = run.init().theta
            tasks = run.sampler.sample_tasks(4, iteration=0)
            rounds = run.sampler.sample(tasks, theta, Recipe.of(config), 0)
            chunk = TaskChunk(
                run.learner.adaptation,
                theta,
                [stack_episodes(episodes) for episodes in rounds],
                run.learner.objective(run.init(), rounds),
                keep=False,
            )
            losses[name] = chunk.at_old()[0]
            policy = run.learner.adaptation.policy
    returns = np.array([np.mean([float(x) for x in batch.rewards.sum(0)]) for batch in rounds[1]])
    credit = (returns - returns.mean()) / returns.std()
    train = stack_episodes(rounds[0])
    pi = policy.outputs(train.observations, policy.unflatten(theta.expand(4, -1)))
    log_probs = (train.weights * pi.log_prob(train.actions)).sum(1).numpy()
    term = (losses["with"] - losses["without"]).numpy()
    np.testing.assert_allclose(term, -3.0 * credit * log_probs, rtol=1e-4, atol=1e-5)


def test_tasks_of_equal_returns_have_no_credit():
    config = Config(metalearner="e-maml", env_name="TabularMDP-v0", hidden_sizes=(4,))
    with Run(config, RunSettings(seed=1)) as run:
        assert isinstance(run.learner, GradientMetaLearner)
        state = run.init()
        (task,) = run.sampler.sample_tasks(1, iteration=0)
        rounds = run.sampler.sample([task], state.theta, Recipe.of(config), 0)
        objective = run.learner.objective(state, [[*of_round, *of_round] for of_round in rounds])
        batches = [stack_episodes(of_round) for of_round in rounds]
        chunk = TaskChunk(run.learner.adaptation, state.theta, batches, objective, keep=False)
        plain = TaskChunk(run.learner.adaptation, state.theta, batches, surrogate, keep=False)
        assert torch.equal(chunk.at_old()[0], plain.at_old()[0])
