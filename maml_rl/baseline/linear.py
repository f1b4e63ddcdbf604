"""A linear baseline with a fixed ridge, as in 2020."""

import torch
from jaxtyping import Float
from torch import Tensor, nn

from maml_rl.advantages import chosen_first, discounted_returns, rows_of, step_mask
from maml_rl.baseline.base import flat_observations, known_last_observations, step_numbers, tasks_of
from maml_rl.baseline.features import polynomials
from maml_rl.episode import BatchEpisodes, EpisodeData


class LinearFeatureBaseline(nn.Module):
    """Ridge regression of the discounted returns on obs, obs², t/100, its square and cube, and 1.

    The features are those of Duan et al. 2016 (rllab). Their Gram matrix has a condition number of
    some 3e9 on half-cheetah, more than float32 can resolve, so features, fit and values are float64. Where
    there are more features than steps, the fit interpolates (see `maml_rl.baseline.linear_cv`), and follows
    from the steps' inner products; the ridge is then that of features whose mean square is 1.

    Args:
        input_size: numbers in one observation, O.
        reg_coeff: ridge coefficient; raised tenfold, up to 5 times, while the solution is not finite.
    """

    weight: Tensor

    def __init__(self, input_size: int, reg_coeff: float = 1e-5):
        super().__init__()
        self.input_size = input_size
        self.reg_coeff = reg_coeff
        self.register_buffer("weight", torch.zeros(self.feature_size, dtype=torch.float64))

    @property
    def feature_size(self) -> int:
        """Number of features, 2 O + 4."""
        return 2 * self.input_size + 4

    def fit(self, episodes: BatchEpisodes) -> None:
        """Fit to the discounted returns of one task's episodes.

        Raises:
            ValueError: the observations' size is not ``input_size``.
        """
        self.fit_data(episodes.data, episodes.gamma)

    def fit_data(self, data: EpisodeData, gamma: float) -> None:
        """Fit to ``data``; with a leading task dimension, one fit per task."""
        if self._is_wide(data):
            self.weight = torch.stack([self._fit_steps(task, gamma) for task in tasks_of(data)])
            self.weight = self.weight.view(*data.rewards.shape[:-2], -1)
            return
        real = step_mask(data.lengths, data.rewards.shape[-2]).flatten(-2)
        rows = chosen_first(real)
        observations = flat_observations(data.observations, data.rewards.shape, self.input_size)
        times = rows // data.rewards.shape[-1]
        features = polynomials(rows_of(observations.flatten(-3, -2), rows), times.double())
        targets = rows_of(discounted_returns(data.rewards.double(), gamma).flatten(-2), rows)
        real = rows_of(real, rows)
        if not bool(real.all()):
            features, targets = features.mul_(real[..., None]), targets * real
        gram = features.mT @ features
        # BLAS is faster with the narrow factor first.
        moments = (targets[..., None, :] @ features)[..., 0, :]
        self.weight = _solve_ridge(gram, moments, self.reg_coeff)

    def values(self, data: EpisodeData) -> Float[Tensor, "*N T K"]:
        """Return ``V(s_t)`` for every step (float64; meaningless behind an episode's end)."""
        if self._is_wide(data):
            of_task = zip(tasks_of(data), self.weight.view(-1, self.feature_size), strict=True)
            values = [_evaluate(self._step_features(task), weight) for task, weight in of_task]
            return torch.stack(values).view(data.rewards.shape)
        return _evaluate(self._step_features(data), self.weight)

    def last_values(self, data: EpisodeData) -> Float[Tensor, "*N K"]:
        """Return the value of the observation after each episode's last step.

        Raises:
            ValueError: the data does not hold those observations.
        """
        last = flat_observations(known_last_observations(data), data.lengths.shape, self.input_size)
        return _evaluate(polynomials(last, data.lengths.double()), self.weight)

    def forward(self, episodes: BatchEpisodes) -> Float[Tensor, "T K"]:
        """Return ``V(s_t)`` of one task's episodes (float64)."""
        return self.values(episodes.data)

    def _is_wide(self, data: EpisodeData) -> bool:
        """Return whether there are more features than steps. Tasks are taken one by one then, for memory."""
        return self.feature_size > data.rewards.shape[-2:].numel()

    def _fit_steps(self, task: EpisodeData, gamma: float) -> Float[Tensor, "F"]:
        """Return the weights for one task, ``Xᵀ (X Xᵀ + ridge I)⁻¹ y``: one equation per step."""
        real = step_mask(task.lengths, task.rewards.shape[-2])
        features = self._step_features(task)[real]
        returns = discounted_returns(task.rewards.double(), gamma)[real]
        # Where all are added up, squares of pixels would hide the other features in their rounding.
        size = features.square().mean(0).sqrt()
        scale = torch.where(size > 0, size, 1.0)
        scaled = features / scale
        return scaled.mT @ _solve_ridge(scaled @ scaled.mT, returns, self.reg_coeff) / scale

    def _step_features(self, data: EpisodeData) -> Float[Tensor, "*N T K F"]:
        observations = flat_observations(data.observations, data.rewards.shape, self.input_size)
        return polynomials(observations, step_numbers(data).double())


def _evaluate(features: Float[Tensor, "*B F"], weight: Float[Tensor, "*N F"]) -> Float[Tensor, "*B"]:
    """Return the values; with weights of N tasks, N leads the features too."""
    weight = weight.to(features.device)
    rows = features.flatten(weight.dim() - 1, -2)
    # The narrow factor first, as above.
    return (weight[..., None, :] @ rows.mT).view(features.shape[:-1])


def _solve_ridge(
    gram: Float[Tensor, "*N F F"], moments: Float[Tensor, "*N F"], ridge: float
) -> Float[Tensor, "*N F"]:
    """Solve ``(gram + ridge I) w = moments`` in float64, raising the ridge where ``w`` is not finite.

    Raises:
        FloatingPointError: no solution is finite, because the observations or rewards are not, or the ridge
            is too small for a singular Gram matrix.
    """
    identity = torch.eye(gram.shape[-1], dtype=gram.dtype, device=gram.device)
    weight = torch.full_like(moments, torch.nan)
    for attempt in range(6):
        solution = _solve(gram + ridge * 10**attempt * identity, moments)
        solved = weight.isfinite().all(-1, keepdim=True)
        weight = torch.where(solved, weight, solution)
        if bool(weight.isfinite().all()):
            return weight
    finite = bool(gram.isfinite().all() and moments.isfinite().all())
    reason = "reg_coeff is too small" if finite else "observations or rewards are NaN or infinite"
    raise FloatingPointError(f"the baseline cannot be fitted: {reason}")


def _solve(matrices: Float[Tensor, "*N F F"], vectors: Float[Tensor, "*N F"]) -> Float[Tensor, "*N F"]:
    """Solve one linear system after another; what is singular is not finite.

    Given all at once and several threads, torch 2.13 with MKL returns garbage for matrices wider than
    some 128, as those of an ant are.
    """
    size = vectors.shape[-1]
    systems = zip(matrices.reshape(-1, size, size), vectors.reshape(-1, size), strict=True)
    return torch.stack([torch.linalg.solve_ex(*system)[0] for system in systems]).view_as(vectors)
