"""The plain reference of a meta-update: what one writes first.

A loop over tasks; the adapted parameters and the KL's gradient keep their graphs; a Fisher-vector product
differentiates the KL a second time, through adaptation. All intra-op threads. Conjugate gradient and line
search are the package's own: what is compared is the mathematics in between.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from maml_rl.episode import BatchEpisodes
from maml_rl.optim.base import Comparison, Evaluation, Step
from maml_rl.optim.trust_region import TrustRegion
from maml_rl.policies.base import Policy


class PlainTask:
    """One task's graphs at ``theta``."""

    def __init__(
        self,
        policy: Policy,
        theta: Float[Tensor, "P"],
        train: Sequence[BatchEpisodes],
        valid: BatchEpisodes,
        fast_lr: float,
    ):
        self._policy, self._train, self._valid, self._fast_lr = policy, train, valid, fast_lr
        self.theta = theta.clone().requires_grad_()
        pi = self._pi(self.theta, second_order=True)
        self._old = Independent(Normal(pi.mean.detach(), pi.stddev.detach()), 1)
        self._old_log_probs = self._old.log_prob(valid.actions)
        self.loss = self._surrogate(pi)
        (self.gradient,) = torch.autograd.grad(self.loss, self.theta, retain_graph=True)
        kl = self._mean(kl_divergence(self._old, pi), valid)
        (self._kl_gradient,) = torch.autograd.grad(kl, self.theta, create_graph=True)

    def fisher_product(self, vector: Float[Tensor, "P"]) -> Float[Tensor, "P"]:
        (product,) = torch.autograd.grad(self._kl_gradient @ vector, self.theta, retain_graph=True)
        return product

    def loss_and_kl(self, theta: Float[Tensor, "P"]) -> tuple[Tensor, Tensor]:
        pi = self._pi(theta.clone().requires_grad_(), second_order=False)
        with torch.no_grad():
            return self._surrogate(pi), self._mean(kl_divergence(self._old, pi), self._valid)

    def _pi(self, params: Tensor, second_order: bool) -> Distribution:
        for episodes in self._train:
            log_probs = self._at(params, episodes).log_prob(episodes.actions)
            loss = -self._mean(log_probs * episodes.advantages, episodes)
            (gradient,) = torch.autograd.grad(loss, params, create_graph=second_order)
            params = params - self._fast_lr * gradient
        return self._at(params, self._valid)

    def _at(self, params: Tensor, episodes: BatchEpisodes) -> Distribution:
        return self._policy(episodes.observations, params=self._policy.unflatten(params))

    def _surrogate(self, pi: Distribution) -> Tensor:
        ratios = (pi.log_prob(self._valid.actions) - self._old_log_probs).exp()
        return -self._mean(ratios * self._valid.advantages, self._valid)

    @staticmethod
    def _mean(x: Tensor, episodes: BatchEpisodes) -> Tensor:
        mask = episodes.mask
        return ((x * mask).sum(0) / mask.sum(0)).mean()


class PlainProblem:
    """`maml_rl.optim.base.Problem` of a meta-batch, one task after another."""

    def __init__(self, tasks: Sequence[PlainTask]):
        self._tasks = tasks

    def at_old(self) -> Evaluation:
        losses = torch.stack([task.loss.detach() for task in self._tasks])
        return Evaluation(losses, torch.stack([task.gradient for task in self._tasks]).mean(0))

    def fisher_product(self, vector: Float[Tensor, "P"], fraction: float = 1.0) -> Float[Tensor, "P"]:
        if fraction != 1:
            raise NotImplementedError("the plain reference knows no part of the steps")
        dtype = self._tasks[0].theta.dtype
        return torch.stack([task.fisher_product(vector.to(dtype)) for task in self._tasks]).mean(0)

    def at(self, theta: Float[Tensor, "P"]) -> Evaluation:
        raise NotImplementedError("a trust region asks for no other gradient")

    def evaluate(self, theta: Float[Tensor, "P"]) -> Comparison:
        losses, kls = zip(*(task.loss_and_kl(theta) for task in self._tasks), strict=True)
        return Comparison(torch.stack(losses), torch.stack(kls))


def plain_step(
    policy: Policy,
    theta: Float[Tensor, "P"],
    rounds: Sequence[Sequence[BatchEpisodes]],
    fast_lr: float,
    region: TrustRegion,
) -> Step:
    """Return what a meta-update from ``theta`` does.

    Args:
        rounds: ``[round][task]``; the last ones are those after adaptation.
    """
    tasks = [PlainTask(policy, theta, train, valid, fast_lr) for *train, valid in zip(*rounds, strict=True)]
    return region.step(PlainProblem(tasks), theta, {})
