"""CPU time of a step of Adam in ProMP over that of plain double backward, on the same made-up episodes."""

import time
from collections.abc import Callable, Sequence
from statistics import median
from typing import Any

import torch
from torch import Tensor

from benchmarks.speed.measure import REPETITIONS, Row
from maml_rl._system.threads import one_intra_op_thread
from maml_rl.config import Config
from maml_rl.losses import clipped_surrogate, likelihood_ratio, mean_kl
from maml_rl.metalearners.problem import TaskChunk
from maml_rl.metalearners.promp import ProMP
from maml_rl.policies import NormalMLPPolicy, Policy
from maml_rl.stacked import StackedEpisodes

TASKS, STEPS, OBSERVATIONS, ACTIONS = 40, 2000, 20, 6
CHUNK = 2
"""Tasks in a chunk: as many as `CPU_CHUNK_STEPS` allows."""
TOLERANCE = 1e-4
"""Relative difference of the gradients that counts as the same result."""


def against_double_backward(number: str, bar: float) -> Row:
    """Compare on 40 tasks × 20 episodes × 100 steps before and after adaptation, 2 × 64 units, one thread."""
    torch.manual_seed(0)
    policy = NormalMLPPolicy(OBSERVATIONS, ACTIONS, (64, 64), torch.tanh)
    config = Config(env_name="2DNavigation-v0", metalearner="promp")
    learner = ProMP(policy, config)
    state = learner.init()
    rounds = [[_episodes(policy) for _ in range(2)] for _ in range(TASKS // CHUNK)]
    objective = learner.objective(state, [])
    chunks = [TaskChunk(learner.adaptation, state.theta, batches, objective, False) for batches in rounds]
    for chunk in chunks:
        chunk.at_old()
    moved = state.theta + 0.01 * torch.randn_like(state.theta)
    olds = [
        [b._replace(old=pi) for b, pi in zip(batches, _old(policy, batches, config), strict=True)]
        for batches in rounds
    ]

    def ours() -> Tensor:
        return torch.cat([chunk.at(moved)[1] for chunk in chunks]).mean(0)

    def plain() -> Tensor:
        return torch.stack([_plain(policy, moved, batches, config) for batches in olds]).sum(0) / TASKS

    with one_intra_op_thread():
        a, b = ours(), plain()
        if (a - b).norm() > TOLERANCE * b.norm():
            raise AssertionError(f"the gradients differ by {((a - b).norm() / b.norm()).item():.1e}")
        pairs = [(_cpu_seconds(ours), _cpu_seconds(plain)) for _ in range(2 * REPETITIONS)]
    return Row(
        number,
        "ProMP: a step of Adam over plain double backward, CPU seconds",
        "ratio",
        tuple(fast / slow for fast, slow in pairs),
        bar,
        at_least=False,
        detail=f"{median(x for x, _ in pairs):.2f} of {median(x for _, x in pairs):.2f} CPU s",
    )


def _episodes(policy: Policy) -> StackedEpisodes:
    observations = torch.randn(CHUNK, STEPS, OBSERVATIONS)
    with torch.no_grad():
        pi = policy.outputs(observations, policy.layout.view(policy.get_vector()))
        actions = pi.sample(torch.randn(CHUNK, STEPS, ACTIONS))
    return StackedEpisodes(
        observations, actions, torch.randn(CHUNK, STEPS), torch.full((CHUNK, STEPS), 1 / STEPS)
    )


def _old(policy: Policy, batches: Sequence[StackedEpisodes], config: Any) -> list[object]:
    """Return the policies that sampled both rounds."""
    train, valid = batches
    params = policy.get_vector().expand(CHUNK, -1).clone().requires_grad_()
    before = policy.outputs(train.observations, policy.layout.view(params))
    old = type(before)(*(x.detach() for x in before))
    inner = likelihood_ratio(before, train._replace(old=old)).sum()
    (gradient,) = torch.autograd.grad(inner, params)
    with torch.no_grad():
        adapted = params - config.fast_lr * gradient
        return [old, policy.outputs(valid.observations, policy.layout.view(adapted))]


def _plain(policy: Policy, theta: Tensor, batches: Sequence[StackedEpisodes], config: Any) -> Tensor:
    """Return the sum of the tasks' gradients, as one writes it first."""
    train, valid = batches
    theta = theta.clone().requires_grad_()
    params = theta.expand(CHUNK, -1)
    before = policy.outputs(train.observations, policy.layout.view(params))
    (gradient,) = torch.autograd.grad(likelihood_ratio(before, train).sum(), params, create_graph=True)
    adapted = params - config.fast_lr * gradient
    after = policy.outputs(valid.observations, policy.layout.view(adapted))
    loss = clipped_surrogate(after, valid, config.clip) + config.inner_kl * mean_kl(before, train)
    return torch.autograd.grad(loss.sum(), theta)[0]


def _cpu_seconds(function: Callable[[], object]) -> float:
    started = time.process_time()
    function()
    return time.process_time() - started
