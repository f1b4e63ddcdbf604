"""Epochs of Adam on minibatches of a problem's samples, as in PPO (Schulman et al. 2017, algorithm 1)."""

from dataclasses import dataclass
from typing import ClassVar, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Tensor

from maml_rl.errors import check_finite
from maml_rl.optim.adam import fresh_moments, moments_of, resumed_adam
from maml_rl.optim.base import Evaluation, Problem, Step, Tensors


@runtime_checkable
class SampledProblem(Problem, Protocol):
    """A problem whose gradient can be taken on some of its samples."""

    @property
    def size(self) -> int:
        """Number of samples."""
        ...

    @property
    def losses_before(self) -> Float[Tensor, "N"]:
        """Each task's objective at the old theta."""
        ...

    def gradient(self, theta: Float[Tensor, "P"], rows: Int[Tensor, "n"]) -> Float[Tensor, "P"]:
        """Return the gradient of the mean over the samples ``rows``, float64."""
        ...


@dataclass(frozen=True)
class MinibatchAdam:
    """Passes over all samples in an order drawn anew, a step of Adam for each minibatch.

    The order follows from the number of steps taken so far: a resumed run goes on with the same ones.

    Args:
        learning_rate: of each step.
        epochs: passes per update.
        minibatches: of a pass.
        max_grad_norm: norm to which longer gradients are shortened; None takes them as they are.
        kl_stop: mean KL(old || new), in nats, behind which no further pass is begun; None goes through all.
    """

    learning_rate: float
    epochs: int
    minibatches: int = 1
    max_grad_norm: float | None = None
    kl_stop: float | None = None
    repeats_products: ClassVar[bool] = False

    def init(self, theta: Float[Tensor, "P"]) -> Tensors:
        """Return moments of 0."""
        return fresh_moments(theta)

    def step(self, problem: SampledProblem, theta: Float[Tensor, "P"], memory: Tensors) -> Step:
        """Take the passes.

        Raises:
            FloatingPointError: gradients, losses or KLs are NaN or infinite.
        """
        moving, adam = resumed_adam(theta, self.learning_rate, memory)
        rng = np.random.default_rng(int(memory["adam.step"]))
        first: Tensor | None = None
        steps, after = 0, None
        for _ in range(self.epochs):
            order = torch.from_numpy(rng.permutation(problem.size)).to(theta.device)
            for rows in order.tensor_split(min(self.minibatches, problem.size)):
                gradient = problem.gradient(moving.detach(), rows)
                if not bool(gradient.isfinite().all()):
                    raise FloatingPointError("gradients are NaN or infinite: lower the learning rate")
                first = gradient if first is None else first
                moving.grad = self._shortened(gradient).to(theta.dtype)
                adam.step()
                steps += 1
            if self.kl_stop is not None:
                after = problem.evaluate(moving.detach())
                if not after.kls.mean().item() <= self.kl_stop:
                    break
        after = after or problem.evaluate(moving.detach())
        check_finite("losses", after.losses, hint=": lower the learning rate")
        check_finite("KLs", after.kls, hint=": lower the learning rate")
        assert first is not None
        before = Evaluation(problem.losses_before, first)
        details = {"adam_steps": steps}
        return Step(moving.detach(), moments_of(adam, moving), before, after, details=details)

    def _shortened(self, gradient: Float[Tensor, "P"]) -> Float[Tensor, "P"]:
        if self.max_grad_norm is None:
            return gradient
        return gradient * (self.max_grad_norm / gradient.norm().clamp(min=self.max_grad_norm))
