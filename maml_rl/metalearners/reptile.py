"""Reptile (Nichol et al. 2018): theta moves towards what tasks made of it."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import Adaptation, GradientStep
from maml_rl.errors import check_finite
from maml_rl.losses import Round, mean_entropy, mean_kl
from maml_rl.metalearners.base import MetaLearner, MetaState, MetaUpdate
from maml_rl.metalearners.chunks import Rounds
from maml_rl.metalearners.columns import OBJECTIVE, STATISTICS, Column
from maml_rl.metalearners.parts import loss_of
from maml_rl.policies.base import Policy
from maml_rl.stacked import StackedEpisodes


class Reptile(MetaLearner):
    """Learns theta by ``theta + epsilon * mean(phi - theta)`` (Nichol et al. 2018, algorithm 2).

    No derivative is taken through adaptation, and the valid round only tells what came of it.
    """

    columns: ClassVar = {
        "kl": OBJECTIVE["kl"],
        "distance": Column("", "norm of φ − θ, mean over N"),
        "entropy": STATISTICS["entropy"],
    }
    headline = ("kl", "distance")
    asks_tasks = True

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> Adaptation:
        """Return gradient steps on REINFORCE's loss, unless the settings name another."""
        return GradientStep(policy, loss_of(settings), settings.fast_lr, first_order=True)

    def init(self) -> MetaState:
        """Return the template's parameters as theta; nothing else is remembered."""
        return MetaState(self.adaptation.initial_theta(), {})

    def update(self, state: MetaState, rounds: Rounds) -> MetaUpdate:
        """Move theta.

        Raises:
            FloatingPointError: the adapted parameters, or what they do, are NaN or infinite.
        """
        theta = self.theta_of(state)
        with self.tasks(AdaptedChunk, theta, rounds) as tasks:
            moved = tasks.ask("moves")
            step = self.settings.meta_step_size * moved.mean("adapted parameters", ": lower fast-lr")
            new = (theta.double() + step).to(theta.dtype)
            kls, entropies = tasks.ask("change", new).numbers
        check_finite("KLs", kls, hint=": lower meta-step-size")
        (distances,) = moved.numbers
        metrics = {
            "kl": kls.mean().item(),
            "distance": distances.mean().item(),
            "entropy": entropies.mean().item(),
        }
        per_task = {"kl_after": kls.cpu().numpy(), "distance": distances.cpu().numpy()}
        return MetaUpdate(MetaState(new, {}), metrics, per_task, tasks.seconds_waiting)


class AdaptedChunk:
    """N tasks of a meta-batch that adapt, and say what came of it.

    Args:
        theta: the old meta-parameters, which sampled the episodes.
        batches: the rounds' episodes.
    """

    def __init__(self, adaptation: Adaptation, theta: Float[Tensor, "P"], batches: Sequence[StackedEpisodes]):
        self._adaptation, self._theta, self._batches = adaptation, theta, batches

    @cached_property  # When it is asked for, by a thread of its own.
    def _phi(self) -> Float[Tensor, "N P"]:
        return self._adapted(self._theta)

    def moves(self) -> tuple[Float[Tensor, "N P"], Float[Tensor, "N"]]:
        """Return ``phi - theta``, and its norm."""
        moves = self._phi - self._theta
        return moves, moves.norm(dim=-1)

    def change(self, theta: Float[Tensor, "P"]) -> tuple[Float[Tensor, "N"], Float[Tensor, "N"]]:
        """Return KL(old || new) of the adapted policies where ``theta`` is new, and the old ones' entropy."""
        policy, valid = self._adaptation.policy, self._batches[-1]
        old = policy.outputs(valid.observations, policy.unflatten(self._phi))
        params = policy.unflatten(self._adapted(theta))
        new = Round(policy.outputs(valid.observations, params), valid._replace(old=old))
        return mean_kl(*new), mean_entropy(old, valid)

    def _adapted(self, theta: Float[Tensor, "P"]) -> Float[Tensor, "N P"]:
        """Return the tasks' parameters after a step on each round but the last."""
        *train, valid = self._batches
        params = self._adaptation.start(theta, valid.weights.shape[0])
        for batch in train:
            params = self._adaptation.step(params, batch)
        return params
