"""Objectives whose derivatives estimate those of a policy's value: functions of its logits and a sample.

All but DiCE without a baseline are one formula (Farquhar et al. 2019): the sum over steps of
``gamma**t A_t (box(w_t) - box(w_t - log pi_t))`` with ``w_t = lambda w_{t-1} + log pi_t``, and its mean over
episodes. A box is 1 and has the derivatives of ``exp``; A are generalised advantages of parameter tau.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from benchmarks.estimators.mdp import STATES, Sample
from maml_rl.losses import likelihood_ratio
from maml_rl.policies.distributions import CategoricalLogits
from maml_rl.stacked import StackedEpisodes

Objective = Callable[[Tensor, Sample], Tensor]


def dice(logits: Tensor, sample: Sample) -> Tensor:
    """Foerster et al. 2018: rewards, each with all actions up to it."""
    return (sample.rewards * box(_log_probs(logits, sample).cumsum(1))).sum(1).mean()


def loaded_dice(logits: Tensor, sample: Sample, tau: float, lam: float) -> Tensor:
    """Advantages, each with the actions up to it, those before the last forgotten at a rate of ``lam``."""
    log_probs = _log_probs(logits, sample)
    dependencies = decayed_sums(log_probs, lam)
    gains = box(dependencies) - box(dependencies - log_probs)
    return (advantages(sample, tau) * gains).sum(1).mean()


def lvc(logits: Tensor, sample: Sample) -> Tensor:
    """ProMP's inner loss, as the package has it: the formula with tau 1 and lambda 0, but for a constant."""
    observations = torch.nn.functional.one_hot(sample.states.reshape(1, -1), STATES).double()
    steps = sample.actions.shape[1]
    batch = StackedEpisodes(
        observations,
        sample.actions.reshape(1, -1),
        # The loss is a mean over steps, the value a sum.
        steps * advantages(sample, tau=1.0).reshape(1, -1),
        torch.full((1, sample.actions.numel()), 1 / sample.actions.numel(), dtype=torch.float64),
        CategoricalLogits(observations @ logits.detach()),
    )
    return -likelihood_ratio(CategoricalLogits(observations @ logits), batch)[0]


OBJECTIVES: dict[str, Objective] = {
    "DiCE": dice,
    "Mao's baseline": lambda logits, sample: loaded_dice(logits, sample, tau=1.0, lam=1.0),
    "Loaded DiCE": lambda logits, sample: loaded_dice(logits, sample, tau=0.0, lam=1.0),
    "LVC": lvc,
}


def box(x: Tensor) -> Tensor:
    """Return 1 with the derivatives of ``exp(x)`` (DiCE's MagicBox)."""
    return (x - x.detach()).exp()


def advantages(sample: Sample, tau: float) -> Tensor:
    """Return generalised advantages times ``gamma**t``: as the errors are so discounted, only tau is left."""
    return decayed_sums(sample.td_errors.flip(1), tau).flip(1)


def decayed_sums(x: Tensor, decay: float) -> Tensor:
    """Return ``w_t = decay * w_{t-1} + x_t`` over time, the second dimension."""
    if decay == 1:
        return x.cumsum(1)
    sums = [x[:, 0]]
    for now in x.unbind(1)[1:]:
        sums.append(decay * sums[-1] + now)
    return torch.stack(sums, 1)


def _log_probs(logits: Tensor, sample: Sample) -> Tensor:
    return logits.log_softmax(-1)[sample.states, sample.actions]
