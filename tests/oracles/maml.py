"""MAML and TRPO as the papers write them: loops over tasks, episodes and steps, and dense matrices.

Networks and distributions are plain torch; nothing here comes from the package. Meant for float64.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.distributions import Categorical, Distribution, Independent, Normal, kl_divergence


class Episode(NamedTuple):
    observations: Tensor
    actions: Tensor
    advantages: Tensor


class Task(NamedTuple):
    train: list[list[Episode]]
    """Episodes of each inner step."""
    valid: list[Episode]


@dataclass(frozen=True)
class Network:
    """A multilayer perceptron, and normals around its output if there is a ``sigma``."""

    shapes: dict[str, torch.Size]
    """Of the parameters, in the order in which they follow one another in a vector."""
    nonlinearity: Callable[[Tensor], Tensor] = torch.tanh
    min_std: float = 1e-6

    @classmethod
    def like(cls, module: torch.nn.Module, **kwargs: Any) -> "Network":
        return cls({name: param.shape for name, param in module.named_parameters()}, **kwargs)

    def named(self, vector: Tensor) -> dict[str, Tensor]:
        params = {}
        start = 0
        for name, shape in self.shapes.items():
            params[name] = vector[start : start + shape.numel()].reshape(shape)
            start += shape.numel()
        assert start == vector.numel()
        return params

    def outputs(self, vector: Tensor, observation: Tensor) -> list[Tensor]:
        """The distribution's parameters at one observation: [mean, log std], or [logits]."""
        params = self.named(vector)
        layers = [name.removesuffix(".weight") for name in params if name.endswith(".weight")]
        x = observation
        for layer in layers:
            x = params[f"{layer}.weight"] @ x + params[f"{layer}.bias"]
            if layer != layers[-1]:
                x = self.nonlinearity(x)
        if "sigma" not in params:
            return [x]
        least = torch.tensor(self.min_std, dtype=x.dtype).log()
        return [x, torch.maximum(params["sigma"], least)]

    def distribution(self, vector: Tensor, observation: Tensor) -> Distribution:
        first, *rest = self.outputs(vector, observation)
        if not rest:
            return Categorical(logits=first, validate_args=False)
        return Independent(Normal(first, rest[0].exp(), validate_args=False), 1, validate_args=False)


def mean_over_steps(episodes: Sequence[Episode], value: Callable[[Tensor, Tensor, Tensor], Tensor]) -> Tensor:
    """Mean over each episode's own steps, then over episodes."""
    means = []
    for episode in episodes:
        values = [value(*step) for step in zip(*episode, strict=True)]
        means.append(torch.stack(values).sum() / len(values))
    return torch.stack(means).sum() / len(means)


def reinforce_loss(network: Network, vector: Tensor, episodes: Sequence[Episode]) -> Tensor:
    return -mean_over_steps(
        episodes,
        lambda observation, action, advantage: (
            network.distribution(vector, observation).log_prob(action) * advantage
        ),
    )


def surrogate_loss(network: Network, old: Tensor, new: Tensor, episodes: Sequence[Episode]) -> Tensor:
    """The denominator of the importance ratio is a constant."""

    def gain(observation: Tensor, action: Tensor, advantage: Tensor) -> Tensor:
        log_prob = network.distribution(new, observation).log_prob(action)
        old_log_prob = network.distribution(old, observation).log_prob(action).detach()
        return (log_prob - old_log_prob).exp() * advantage

    return -mean_over_steps(episodes, gain)


def mean_kl(network: Network, old: Tensor, new: Tensor, episodes: Sequence[Episode]) -> Tensor:
    """KL(old || new)."""
    return mean_over_steps(
        episodes,
        lambda observation, _action, _advantage: kl_divergence(
            network.distribution(old.detach(), observation), network.distribution(new, observation)
        ),
    )


class Step(NamedTuple):
    theta: Tensor
    accepted: bool
    backtracks: int
    losses: list[Tensor]
    kls: list[Tensor]


