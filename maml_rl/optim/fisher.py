"""Exact products with the Fisher matrix of an adapted policy, in the parameters before adaptation.

At the old parameters the gradient of KL(old || new) is zero, so the KL's Hessian through the inner
steps has no term with the second derivative of adaptation. It is ``Jᵀ F J``, where ``F`` is the
Fisher matrix of the action distribution's own parameters and ``J`` the Jacobian of those with respect
to theta: the policy's Jacobian at the adapted phi, times one factor ``I - alpha H`` for each inner
step, ``H`` being the Hessian of that step's loss. The factors are linearised once, at construction, and
used by all products after it. No third derivative is taken.
"""

from collections.abc import Sequence
from functools import partial
from itertools import pairwise

from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import adapt
from maml_rl.episode import StackedEpisodes
from maml_rl.losses import reinforce_gradient, reinforce_gradient_dot
from maml_rl.policies.base import Policy
from maml_rl.policies.distributions import ActionDistribution


class InnerStep:
    """One inner step at ``params``: where it leads, and products with ``I - alpha H``, its Jacobian."""

    def __init__(
        self, policy: Policy, episodes: StackedEpisodes, params: Float[Tensor, "N P"], fast_lr: float
    ):
        self._fast_lr = fast_lr
        self._episodes = episodes
        self._policy = policy.linearise(episodes.observations, params)
        gradient = reinforce_gradient(self._policy.pi, episodes)
        self._policy.fix_loss(gradient)
        self.adapted: Float[Tensor, "N P"] = params - fast_lr * self._policy.pull_back(gradient)

    def product(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return ``(I - alpha H) v``; the matrix is symmetric."""
        gradient_dot = partial(reinforce_gradient_dot, self._policy.pi, self._episodes)
        return vectors - self._fast_lr * self._policy.hessian_product(vectors, gradient_dot)


class InnerJacobian:
    """``d phi / d theta`` of the inner steps, for N tasks side by side.

    Args:
        train: one entry per inner step.
        params: theta, once per task.
        first_order: take the Jacobian to be the identity.
    """

    def __init__(
        self,
        policy: Policy,
        train: Sequence[StackedEpisodes],
        params: Float[Tensor, "N P"],
        fast_lr: float,
        first_order: bool,
    ):
        self._steps: list[InnerStep] = []
        path = [params]
        for episodes in train:
            if first_order:
                path.append(adapt(policy, [episodes], path[-1], fast_lr))
            else:
                self._steps.append(InnerStep(policy, episodes, path[-1], fast_lr))
                path.append(self._steps[-1].adapted)
        self.adapted: Float[Tensor, "N P"] = path[-1]
        """phi, the parameters after the last step."""
        self.grad_norms = [(after - before).norm(dim=-1) / fast_lr for before, after in pairwise(path)]
        """Of each step, the norm of each task's gradient, ``[N]``."""

    def product(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return ``J v``: the first step's factor acts first."""
        for step in self._steps:
            vectors = step.product(vectors)
        return vectors

    def transposed_product(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ v``: each factor is symmetric, so only their order turns round."""
        for step in reversed(self._steps):
            vectors = step.product(vectors)
        return vectors


class PolicyJacobian:
    """The action distribution's parameters as a function of the policy's, linearised at ``params``."""

    def __init__(self, policy: Policy, episodes: StackedEpisodes, params: Float[Tensor, "N P"]):
        self._policy = policy.linearise(episodes.observations, params)
        self._weights = episodes.weights
        self.pi: ActionDistribution = self._policy.pi

    def fisher_product(self, vectors: Float[Tensor, "N P"]) -> Float[Tensor, "N P"]:
        """Return each task's mean Fisher matrix, in the policy's parameters, times ``vectors``."""
        tangent = self._policy.push_forward(vectors)
        return self.pullback(self.pi.fisher(tangent, self._weights))  # type: ignore[arg-type]

    def pullback(self, cotangents: Sequence[Tensor]) -> Float[Tensor, "N P"]:
        """Return ``Jᵀ u``."""
        return self._policy.pull_back(cotangents)
