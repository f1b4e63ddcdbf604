"""E-MAML's term against the derivative of the return after adaptation, over all episodes of a small MDP."""

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import jacobian

from maml_rl.config import Config
from maml_rl.losses import Round, reinforce
from maml_rl.metalearners.e_maml import RETURN_MEAN, RETURN_SCALE, mean_return, sampling_term
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
def test_credit_is_the_valid_return_among_those_of_the_last_update(outer: str):
    keys = {"meta_batch_size": 4, "fast_batch_size": 3, "num_steps": 1, "hidden_sizes": (4,)}
    config = Config(metalearner="e-maml", env_name="TabularMDP-v0", outer=outer, **keys)
    with Run(config, RunSettings(seed=1)) as run:
        state = run.init()
        assert float(state.memory[RETURN_SCALE]) == 0.0
        tasks = run.sampler.sample_tasks(4, iteration=0)
        rounds = run.sampler.sample_async(tasks, state.theta, Recipe.of(config), 0)
        update = run.update(state, rounds)
        valid = [future.result() for future in rounds[-1]]
    returns = torch.stack([batch.rewards.sum(0).mean() for batch in valid])
    assert float(update.state.memory[RETURN_MEAN]) == pytest.approx(float(returns.mean()))
    assert float(update.state.memory[RETURN_SCALE]) == pytest.approx(1 / float(returns.std(unbiased=False)))
    batch = stack_episodes(valid)
    pi = CategoricalLogits(torch.zeros(*batch.weights.shape, 5))
    torch.testing.assert_close(mean_return(Round(pi, batch)), returns)
