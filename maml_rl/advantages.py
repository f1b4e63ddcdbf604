"""Masks, weights, discounted returns and advantages of time-major batches ``[..., T, K]``.

Everything here is a pure function of tensors; any leading dimensions (a meta-batch ``N``) pass through.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float, Int, Shaped
from torch import Tensor

from maml_rl.config import MeanOver

EPSILON = 1e-8
"""Added to the standard deviation when advantages are normalised; less where no return comes near 1."""
ROUNDING = 1e-6
"""The part of the largest reward, or return, up to which others count as equal: float32 holds little more."""
TINY = 1e-290
"""The least that `largest` counts as: where all rewards are 0, advantages are 0 and not NaN."""
BLOCK = 512
"""Time steps that discounted sums take at once: memory is linear in longer episodes."""


@dataclass(frozen=True)
class Credit:
    """The rule by which advantages follow from rewards.

    Args:
        gamma: discount factor per time step.
        gae_lambda: of generalized advantage estimation.
        bootstrap_truncated: whether a value follows the last step of an episode that time cut.
        mean_over: see `step_weights`.
        normalized: whether advantages are shifted and scaled to mean 0 and deviation 1.
    """

    gamma: float
    gae_lambda: float = 1.0
    bootstrap_truncated: bool = False
    mean_over: MeanOver = "episodes"
    normalized: bool = True


def step_mask(lengths: Int[Tensor, "*N K"], horizon: int) -> Bool[Tensor, "*N {horizon} K"]:
    """Return true at the steps ``t < lengths[k]`` that each episode really has."""
    steps = torch.arange(horizon, device=lengths.device)
    return steps[:, None] < lengths[..., None, :]


def chosen_first(chosen: Bool[Tensor, "*N M"]) -> Int[Tensor, "*N R"]:
    """Return where the chosen numbers of each row are, in their order; then where others are.

    R is the most that are chosen in one row.
    """
    if bool(chosen.all()):  # Sorting would take as long as much of what follows.
        return torch.arange(chosen.shape[-1], device=chosen.device).expand(chosen.shape)
    return (~chosen).int().argsort(dim=-1, stable=True)[..., : int(chosen.sum(-1).max())]


def rows_of(x: Shaped[Tensor, "..."], rows: Int[Tensor, "*N R"]) -> Shaped[Tensor, "..."]:
    """Return ``x``, ``[*N, M, ...]``, where `chosen_first` says: ``[*N, R, ...]``."""
    index = rows.view(*rows.shape, *(1,) * (x.dim() - rows.dim()))
    return x.gather(rows.dim() - 1, index.expand(*rows.shape, *x.shape[rows.dim() :]))


def step_weights(
    lengths: Int[Tensor, "*N K"],
    horizon: int,
    mean_over: MeanOver = "episodes",
    dtype: torch.dtype = torch.float32,
) -> Float[Tensor, "*N {horizon} K"]:
    """Return the weights of real steps, and 0 behind an episode's end: ``(weights * x).sum()`` is a mean.

    Over ``episodes``, as in the 2020 code, it is the mean over each episode's own steps, then over episodes,
    with weights ``1 / (K length_k)``; those without a step do not count among the K. Over ``steps``, as in
    rllab, on which Finn et al. 2017 ran, all steps are alike, with weights ``1 / sum(lengths)``.

    Raises:
        ValueError: ``mean_over`` is something else.
    """
    if mean_over == "steps":
        counts = lengths.sum(-1, keepdim=True).expand_as(lengths)
    elif mean_over == "episodes":
        counts = lengths * (lengths > 0).sum(-1, keepdim=True)
    else:
        raise ValueError(f"mean_over: expected 'episodes' or 'steps', got {mean_over!r}")
    per_step = 1.0 / counts.clamp(min=1).to(dtype)
    return step_mask(lengths, horizon) * per_step[..., None, :]


def discounted_returns(rewards: Float[Tensor, "*N T K"], gamma: float) -> Float[Tensor, "*N T K"]:
    """Return ``G_t = r_t + gamma G_{t+1}``, where the rewards behind an episode's end are 0."""
    return _discounted_sums(rewards, gamma)


