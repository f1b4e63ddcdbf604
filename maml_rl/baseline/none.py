"""No baseline."""

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.episode import EpisodeData


class NoBaseline:
    """A value of 0 everywhere: advantages are discounted returns, before they are normalised.

    Args:
        input_size: numbers in one observation, which have no say.
    """

    def __init__(self, input_size: int):
        self.input_size = input_size

    def fit_data(self, data: EpisodeData, gamma: float) -> None:
        """Do nothing."""

    def values(self, data: EpisodeData) -> Float[Tensor, "*N T K"]:
        """Return 0 for every step."""
        return torch.zeros_like(data.rewards, dtype=torch.float64)

    def last_values(self, data: EpisodeData) -> Float[Tensor, "*N K"]:
        """Return 0 for every episode."""
        return torch.zeros_like(data.rewards[..., 0, :], dtype=torch.float64)
