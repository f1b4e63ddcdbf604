"""A linear baseline whose ridge is chosen by cross-validation over episodes."""

from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from maml_rl.advantages import TINY
from maml_rl.baseline.base import Steps, TaskwiseBaseline, ValueFunction
from maml_rl.baseline.features import Scaling, polynomials
from maml_rl.baseline.krylov import KrylovSpaces, Solutions

RIDGES = tuple(10.0**power for power in range(1, -7, -1))
"""Ridges to choose from, per step; the strongest first."""
RIDGE_ALONE = 1e-2
"""The ridge where there is one episode, and so none to predict."""
HOPELESS = 2.0
"""Times the least error, at which weaker ridges are not tried any more: they follow noise."""
ALIKE = 1.001
"""Times the least error, up to which errors are alike; of such ridges the strongest follows noise least."""
FOLDS = 5
"""Groups of episodes that are predicted from the others: as many as there are episodes, at most so many."""
MOST_BY_FACTORS = 128
"""The square of the features, per step, up to which factors take less time than Krylov spaces."""
CHOOSING, FITTING = 1e-3, 1e-4
"""Parts of the equations that solutions in Krylov spaces leave at most: to choose the ridge, and to fit."""
AXES_AT_ONCE = 4
"""Axes that are added to Krylov spaces before the solutions are looked at again."""


class CrossValidatedBaseline(TaskwiseBaseline):
    """Ridge regression on the features of the linear baseline, each of mean 0 and deviation 1.

    The ridge is the one of `RIDGES` under which a part of the episodes is predicted best from the others.
    Where there are more features than steps it does not interpolate, as a small fixed ridge does. Where
    features are many, time and memory follow steps times features.
    """

    def fit_task(self, steps: Steps) -> ValueFunction:
        """Return the ridge regression of the returns."""
        columns = polynomials(steps.observations, steps.times)
        scaling = Scaling.of(columns)
        telling = scaling.scale != 0
        design = scaling(columns)[:, telling]
        centre = steps.returns.mean()
        weight = torch.zeros_like(scaling.mean)
        many = design.shape[1] ** 2 > MOST_BY_FACTORS * len(design)
        fit = _fit_in_krylov_spaces if many else _fit_by_factors
        weight[telling], intercept = fit(design, steps.returns - centre, _folds(steps.episodes))
        # The scaling is in the weights, because it takes longer than the values.
        slopes = weight * scaling.scale
        constant = intercept + centre - scaling.mean @ slopes
        return lambda observations, times: polynomials(observations, times) @ slopes + constant


def _fit_by_factors(
    design: Float[Tensor, "n d"], returns: Float[Tensor, "n"], folds: Sequence[Tensor]
) -> tuple[Float[Tensor, "d"], Float[Tensor, ""]]:
    """Return weights and intercept under the best ridge; the intercept is not shrunk."""
    design = torch.cat([design, torch.ones_like(returns[:, None])], dim=-1)
    shrunk = torch.ones_like(design[0])
    shrunk[-1] = 0.0

    def solve(gram: Tensor, moments: Tensor, ridge: float, rows: int) -> Tensor:
        matrix = gram.clone()
        matrix.diagonal().add_(ridge * rows * shrunk)
        return torch.cholesky_solve(moments[:, None], torch.linalg.cholesky(matrix))[:, 0]

    parts = [(design[rows], returns[rows]) for rows in folds]
    grams = [part.mT @ part for part, _ in parts]
    # The products cost as much as some of the solutions: those of the parts are those of the whole.
    gram, moments = torch.stack(grams).sum(0), design.mT @ returns
    others = [
        (gram - its_gram, moments - part.mT @ its_returns)
        for its_gram, (part, its_returns) in zip(grams, parts, strict=True)
    ]

    def error(ridge: float) -> float:
        """Return the squared error of each part of the episodes as the others predict it."""
        return sum(
            float((part @ solve(*rest, ridge, len(design) - len(part)) - its_returns).square().sum())
            for (part, its_returns), rest in zip(parts, others, strict=True)
        )

    ridge = RIDGES[_best(map(error, RIDGES))] if len(parts) > 1 else RIDGE_ALONE
    weight = solve(gram, moments, ridge, len(design))
    return weight[:-1], weight[-1]


def _fit_in_krylov_spaces(
    design: Float[Tensor, "n d"], returns: Float[Tensor, "n"], folds: Sequence[Tensor]
) -> tuple[Float[Tensor, "d"], Float[Tensor, ""]]:
    """Return the same by Krylov spaces: nearly, see `CHOOSING` and `FITTING`."""
    ridge = RIDGE_ALONE
    if len(folds) > 1:
        others = ~torch.stack(list(folds))
        # In float32, half the time: errors are those of the weights at hand, however these are rounded.
        unit = returns / returns.abs().max().clamp(min=TINY)
        spaces = KrylovSpaces(design.float(), unit.float(), others)
        ridge = RIDGES[_grow(spaces, RIDGES, CHOOSING)[1]]
    every = torch.ones_like(returns, dtype=torch.bool)
    spaces = KrylovSpaces(design, returns, every[None])
    solutions, _ = _grow(spaces, (ridge,), FITTING)
    return spaces.weights(solutions.coefficients[:, 0])[0], solutions.intercepts[0, 0]


def _grow(spaces: KrylovSpaces, ridges: Sequence[float], tolerance: float) -> tuple[Solutions, int]:
    """Return the solutions in spaces that are grown until they hold those under the best ridge, and which."""
    while True:
        spaces.extend(AXES_AT_ONCE)
        solutions = spaces.solve(ridges)
        best = _best(solutions.errors.tolist())
        if spaces.full or bool((solutions.residuals[:, best] <= tolerance).all()):
            return solutions, best


def _best(errors: Iterable[float]) -> int:
    """Return which is the strongest ridge of about the least error; none is tried behind a hopeless one."""
    tried: list[float] = []
    for error in errors:
        tried.append(error)
        if error > HOPELESS * min(tried):
            break
    return next(i for i, error in enumerate(tried) if error <= ALIKE * min(tried))


def _folds(episodes: Int[Tensor, "n"]) -> list[Tensor]:
    """Return the rows of each group of episodes."""
    number = int(episodes[-1]) + 1
    groups = min(FOLDS, number)
    return [episodes * groups // number == fold for fold in range(groups)]
