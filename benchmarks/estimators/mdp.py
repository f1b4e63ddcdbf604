"""A random MDP with a policy of tabular logits: drawn, sampled, and its value, exactly.

S states, A actions, B episodes of T steps; float64. As in the original, a reward depends on the state alone.
"""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

STATES, ACTIONS = 5, 4
GAMMA = 0.95
HORIZON = 50


class Sample(NamedTuple):
    """Episodes under the policy at which derivatives are wanted, ``[B, T]`` each.

    Rewards and errors are already multiplied by ``gamma**t``.
    """

    states: Tensor
    actions: Tensor
    rewards: Tensor
    """The last one holds the value of the state that follows it, too."""
    td_errors: Tensor
    """``r + gamma V(s') - V(s)`` with the exact value V."""


@dataclass(frozen=True)
class MDP:
    """Starts in each state alike; ``logits`` are those of the policy, ``[S, A]``."""

    transitions: Tensor
    """``[S, A, S]``"""
    rewards: Tensor
    """``[S]``"""
    logits: Tensor

    def values(self, logits: Tensor) -> Tensor:
        """Return each state's value for ever, ``(I - gamma P)^-1 R``."""
        matrix = torch.eye(STATES, dtype=logits.dtype) - GAMMA * self._moves(logits)
        return torch.linalg.solve(matrix, self.rewards)

    def value(self, logits: Tensor) -> Tensor:
        """Return the value for ever of the start: what the original compares with."""
        return self.values(logits).mean()

    def cut_value(self, logits: Tensor) -> Tensor:
        """Return the value of T steps and then of the state reached, whose value is a constant.

        Its derivatives are what estimators without bias tend to: a sample says nothing about how the policy's
        change would tell behind its end.
        """
        values = self.values(self.logits)
        for _ in range(HORIZON):
            values = self.rewards + GAMMA * self._moves(logits) @ values
        return values.mean()

    def stationary_gain(self, logits: Tensor) -> Tensor:
        """Return the mean advantage of the policy's actions in the states where the old policy comes.

        Its derivatives are what the likelihood ratio of single actions tends to: states do not change with
        the policy.
        """
        values, moves = self.values(self.logits), self._moves(self.logits)
        visits, state = torch.zeros(STATES, dtype=logits.dtype), torch.full_like(self.rewards, 1 / STATES)
        for t in range(HORIZON):
            visits = visits + GAMMA**t * state
            state = state @ moves
        advantages = (self.rewards - values)[:, None] + GAMMA * self.transitions @ values
        return (visits[:, None] * logits.softmax(-1) * advantages).sum()

    def sample(self, episodes: int, generator: torch.Generator) -> Sample:
        """Draw ``episodes`` side by side."""
        uniforms = torch.rand(HORIZON, 2, episodes, generator=generator, dtype=torch.float64)
        states = [torch.randint(STATES, (episodes,), generator=generator)]
        actions = []
        policy = self.logits.softmax(-1)
        for for_action, for_state in uniforms:
            actions.append(_draw(policy[states[-1]], for_action))
            states.append(_draw(self.transitions[states[-1], actions[-1]], for_state))
        return self._sample(torch.stack(states, 1), torch.stack(actions, 1))

    def _sample(self, states: Tensor, actions: Tensor) -> Sample:
        values = self.values(self.logits)[states]
        rewards = self.rewards[states[:, :-1]]
        discounts = GAMMA ** torch.arange(HORIZON, dtype=torch.float64)
        td_errors = discounts * (rewards + GAMMA * values[:, 1:] - values[:, :-1])
        rewards = discounts * rewards
        rewards[:, -1] += GAMMA**HORIZON * values[:, -1]
        return Sample(states[:, :-1], actions, rewards, td_errors)

    def _moves(self, logits: Tensor) -> Tensor:
        return torch.einsum("sa,sax->sx", logits.softmax(-1), self.transitions)


def random_mdp(seed: int) -> MDP:
    """Draw an MDP; that of seed 0 is the original's, number for number."""
    generator = torch.Generator().manual_seed(seed)
    # float32, and in this order, because the original draws so.
    rewards = 10 * (torch.randn(STATES, generator=generator) + 5)
    logits = torch.randn(ACTIONS, STATES, generator=generator).T
    return MDP(_random_transitions(seed), rewards.double(), logits.double().contiguous())


def _random_transitions(seed: int) -> Tensor:
    """Return what ``mdptoolbox.example.rand`` draws under ``numpy.random.seed(seed)``, ``[S, A, S]``.

    From each state an action leads to the states whose random number exceeds another one, or else to any
    single state, with probabilities in proportion to further random numbers.
    """
    rng = np.random.RandomState(seed)
    transitions = np.zeros((STATES, ACTIONS, STATES))
    for action in range(ACTIONS):
        for state in range(STATES):
            reached = rng.random_sample(STATES) > rng.random_sample()
            if not reached.any():
                reached[rng.randint(STATES)] = True
            weights = reached * rng.random_sample(STATES)
            transitions[state, action] = weights / weights.sum()
            rng.random_sample(STATES)  # Rewards, which the original does not use.
    return torch.from_numpy(transitions)


def _draw(probabilities: Tensor, uniforms: Tensor) -> Tensor:
    """Invert the distribution functions ``[B, n]``."""
    # The last entry is 1 but for rounding; leaving it out keeps the index within range.
    return (uniforms[:, None] >= probabilities.cumsum(-1)[:, :-1]).sum(-1)
