"""Several steps of Adam on one problem."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.errors import check_finite
from maml_rl.optim.base import Problem, Step, Tensors

MOMENTS = ("exp_avg", "exp_avg_sq", "step")
"""Names of what `torch.optim.Adam` remembers of a parameter."""


@dataclass(frozen=True)
class Adam:
    """Adam (Kingma & Ba 2015), which takes the problem's gradient anew at each moved theta.

    Args:
        learning_rate: of each step.
        steps: per update.
    """

    learning_rate: float
    steps: int
    repeats_products: ClassVar[bool] = False

    def init(self, theta: Float[Tensor, "P"]) -> Tensors:
        """Return moments of 0."""
        return fresh_moments(theta)

    def step(self, problem: Problem, theta: Float[Tensor, "P"], memory: Tensors) -> Step:
        """Take the steps.

        Raises:
            FloatingPointError: losses or KLs are NaN or infinite after them.
        """
        moving, adam = resumed_adam(theta, self.learning_rate, memory)
        before = evaluation = problem.at_old()
        for step in range(self.steps):
            if step > 0:
                evaluation = problem.at(moving.detach())
            moving.grad = evaluation.gradient.to(theta.dtype)
            adam.step()
        new = moving.detach()
        after = problem.evaluate(new)
        check_finite("losses", after.losses, hint=": lower the learning rate")
        check_finite("KLs", after.kls, hint=": lower the learning rate")
        return Step(new, moments_of(adam, moving), before, after)


def fresh_moments(theta: Float[Tensor, "P"]) -> Tensors:
    """Return what Adam remembers before its first step."""
    return {
        "adam.exp_avg": torch.zeros_like(theta),
        "adam.exp_avg_sq": torch.zeros_like(theta),
        "adam.step": torch.zeros(()),
    }


def resumed_adam(
    theta: Float[Tensor, "P"], learning_rate: float, memory: Tensors
) -> tuple[torch.nn.Parameter, torch.optim.Adam]:
    """Return a copy of theta, and an Adam that goes on with its moments."""
    moving = torch.nn.Parameter(theta.clone())
    adam = torch.optim.Adam([moving], learning_rate)
    adam.state[moving] = {name: memory[f"adam.{name}"].clone() for name in MOMENTS}
    adam.state[moving]["step"] = adam.state[moving]["step"].cpu()  # Where torch keeps counts.
    return moving, adam


def moments_of(adam: torch.optim.Adam, moving: torch.nn.Parameter) -> Tensors:
    """Return what it remembers now."""
    return {f"adam.{name}": adam.state[moving][name] for name in MOMENTS}
