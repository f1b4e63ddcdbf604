"""Losses of the inner loop and objectives of the outer one: functions of action distributions and steps.

Each returns one number per task, ``[N]``. Every sum over time is a mean over real steps; the weights of
`StackedEpisodes` hold the divisions. A function touches the distribution's own numbers alone: the networks'
derivatives are the policy's matter (`maml_rl.policies.base.Linearisation`).
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.advantages import discounted_returns
from maml_rl.config.keys.gradient_steps import InnerLossName
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.stacked import StackedEpisodes


class Round(NamedTuple):
    """The steps of a round, and the policy there under the parameters at hand."""

    pi: ActionDistribution
    batch: StackedEpisodes


class Loss:
    """A loss of one round, such as inner steps descend, with its derivatives by the distribution's numbers.

    Those of any function come from autograd; a subclass may know closed forms.

    Args:
        value: ``(pi, batch) -> [N]``, a task's loss depending on its own steps alone.
        of_whole_episodes: whether it looks at how steps follow one another, and so is no mean over steps.
    """

    def __init__(
        self,
        value: Callable[[ActionDistribution, StackedEpisodes], Float[Tensor, "N"]],
        of_whole_episodes: bool = False,
    ):
        self._value, self.of_whole_episodes = value, of_whole_episodes
        self.__doc__ = value.__doc__

    def __call__(self, pi: ActionDistribution, batch: StackedEpisodes) -> Float[Tensor, "N"]:
        """Return each task's loss."""
        return self._value(pi, batch)

    def part(self, batch: StackedEpisodes, fraction: float) -> StackedEpisodes:
        """Return a fraction of the steps, from which the loss can be estimated."""
        return batch.first_episodes(fraction) if self.of_whole_episodes else batch.part(fraction)

    def gradient(self, pi: ActionDistribution, batch: StackedEpisodes) -> ActionDistribution:
        """Return the gradient by the numbers of ``pi``, in its form."""
        with torch.enable_grad():
            leaves = _leaves(pi)
            value = self._value(leaves, batch).sum()
            return type(pi)(*torch.autograd.grad(value, tuple(leaves), materialize_grads=True))

    def gradient_dot(
        self, pi: ActionDistribution, batch: StackedEpisodes, tangent: ActionDistribution
    ) -> ActionDistribution:
        """Return how `gradient` changes in the direction ``tangent``: the Hessian's product with it."""
        with torch.enable_grad():
            leaves = _leaves(pi)
            value = self._value(leaves, batch).sum()
            gradient = torch.autograd.grad(value, tuple(leaves), create_graph=True, materialize_grads=True)
            slope = torch.stack([(g * t).sum() for g, t in zip(gradient, tangent, strict=True)]).sum()
            if not slope.requires_grad:  # The loss is linear.
                return type(pi)(*(torch.zeros_like(x) for x in leaves))
            return type(pi)(*torch.autograd.grad(slope, tuple(leaves), materialize_grads=True))


class _Reinforce(Loss):
    """``-E[log pi(a|s) A]`` (Williams 1992), the inner loss of Finn et al. 2017, eq. 4, in closed form."""

    def __init__(self) -> None:
        super().__init__(lambda pi, batch: -mean(pi.log_prob(batch.actions) * batch.advantages, batch))

    def gradient(self, pi: ActionDistribution, batch: StackedEpisodes) -> ActionDistribution:
        return pi.score(batch.actions, -batch.weights * batch.advantages)

    def gradient_dot(
        self, pi: ActionDistribution, batch: StackedEpisodes, tangent: ActionDistribution
    ) -> ActionDistribution:
        return pi.score_dot(batch.actions, -batch.weights * batch.advantages, tangent)


reinforce = _Reinforce()


def _likelihood_ratio(pi: ActionDistribution, batch: StackedEpisodes) -> Float[Tensor, "N"]:
    """Return ``-E[pi(a|s) / pi_old(a|s) A]``, ProMP's inner loss (Rothfuss et al. 2019, section 4).

    At the old policy its value is ``-E[A]`` and its gradient that of `reinforce`. Its second derivative there
    estimates the Hessian with low variance and some bias.
    """
    return -mean(ratios(pi, batch) * batch.advantages, batch)


# Not by a decorator, which would hide the function: it travels to worker processes by its name.
likelihood_ratio = Loss(_likelihood_ratio)


def _loaded_dice(pi: ActionDistribution, batch: StackedEpisodes) -> Float[Tensor, "N"]:
    """Return ``-E[A (R - R')]``, Loaded DiCE's objective (Farquhar et al. 2019, eq. 13).

    R is the ratio of the probabilities of an episode's actions up to a step, ``pi / pi_old``, and R' that of
    the actions before it. At the old policy, where both are the paper's boxes, the gradient is that of
    `reinforce`, and the second derivative an unbiased estimate.
    """
    now, until = _log_ratios(pi, batch)
    return -mean(batch.advantages * (until.exp() - (until - now).exp()), batch)


loaded_dice = Loss(_loaded_dice, of_whole_episodes=True)


