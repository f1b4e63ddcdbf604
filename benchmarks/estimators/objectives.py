"""Objectives whose derivatives estimate those of a policy's value, from the package's own inner losses.

Functions of the policy's logits and a sample. All but DiCE without a baseline are one formula (Farquhar et
al. 2019): the sum over steps of ``gamma**t A_t (box(w_t) - box(w_t - log pi_t))`` with
``w_t = lambda w_{t-1} + log pi_t``, and its mean over episodes. A box is 1 and has the derivatives of
``exp``; A are generalised advantages of parameter tau. `maml_rl.losses.loaded_dice` is the case of lambda 1,
`maml_rl.losses.likelihood_ratio` that of 0, but for a constant.

The losses leave out ``gamma**t``: rewards and advantages come to them already multiplied by it. A loss is a
mean over steps, the value a sum: rewards and advantages come multiplied by T, too.
"""

from collections.abc import Callable
from functools import partial

import torch
from jaxtyping import Float
from torch import Tensor

from benchmarks.estimators.mdp import STATES, Sample
from maml_rl.losses import Loss, inner_loss, likelihood_ratio, loaded_dice
from maml_rl.policies.distributions import CategoricalLogits
from maml_rl.stacked import StackedEpisodes, StepOrder

Objective = Callable[[Tensor, Sample], Tensor]


def dice(logits: Tensor, sample: Sample) -> Tensor:
    """Return DiCE's objective without a baseline (Foerster et al. 2018): its advantages are the returns."""
    # The rewards hold their discounts: the loss has none left to apply.
    return _objective(inner_loss("dice", gamma=1.0), logits, sample, sums_ahead(sample.rewards))


def of_advantages(logits: Tensor, sample: Sample, loss: Loss, tau: float) -> Tensor:
    """Return the objective of ``loss`` with generalised advantages of parameter ``tau``."""
    return _objective(loss, logits, sample, sums_ahead(sample.td_errors, tau))


OBJECTIVES: dict[str, Objective] = {
    "DiCE": dice,
    "Mao's baseline": partial(of_advantages, loss=loaded_dice, tau=1.0),
    "Loaded DiCE": partial(of_advantages, loss=loaded_dice, tau=0.0),
    "LVC": partial(of_advantages, loss=likelihood_ratio, tau=1.0),
}


def sums_ahead(x: Float[Tensor, "B T"], decay: float = 1.0) -> Float[Tensor, "B T"]:
    """Return ``w_t = x_t + decay * w_{t+1}``.

    Of errors that are discounted by ``gamma**t`` these are generalised advantages times ``gamma**t``: only
    tau is left to apply.
    """
    sums = [x[:, -1]]
    for now in x.flip(1).unbind(1)[1:]:
        sums.append(now + decay * sums[-1])
    return torch.stack(sums[::-1], 1)


def _objective(loss: Loss, logits: Tensor, sample: Sample, advantages: Float[Tensor, "B T"]) -> Tensor:
    """Return minus the loss of the sample as one task, whose old policy is that of ``logits``."""
    batch = _batch(sample, advantages)
    old = CategoricalLogits(batch.observations @ logits.detach())
    return -loss(CategoricalLogits(batch.observations @ logits), batch._replace(old=old))[0]


def _batch(sample: Sample, advantages: Float[Tensor, "B T"]) -> StackedEpisodes:
    episodes, steps = sample.actions.shape
    count = sample.actions.numel()
    # Step t of episode k is the (t B + k)th, and stands there: time comes first.
    observations = torch.nn.functional.one_hot(sample.states, STATES).double()
    return StackedEpisodes(
        observations.transpose(0, 1).reshape(1, count, STATES),
        sample.actions.T.reshape(1, count),
        steps * advantages.T.reshape(1, count),
        torch.full((1, count), 1 / count, dtype=torch.float64),
        order=StepOrder(
            sample.rewards.T.reshape(1, count),
            torch.arange(count)[None],
            torch.full((1, episodes), steps),
            torch.full((1,), float(steps), dtype=torch.float64),
        ),
    )
