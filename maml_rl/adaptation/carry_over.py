"""Adaptation by memory: parameters stay, and the state of a recurrent policy goes on (Duan et al. 2016)."""

import math
from typing import Any, ClassVar

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.adaptation.base import Adaptation
from maml_rl.adaptation.names import episode
from maml_rl.errors import UsageError
from maml_rl.policies.actor import Actor
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.policies.recurrent import RecurrentPolicy
from maml_rl.stacked import StackedEpisodes


class CarryOver(Adaptation):
    """The memory of a recurrent policy, carried from one episode of a trial to the next.

    The K episodes of a round are those of K trials, which know nothing of each other.
    """

    policy: RecurrentPolicy
    needs_advantages: ClassVar[bool] = False

    def __init__(self, policy: RecurrentPolicy):
        self.policy = policy

    def round_name(self, step: int) -> str:
        """Return the name of an episode of a trial: those of a round follow on those before."""
        return episode(step)

    def step_size(self, scale: float) -> float:
        """Return NaN: a step of memory has no size."""
        return math.nan

    def step(
        self, params: Float[Tensor, "N P"], batch: StackedEpisodes, scale: float = 1.0
    ) -> Float[Tensor, "N P"]:
        """Return the parameters as they are.

        Raises:
            UsageError: the step is to have another length than usual.
        """
        if scale != 1.0:
            raise UsageError("a policy that remembers takes no gradient steps: leave out step-size-schedule")
        return params

    def actor(self, params: Float[Tensor, "N P"], episodes: int, before: Actor | None = None) -> Actor:
        """Return the actor of the round before, or at a trial's start one that remembers nothing."""
        return before or RecurrentActor(self.policy, params[0], (len(params), episodes))


class RecurrentActor:
    """N tasks of K trials each, which act on all that they have seen.

    Where an episode has ended, state and memory of its last step wait for the trial's next one.

    Args:
        shape: N and K.
    """

    def __init__(self, policy: RecurrentPolicy, params: Float[Tensor, "P"], shape: tuple[int, int]):
        self._policy, self._shape = policy, shape
        rows = shape[0] * shape[1]
        self._step = policy.stepper(policy.unflatten(params))
        self._states = params.new_zeros(rows, policy.state_size)
        self._news = params.new_zeros(rows, policy.news_size)
        self._next_states = self._states

    def act(self, observations: Float[Tensor, "N K O"]) -> ActionDistribution:
        """Return the distribution of the next actions."""
        inputs = torch.cat([observations.reshape(len(self._news), -1), self._news], dim=-1)
        pi, self._next_states = self._step(inputs, self._states)
        return type(pi)(*(x if x.dim() == 1 else x.view(*self._shape, -1) for x in pi))

    @torch.inference_mode()
    def receive(
        self, actions: NDArray[Any], rewards: NDArray[Any], ran: NDArray[np.bool_], ended: NDArray[np.bool_]
    ) -> None:
        """Remember what the episodes that ran have seen."""
        flat = actions.reshape(-1, *actions.shape[2:])
        news = self._policy.news(*map(torch.from_numpy, (flat, _single(rewards), ended.ravel())))
        moved = torch.from_numpy(ran.reshape(-1, 1))
        self._states = torch.where(moved, self._next_states, self._states)
        self._news = torch.where(moved, news, self._news)


def _single(rewards: NDArray[Any]) -> NDArray[np.float32]:
    """Return the rewards as they are recorded."""
    return rewards.astype(np.float32).ravel()