@dataclass(frozen=True)
class Reference:
    """MAML-TRPO around ``theta``; the old policies are those adapted from it."""

    network: Network
    theta: Tensor
    fast_lr: float
    first_order: bool = False

    def adapted(self, theta: Tensor, task: Task) -> Tensor:
        """The parameters after the inner steps, differentiable back to ``theta``."""
        theta = theta if theta.requires_grad else theta.detach().requires_grad_()
        for episodes in task.train:
            loss = reinforce_loss(self.network, theta, episodes)
            (gradient,) = torch.autograd.grad(loss, theta, create_graph=True)
            theta = theta - self.fast_lr * (gradient.detach() if self.first_order else gradient)
        return theta

    def old(self, task: Task) -> Tensor:
        return self.adapted(self.theta, task).detach()

    def loss(self, theta: Tensor, task: Task) -> Tensor:
        return surrogate_loss(self.network, self.old(task), self.adapted(theta, task), task.valid)

    def kl(self, theta: Tensor, task: Task) -> Tensor:
        return mean_kl(self.network, self.old(task), self.adapted(theta, task), task.valid)

    def gradient(self, task: Task) -> Tensor:
        theta = self.theta.detach().requires_grad_()
        return torch.autograd.grad(self.loss(theta, task), theta)[0]

    def finite_differences(self, task: Task, width: float = 1e-5) -> Tensor:
        """Gradient of the loss by central differences."""
        slopes = []
        for i in range(self.theta.numel()):
            shift = torch.zeros_like(self.theta)
            shift[i] = width
            rise = self.loss(self.theta + shift, task) - self.loss(self.theta - shift, task)
            slopes.append(rise.detach() / (2 * width))
        return torch.stack(slopes)

    def jacobian(self, task: Task) -> Tensor:
        """``d phi / d theta``."""
        return torch.autograd.functional.jacobian(lambda theta: self.adapted(theta, task), self.theta)

    def kl_hessian(self, task: Task) -> Tensor:
        """The KL differentiated twice through adaptation."""
        return torch.autograd.functional.hessian(lambda theta: self.kl(theta, task), self.theta)

    def fisher(self, task: Task) -> Tensor:
        """``Jᵀ F J`` with F, the Fisher matrix of the action distribution, written out."""
        total = torch.zeros(self.theta.numel(), self.theta.numel(), dtype=self.theta.dtype)
        for episode in task.valid:
            for observation in episode.observations:
                outputs = self.network.outputs(self.old(task), observation)
                jacobian = torch.autograd.functional.jacobian(
                    lambda theta, s=observation: torch.cat(
                        self.network.outputs(self.adapted(theta, task), s)
                    ),
                    self.theta,
                )
                weight = 1 / (len(task.valid) * len(episode.observations))
                total += weight * jacobian.T @ family_fisher(outputs) @ jacobian
        return total

    def trpo_step(
        self, tasks: Sequence[Task], max_kl: float, damping: float, tries: int, ratio: float
    ) -> Step:
        """One step with the Fisher matrix and the linear system solved densely."""
        gradient = torch.stack([self.gradient(task) for task in tasks]).mean(0)
        fisher = torch.stack([self.kl_hessian(task) for task in tasks]).mean(0)
        damped = fisher + damping * torch.eye(len(gradient), dtype=gradient.dtype)
        direction = torch.linalg.solve(damped, gradient)
        step = direction / (0.5 * direction @ damped @ direction / max_kl).sqrt()
        old_loss = sum(self.loss(self.theta, task) for task in tasks) / len(tasks)
        for backtracks in range(tries):
            theta = self.theta - ratio**backtracks * step
            losses = [self.loss(theta, task).detach() for task in tasks]
            kls = [self.kl(theta, task).detach() for task in tasks]
            if sum(losses) / len(tasks) < old_loss and sum(kls) / len(tasks) < max_kl:
                return Step(theta, True, backtracks, losses, kls)
        return Step(self.theta, False, tries, [], [])


def family_fisher(outputs: list[Tensor]) -> Tensor:
    """Fisher matrix in (mean, log std), or in logits, of one action distribution."""
    if len(outputs) == 2:
        _mean, log_std = outputs
        return torch.diag(torch.cat([1 / log_std.exp() ** 2, torch.full_like(log_std, 2.0)]))
    p = outputs[0].exp() / outputs[0].exp().sum()
    return torch.diag(p) - torch.outer(p, p)
