"""Gradients through a part of a trial: windows of sequences, and the states that they begin with."""

from collections.abc import Sequence
from itertools import pairwise

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from maml_rl.metalearners.trials import Sequences
from maml_rl.parameters import Params
from maml_rl.policies.recurrent import RecurrentPolicy


def window_starts(steps: int, chunk: int, overlap: int) -> list[int]:
    """Return the first steps of windows of ``chunk`` steps, each of which begins ``overlap`` steps early."""
    return [*range(0, max(1, steps - overlap), chunk - overlap)]


@torch.no_grad()
def run_through(
    policy: RecurrentPolicy, params: Params, inputs: Float[Tensor, "B L I"], starts: Sequence[int]
) -> tuple[Float[Tensor, "B L"] | None, Float[Tensor, "B W S"]]:
    """Return the critic's values, if there is one, and the states before each of W steps.

    Args:
        starts: those steps in order, the first of which is 0.
    """
    state = policy.initial_states(len(inputs)).to(inputs)
    states, values = [], []
    for start, stop in pairwise([*starts, inputs.shape[1]]):
        states.append(state)
        unrolled = policy.unroll(params, inputs[:, start:stop], state)
        values.append(unrolled.values)
        state = unrolled.states
    of_critic = None if policy.critic is None else torch.cat([x for x in values if x is not None], dim=1)
    return of_critic, torch.stack(states, dim=1)


def cut(sequences: Sequences, states: Float[Tensor, "B W S"], starts: Sequence[int], chunk: int) -> Sequences:
    """Return windows of ``chunk`` steps of sequences; steps that two windows have count in the first.

    Windows behind a sequence's end are left out.

    Args:
        states: before each window.
        starts: the windows' first steps.
    """
    windows, seen = [], 0
    for number, start in enumerate(starts):
        part = [_window(x, start, chunk) for x in (sequences.inputs, *sequences[2:6])]
        inputs, actions, advantages, targets, weights = part
        weights[:, : seen - start] = 0
        seen = start + chunk
        window = Sequences(inputs, states[:, number], actions, advantages, targets, weights, sequences.tasks)
        windows.append(window.take((weights > 0).any(1)))
    return Sequences(*(torch.cat(parts) for parts in zip(*windows, strict=True)))


def _window(x: Tensor, start: int, chunk: int) -> Tensor:
    """Return steps of ``[B, L, ...]`` from ``start`` on, padded with 0 to ``chunk``."""
    part = x[:, start : start + chunk]
    return F.pad(part, (0, 0) * (x.dim() - 2) + (0, chunk - part.shape[1])).clone()
