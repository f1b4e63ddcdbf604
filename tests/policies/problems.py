"""Hand-made tasks for any policy, and references by loops and plain autograd. All float64."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn
from torch.func import functional_call

from maml_rl.adaptation import GradientStep
from maml_rl.losses import Loss, Objective, reinforce, surrogate
from maml_rl.metalearners.problem import TaskChunk
from maml_rl.policies.base import Policy
from maml_rl.policies.module import ModulePolicy
from maml_rl.stacked import StackedEpisodes
from tests.policies import own

TASKS, STEPS = 2, 5
FAST_LR = 0.1


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def random_theta(policy: Policy, seed: int = 0) -> Tensor:
    """The policy's own, moved, but for what never moves."""
    theta = policy.get_vector().double()
    moving = getattr(policy, "moving", policy.layout.shapes)
    noise = policy.layout.view(0.3 * random(theta.numel(), seed=seed))
    parts = {n: x + noise[n] if n in moving else x for n, x in policy.layout.view(theta).items()}
    return policy.layout.join(parts)


def episodes(policy: Policy, theta: Tensor, seed: int) -> StackedEpisodes:
    """Actions that the policy may take; the last step of the last task has no weight."""
    generator = torch.Generator().manual_seed(seed)
    observations = random(TASKS, STEPS, policy.input_size, seed=seed)
    pi = policy.outputs(observations, policy.unflatten(theta))
    shape = policy.noise(np.random.default_rng(0), (TASKS, STEPS)).shape
    noise = torch.rand(shape, generator=generator, dtype=torch.float64)
    discrete = "logits" in getattr(pi, "_fields", ())
    actions = pi.sample(noise if discrete else 2 * noise - 1).detach()
    weights = torch.full((TASKS, STEPS), 1 / STEPS, dtype=torch.float64)
    weights[-1] = torch.tensor([1.0, 1.0, 1.0, 1.0, 0.0]) / 4
    return StackedEpisodes(observations, actions, random(TASKS, STEPS, seed=seed + 1), weights)


def chunk(
    policy: Policy,
    theta: Tensor,
    batches: Sequence[StackedEpisodes],
    loss: Loss = reinforce,
    objective: Objective = surrogate,
    first_order: bool = False,
) -> TaskChunk:
    return TaskChunk(GradientStep(policy, loss, FAST_LR, first_order), theta, batches, objective, keep=True)


def rounds(policy: Policy, theta: Tensor, inner_steps: int = 1) -> list[StackedEpisodes]:
    return [episodes(policy, theta, seed=10 * i) for i in range(inner_steps + 1)]


def task_of(batch: StackedEpisodes, task: int) -> StackedEpisodes:
    observations, actions, advantages, weights = (x[task : task + 1] for x in batch[:4])
    return StackedEpisodes(observations, actions, advantages, weights)


def adapted_numbers(policy: ModulePolicy, train: Sequence[StackedEpisodes], valid: StackedEpisodes):
    """Return theta -> the numbers at the valid round, of one task: no vmap, and every graph is kept."""

    def numbers(params: Tensor, batch: StackedEpisodes):
        x = batch.observations[0].view(-1, *policy._shape)
        own = policy.own_params()
        tensors = {
            n: y if n in policy.moving else own[n].double() if own[n].is_floating_point() else own[n]
            for n, y in policy.layout.view(params).items()
        }
        output = functional_call(policy.module, tensors, (x,))
        return policy.kind(*((output,) if isinstance(output, Tensor) else output))

    def at(theta: Tensor):
        params = theta if theta.requires_grad else theta.clone().requires_grad_()
        for batch in train:
            log_probs = numbers(params, batch).log_prob(batch.actions[0])
            loss = -(batch.weights[0] * batch.advantages[0] * log_probs).sum()
            (gradient,) = torch.autograd.grad(loss, params, create_graph=True)
            params = params - FAST_LR * gradient
        return numbers(params, valid)

    return at


def dense_fisher(
    policy: ModulePolicy, theta: Tensor, train: Sequence[StackedEpisodes], valid: StackedEpisodes
) -> Tensor:
    """The Hessian of one task's KL(old || new) at theta, through adaptation."""
    at = adapted_numbers(policy, train, valid)
    old = policy.kind(*(x.detach() for x in at(theta)))

    def mean_kl(theta: Tensor) -> Tensor:
        return (valid.weights[0] * old.kl(at(theta))).sum()

    return torch.autograd.functional.hessian(mean_kl, theta)


def slope(function: Callable[[Tensor], Tensor], theta: Tensor, vector: Tensor, size: float = 1e-4) -> Tensor:
    """The derivative in the direction ``vector``, by central differences; its error is of fourth order."""

    def central(size: float) -> Tensor:
        return (function(theta + size * vector) - function(theta - size * vector)) / (2 * size)

    return (4 * central(size / 2) - central(size)) / 3


def module_policy(
    kind: type[nn.Module], actions: spaces.Space[Any] = own.MOVES, seed: int = 0
) -> ModulePolicy:
    torch.manual_seed(seed)
    return ModulePolicy(kind(own.LINE, actions), own.LINE, actions)