def generalized_advantages(  # noqa: PLR0913, each is a symbol of the equation
    rewards: Float[Tensor, "*N T K"],
    values: Float[Tensor, "*N T K"],
    lengths: Int[Tensor, "*N K"],
    gamma: float,
    gae_lambda: float,
    last_values: Float[Tensor, "*N K"] | None = None,
) -> Float[Tensor, "*N T K"]:
    """Return GAE(gamma, lambda) (Schulman et al. 2016, eq. 16); 0 behind an episode's end.

    Args:
        values: estimates ``V(s_t)``; those behind an episode's end are ignored.
        last_values: ``V(s_{length})``, the value that follows each episode's last step; 0 if omitted.
    """
    horizon = rewards.shape[-2]
    mask = step_mask(lengths, horizon)
    values = values * mask
    next_values = torch.cat([values[..., 1:, :], torch.zeros_like(values[..., :1, :])], dim=-2)
    if last_values is not None:
        last = (lengths - 1).clamp(min=0)[..., None, :]
        next_values = next_values.scatter(-2, last, last_values[..., None, :].to(values.dtype))
    deltas = (rewards + gamma * next_values - values) * mask
    return _discounted_sums(deltas, gamma * gae_lambda)


def features_of(observation_size: int) -> int:
    """Return how many numbers the linear baselines explain returns by: see `maml_rl.baseline.features`."""
    return 2 * observation_size + 4


def standardize(
    advantages: Float[Tensor, "*N T K"],
    weights: Float[Tensor, "*N T K"],
    rewards: Float[Tensor, "*N T K"],
    features: int,
) -> tuple[Float[Tensor, "*N T K"], Float[Tensor, "*N"]]:
    """Shift and scale to mean 0 and standard deviation 1 per task; return the factor, too.

    Both are 0 where nothing tells actions apart: episodes were rewarded alike, or what is left of the returns
    is rounding, or what the baseline has not fitted.

    Args:
        weights: `step_weights`.
        rewards: that the advantages come of, 0 behind an episode's end.
        features: that a baseline has. It explains any returns of as few steps, and what is left of them then
            tells of the actions all the same, small as it is.
    """
    largest = rewards.abs().double().sum(-2).amax(-1)
    centred, deviation = centre(advantages, weights, largest)
    differ = rewards_differ(rewards, weights > 0)[..., None, None]
    few = (weights > 0).sum((-2, -1), keepdim=True) <= features
    tells = differ & (few | (deviation > ROUNDING * largest[..., None, None]))
    return torch.where(tells, centred / deviation, 0.0), torch.where(tells, 1 / deviation, 0.0)[..., 0, 0]


def centre(
    advantages: Float[Tensor, "*N T K"],
    weights: Float[Tensor, "*N T K"],
    largest: Float[Tensor, "*N"] | None = None,
) -> tuple[Float[Tensor, "*N T K"], Float[Tensor, "*N 1 1"]]:
    """Return the advantages less their mean, and their standard deviation per task, a little more than 0.

    Args:
        largest: no return of the task is further from 0. Below 1, deviations that small count in proportion.
    """
    mean = (weights * advantages).sum((-2, -1), keepdim=True)
    centred = torch.where(weights > 0, advantages - mean, 0.0)  # A product with 0 might be -0.
    variance = (weights * centred**2).sum((-2, -1), keepdim=True)
    scale = 1.0 if largest is None else largest.clamp(TINY, 1.0)[..., None, None]
    return centred, variance.sqrt() + EPSILON * scale


def rewards_differ(rewards: Float[Tensor, "*N T K"], real: Bool[Tensor, "*N T K"]) -> Bool[Tensor, "*N"]:
    """Return whether the episodes of a task were rewarded differently, at whatever step.

    Where they were not, no action has made a difference, and what advantages are left is the baseline's
    error. A single episode has none to be compared with: there it is whether its steps were.

    Args:
        real: true at the steps that episodes really have; rewards behind them are 0.
    """
    first = rewards[..., :1]
    if rewards.shape[-1] == 1:
        first = torch.where(real, rewards[..., :1, :], 0.0)
    spread = (rewards - first).abs().amax((-2, -1))
    return spread > ROUNDING * rewards.abs().amax((-2, -1))


def _discounted_sums(x: Float[Tensor, "*N T K"], discount: float) -> Float[Tensor, "*N T K"]:
    """Return ``y_t = x_t + discount * y_{t+1}``, as a product with the triangle of ``discount^(s - t)``.

    Beyond `BLOCK` steps, what follows the first block is summed by itself and added to it.
    """
    block, following = x[..., :BLOCK, :], x[..., BLOCK:, :]
    time = torch.arange(block.shape[-2], device=x.device)
    ahead = time - time[:, None]
    factor = torch.tensor(discount, dtype=torch.float64)
    triangle = torch.where(ahead >= 0, factor ** ahead.clamp(min=0), 0.0)
    sums = triangle.to(x.dtype) @ block
    if following.shape[-2] == 0:
        return sums
    sums_after = _discounted_sums(following, discount)
    until_then = (factor ** (BLOCK - time)).to(x.dtype)
    return torch.cat([sums + until_then[:, None] * sums_after[..., :1, :], sums_after], dim=-2)