def _dice(pi: ActionDistribution, batch: StackedEpisodes, gamma: float) -> Float[Tensor, "N"]:
    """Return ``-E[G (R - R') - (G - A) (r - 1)]``: DiCE's objective with a baseline (Foerster et al. 2018).

    G are discounted returns from each step on, in the units of the advantages, r the ratio of the step's own
    action, R and R' as in `loaded_dice`. Summed over an episode, ``G (R - R')`` is ``sum_t R_t r_t`` (eq. 12)
    without the discount of its start. The baseline (eq. 15) lowers the variance of the gradient alone.
    """
    order = batch.step_order
    rewards = order.rewards * order.reward_scale[:, None]
    returns = order.flat(discounted_returns(order.by_time(rewards), gamma))
    now, until = _log_ratios(pi, batch)
    of_returns = returns * (until.exp() - (until - now).exp())
    of_baseline = (returns - batch.advantages) * (now.exp() - 1)
    return -mean(of_returns - of_baseline, batch)


def _log_ratios(
    pi: ActionDistribution, batch: StackedEpisodes
) -> tuple[Float[Tensor, "N M"], Float[Tensor, "N M"]]:
    """Return ``log(pi / pi_old)`` of each action, and of an episode's actions up to it together."""
    order = batch.step_order
    change = pi.log_prob(batch.actions) - batch.old_policy.log_prob(batch.actions)
    now = torch.where(batch.weights > 0, change, 0.0)
    return now, order.flat(order.by_time(now).cumsum(1))


def inner_loss(name: InnerLossName, gamma: float) -> Loss:
    """Return the loss of inner steps called ``name``, of rewards that are discounted by ``gamma``."""
    losses = {
        "reinforce": reinforce,
        "likelihood-ratio": likelihood_ratio,
        "dice": Loss(partial(_dice, gamma=gamma), of_whole_episodes=True),
        "loaded-dice": loaded_dice,
    }
    return losses[name]


class Objective:
    """An objective of the outer loop: a function of a task's rounds, with its derivatives.

    Args:
        value: ``rounds -> [N]``; a round for each inner step and the valid one.
        of_valid_alone: whether it depends on the last round alone; it then is given no other.
    """

    def __init__(self, value: Callable[[Sequence[Round]], Float[Tensor, "N"]], of_valid_alone: bool = False):
        self._value = value
        self.of_valid_alone = of_valid_alone

    def __call__(self, rounds: Sequence[Round]) -> Float[Tensor, "N"]:
        """Return each task's objective."""
        return self._value(rounds)

    def gradients(self, rounds: Sequence[Round]) -> list[ActionDistribution | None]:
        """Return the gradient by each round's distribution; None where it does not matter."""
        with torch.enable_grad():
            leaves = [_leaves(pi) for pi, _ in rounds]
            value = self._value([Round(pi, batch) for pi, (_, batch) in zip(leaves, rounds, strict=True)])
            flat = [x for pi in leaves for x in pi]
            found = iter(torch.autograd.grad(value.sum(), flat, allow_unused=True))
        gradients: list[ActionDistribution | None] = []
        for pi in leaves:
            parts = [next(found) for _ in pi]
            given = [torch.zeros_like(x) if part is None else part for x, part in zip(pi, parts, strict=True)]
            gradients.append(None if all(part is None for part in parts) else type(pi)(*given))
        return gradients


class _Surrogate(Objective):
    """``-E[pi(a|s) / pi_old(a|s) A]`` of the valid round (Schulman et al. 2015, eq. 14), in closed form."""

    def __init__(self) -> None:
        super().__init__(lambda rounds: likelihood_ratio(*rounds[-1]), of_valid_alone=True)

    def gradients(self, rounds: Sequence[Round]) -> list[ActionDistribution | None]:
        pi, batch = rounds[-1]
        # Where pi is the old policy every ratio is 1, and this is the policy gradient.
        weights = -batch.weights * batch.advantages * ratios(pi, batch)
        return [pi.score(batch.actions, weights)]


surrogate = _Surrogate()


def ratios(pi: ActionDistribution, batch: StackedEpisodes) -> Float[Tensor, "N M"]:
    """Return ``pi(a|s) / pi_old(a|s)`` at every step.

    Raises:
        ValueError: the batch does not say what the old policy was.
    """
    return (pi.log_prob(batch.actions) - batch.old_policy.log_prob(batch.actions)).exp()


def clipped_surrogate(pi: ActionDistribution, batch: StackedEpisodes, clip: float) -> Float[Tensor, "N"]:
    """Return ``-E[min(r A, clip(r, 1 - clip, 1 + clip) A)]``, r the ratios (Schulman et al. 2017, eq. 7)."""
    ratio = ratios(pi, batch)
    bounded = ratio.clamp(1 - clip, 1 + clip)
    return -mean(torch.minimum(ratio * batch.advantages, bounded * batch.advantages), batch)


def mean_kl(pi: ActionDistribution, batch: StackedEpisodes) -> Float[Tensor, "N"]:
    """Return ``E[KL(pi_old(.|s) || pi(.|s))]`` per task, in nats.

    Raises:
        ValueError: the batch does not say what the old policy was.
    """
    return mean(batch.old_policy.kl(pi), batch)


def mean_entropy(pi: ActionDistribution, batch: StackedEpisodes) -> Float[Tensor, "N"]:
    """Return the mean entropy of ``pi`` per task, in nats."""
    return mean(pi.entropy(), batch)


def mean(x: Float[Tensor, "N M"], batch: StackedEpisodes) -> Float[Tensor, "N"]:
    """Return each task's mean of ``x`` over its real steps."""
    return (batch.weights * x).sum(-1)


def _leaves(pi: ActionDistribution) -> ActionDistribution:
    return type(pi)(*(x.detach().requires_grad_() for x in pi))
