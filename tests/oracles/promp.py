"""ProMP as its paper writes it (Rothfuss et al. 2019): loops over tasks, episodes and steps.

Nothing here comes from the package. Meant for float64. A *round* is the train episodes of one inner step.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from tests.oracles.maml import Episode, Network, Task, mean_kl, mean_over_steps, surrogate_loss


def likelihood_ratio_loss(network: Network, old: Tensor, new: Tensor, episodes: Sequence[Episode]) -> Tensor:
    """``-E[pi_new(a|s) / pi_old(a|s) A]``, the inner loss ("low variance curvature")."""
    return surrogate_loss(network, old, new, episodes)


def clipped_loss(
    network: Network, old: Tensor, new: Tensor, episodes: Sequence[Episode], clip: float
) -> Tensor:
    """``-E[min(r A, clip(r, 1 - clip, 1 + clip) A)]``; the denominator of r is a constant."""

    def gain(observation: Tensor, action: Tensor, advantage: Tensor) -> Tensor:
        log_prob = network.distribution(new, observation).log_prob(action)
        old_log_prob = network.distribution(old, observation).log_prob(action).detach()
        ratio = (log_prob - old_log_prob).exp()
        clipped = torch.clamp(ratio, 1 - clip, 1 + clip)
        return torch.minimum(ratio * advantage, clipped * advantage)

    return -mean_over_steps(episodes, gain)


class Terms(NamedTuple):
    """What one task has at one ``theta``."""

    old: list[Tensor]
    """Constants: the parameters that sampled, before each inner step and after the last."""
    new: list[Tensor]
    """The same at ``theta``, to which they are differentiable back."""
    inner_losses: list[Tensor]
    """Before each inner step."""
    inner_kls: list[Tensor]
    """``E[KL(pi_old || pi)]`` before each inner step, on the states of its round."""
    clipped: Tensor
    """The objective without its penalty."""
    kl: Tensor
    """``E[KL(pi_old || pi)]`` after the last inner step, on the valid states."""


@dataclass(frozen=True)
class ProMP:
    """ProMP's objective, whose old policies are those adapted from ``theta_old``."""

    network: Network
    theta_old: Tensor
    fast_lr: float
    clip: float
    coefficients: Sequence[float]
    """Of the KL before each inner step."""
    first_order: bool = False

    def old(self, task: Task) -> list[Tensor]:
        phis = [self.theta_old.detach()]
        for episodes in task.train:
            phi = phis[-1].clone().requires_grad_()
            loss = likelihood_ratio_loss(self.network, phi, phi, episodes)
            phis.append(phis[-1] - self.fast_lr * torch.autograd.grad(loss, phi)[0])
        return phis

    def terms(self, theta: Tensor, task: Task) -> Terms:
        phi = theta if theta.requires_grad else theta.detach().requires_grad_()
        old, new, losses, kls = self.old(task), [phi], [], []
        for old_phi, episodes in zip(old, task.train, strict=False):
            kls.append(mean_kl(self.network, old_phi, phi, episodes))
            losses.append(likelihood_ratio_loss(self.network, old_phi, phi, episodes))
            (gradient,) = torch.autograd.grad(losses[-1], phi, create_graph=True)
            phi = phi - self.fast_lr * (gradient.detach() if self.first_order else gradient)
            new.append(phi)
        clipped = clipped_loss(self.network, old[-1], phi, task.valid, self.clip)
        return Terms(old, new, losses, kls, clipped, mean_kl(self.network, old[-1], phi, task.valid))

    def adapted(self, theta: Tensor, task: Task) -> Tensor:
        """The parameters after the inner steps, differentiable back to ``theta``."""
        return self.terms(theta, task).new[-1]

    def inner_kls(self, theta: Tensor, task: Task) -> list[Tensor]:
        return self.terms(theta, task).inner_kls

    def loss(self, theta: Tensor, task: Task) -> Tensor:
        """The clipped objective, plus the mean over inner steps of coefficient times KL."""
        terms = self.terms(theta, task)
        loss = terms.clipped
        for coefficient, kl in zip(self.coefficients, terms.inner_kls, strict=True):
            loss = loss + coefficient * kl / len(terms.inner_kls)
        return loss

    def gradient(self, theta: Tensor, task: Task) -> Tensor:
        theta = theta.detach().requires_grad_()
        return torch.autograd.grad(self.loss(theta, task), theta)[0]

    def finite_differences(self, theta: Tensor, task: Task, width: float = 1e-5) -> Tensor:
        """Gradient of the loss by central differences, through the inner steps even if ``first_order``."""
        slopes = []
        for i in range(theta.numel()):
            shift = torch.zeros_like(theta)
            shift[i] = width
            rise = self.loss(theta + shift, task) - self.loss(theta - shift, task)
            slopes.append(rise.detach() / (2 * width))
        return torch.stack(slopes)

    def mean_loss(self, theta: Tensor, tasks: Sequence[Task]) -> Tensor:
        """What the meta-optimiser follows down."""
        return torch.stack([self.loss(theta, task) for task in tasks]).mean(0)

    def mean_gradient(self, theta: Tensor, tasks: Sequence[Task]) -> Tensor:
        return torch.stack([self.gradient(theta, task) for task in tasks]).mean(0)

    def ratios(self, theta: Tensor, task: Task) -> list[Tensor]:
        """``pi / pi_old`` at each step of each valid episode."""
        old, new = (phis[-1].detach() for phis in self.terms(theta, task)[:2])

        def ratio(observation: Tensor, action: Tensor) -> Tensor:
            log_prob = self.network.distribution(new, observation).log_prob(action)
            return (log_prob - self.network.distribution(old, observation).log_prob(action)).exp()

        return [
            torch.stack([ratio(*step) for step in zip(e.observations, e.actions, strict=True)])
            for e in task.valid
        ]
