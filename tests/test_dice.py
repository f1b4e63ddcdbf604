"""DiCE's losses: derivatives against those of the expected return, over all episodes of a small MDP."""

from collections.abc import Callable, Sequence
from functools import partial
from itertools import product
from typing import NamedTuple

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian, jacobian

from maml_rl.config.keys.gradient_steps import InnerLossName
from maml_rl.losses import Loss, inner_loss, reinforce
from maml_rl.policies.distributions import CategoricalLogits
from maml_rl.stacked import StackedEpisodes, StepOrder

STATES, ACTIONS, STEPS = 2, 2, 3
BASELINE = torch.tensor([[0.7, -1.3], [0.2, 2.0], [-0.4, 0.9]], dtype=torch.float64)
"""Of each time and state; any will do."""
WHOLE: tuple[InnerLossName, ...] = ("dice", "loaded-dice")


def random(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


START = random(STATES, seed=1).softmax(-1)
TRANSITIONS = random(STATES, ACTIONS, STATES, seed=2).softmax(-1)
REWARDS = random(STATES, ACTIONS, seed=3)
LOGITS = random(STATES, ACTIONS, seed=4)


class Episode(NamedTuple):
    states: tuple[int, ...]
    actions: tuple[int, ...]

    @property
    def luck(self) -> Tensor:
        """The probability of its states, given its actions."""
        steps = zip(self.states, self.actions, self.states[1:], strict=False)
        return START[self.states[0]] * torch.stack([TRANSITIONS[step] for step in steps]).prod()

    @property
    def rewards(self) -> Tensor:
        return torch.stack([REWARDS[s, a] for s, a in zip(*self, strict=True)])


EPISODES = [
    Episode(states, actions)
    for states in product(range(STATES), repeat=STEPS)
    for actions in product(range(ACTIONS), repeat=STEPS)
]


def batch_of(episodes: Sequence[Episode]) -> StackedEpisodes:
    """Each episode a task of its own; advantages have half the rewards' scale, as normalising may do."""
    rewards = torch.stack([episode.rewards for episode in episodes])
    returns = rewards.flip(1).cumsum(1).flip(1)
    states, actions = (torch.tensor([episode[i] for episode in episodes]) for i in (0, 1))
    tasks = len(episodes)
    return StackedEpisodes(
        torch.nn.functional.one_hot(states, STATES).double(),
        actions,
        0.5 * (returns - BASELINE[torch.arange(STEPS), states]),
        torch.full((tasks, STEPS), 1 / STEPS, dtype=torch.float64),
        order=StepOrder(
            rewards,
            torch.arange(STEPS).expand(tasks, -1),
            torch.full((tasks, 1), STEPS),
            torch.full((tasks,), 0.5, dtype=torch.float64),
        ),
    )


ALL = batch_of(EPISODES)


def values(loss: Loss, batch: StackedEpisodes, logits: Tensor) -> Tensor:
    old = CategoricalLogits(batch.observations @ LOGITS)
    return loss(CategoricalLogits(batch.observations @ logits), batch._replace(old=old))


LUCK, RETURNS = (torch.stack(x) for x in ([e.luck for e in EPISODES], [e.rewards.sum() for e in EPISODES]))


def probabilities(logits: Tensor) -> Tensor:
    chosen = (ALL.observations @ logits).softmax(-1).gather(2, ALL.actions[..., None])[..., 0]
    return LUCK * chosen.prod(-1)


def expected(loss: Loss) -> Callable[[Tensor], Tensor]:
    """The loss's mean over all episodes, whose probabilities count as constants."""
    return lambda logits: (probabilities(LOGITS) * values(loss, ALL, logits)).sum()


def expected_return(logits: Tensor) -> Tensor:
    return probabilities(logits) @ RETURNS


def test_all_episodes_are_there():
    assert float(probabilities(LOGITS).sum()) == pytest.approx(1.0)


@pytest.mark.parametrize("name", WHOLE)
def test_derivatives_are_those_of_the_expected_return(name: InnerLossName):
    loss = expected(inner_loss(name, gamma=1.0))
    factor = -0.5 / STEPS  # The scale of the advantages, and the mean over steps.
    torch.testing.assert_close(jacobian(loss, LOGITS), factor * jacobian(expected_return, LOGITS))
    torch.testing.assert_close(hessian(loss, LOGITS), factor * hessian(expected_return, LOGITS))


def test_reinforces_second_derivative_is_another():
    difference = hessian(expected(reinforce), LOGITS) + 0.5 / STEPS * hessian(expected_return, LOGITS)
    assert difference.abs().max() > 1e-2


def looped(name: str, batch: StackedEpisodes, gamma: float) -> Callable[[Tensor], Tensor]:
    """The same by loops over ragged episodes, of one task."""
    order = batch.order
    assert order is not None
    lengths = order.lengths[0].tolist()

    def loss(logits: Tensor) -> Tensor:
        log_probs = (batch.observations[0] @ logits).log_softmax(-1)
        total = torch.zeros((), dtype=torch.float64)
        for k, length in enumerate(lengths):
            steps = [order.places[0].tolist().index(t * len(lengths) + k) for t in range(length)]
            taken = torch.zeros((), dtype=torch.float64)
            for i, step in enumerate(steps):
                now = log_probs[step, batch.actions[0, step]]
                ahead = sum(gamma**j * order.rewards[0, later] for j, later in enumerate(steps[i:]))
                ahead = order.reward_scale[0] * ahead
                advantage = batch.advantages[0, step]
                gain = box(taken + now) - box(taken)
                if name == "dice":
                    gained = ahead * gain - (ahead - advantage) * (box(now) - 1)
                else:
                    gained = advantage * gain
                total = total - batch.weights[0, step] * gained
                taken = taken + now
        return total

    return loss


def total(loss: Loss, batch: StackedEpisodes, logits: Tensor) -> Tensor:
    return values(loss, batch, logits).sum()


def box(x: Tensor) -> Tensor:
    return (x - x.detach()).exp()


@pytest.mark.parametrize("name", WHOLE)
def test_ragged_episodes_equal_loops(name: InnerLossName):
    lengths, gamma = [3, 1, 2], 0.9
    places = [0, 1, 2, 3, 5, 6]  # Step t of episode k is at 3 t + k.
    steps = len(places)
    batch = StackedEpisodes(
        torch.nn.functional.one_hot(torch.tensor([[0, 1, 1, 0, 1, 0, 1]]), STATES).double(),
        torch.tensor([[1, 0, 1, 1, 0, 0, 1]]),
        torch.cat([random(1, steps, seed=5), torch.full((1, 1), 50.0, dtype=torch.float64)], 1),
        torch.tensor([[*([1 / steps] * steps), 0.0]], dtype=torch.float64),
        order=StepOrder(
            torch.cat([random(1, steps, seed=6), torch.zeros(1, 1, dtype=torch.float64)], 1),
            torch.tensor([[*places, 0]]),
            torch.tensor([lengths]),
            torch.tensor([0.7], dtype=torch.float64),
        ),
    )
    ours, theirs = partial(total, inner_loss(name, gamma), batch), looped(name, batch, gamma)
    torch.testing.assert_close(jacobian(ours, LOGITS), jacobian(theirs, LOGITS))
    torch.testing.assert_close(hessian(ours, LOGITS), hessian(theirs, LOGITS))
    torch.testing.assert_close(jacobian(ours, LOGITS), jacobian(partial(total, reinforce, batch), LOGITS))


def test_without_their_order_episodes_are_refused():
    batch = ALL._replace(order=None)
    with pytest.raises(ValueError, match=r"^the order of these steps is not known: compute"):
        values(inner_loss("dice", 1.0), batch, LOGITS)
