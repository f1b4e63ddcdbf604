"""A linear baseline whose ridge is chosen by cross-validation over episodes."""

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

from maml_rl.baseline.base import Steps, TaskwiseBaseline, ValueFunction
from maml_rl.baseline.features import Scaling, polynomials

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


class CrossValidatedBaseline(TaskwiseBaseline):
    """Ridge regression on the features of the linear baseline, each of mean 0 and deviation 1.

    The ridge is the one of `RIDGES` under which a part of the episodes is predicted best from the others.
    Where there are more features than steps it does not interpolate, as a small fixed ridge does; time and
    memory follow the steps there, not the features.
    """

    def fit_task(self, steps: Steps) -> ValueFunction:
        """Return the ridge regression of the returns."""
        columns = polynomials(steps.observations, steps.times)
        scaling = Scaling.of(columns)
        telling = scaling.scale != 0
        weight = torch.zeros_like(scaling.mean)
        weight[telling], intercept = _fit(scaling(columns)[:, telling], steps)
        # Scaling the weights once is cheaper than scaling every observation.
        slopes = weight * scaling.scale
        constant = intercept - scaling.mean @ slopes
        return lambda observations, times: polynomials(observations, times) @ slopes + constant


def _fit(design: Float[Tensor, "n F"], steps: Steps) -> tuple[Float[Tensor, "F"], Float[Tensor, ""]]:
    """Return weights and intercept under the best ridge; no equation is larger than there are steps."""
    if design.shape[1] <= design.shape[0]:
        return _fit_narrow(design, steps)
    # Rotating to an orthonormal basis of the rows leaves a ridge regression unchanged.
    axes, coordinates = torch.linalg.qr(design.mT)
    weight, intercept = _fit_narrow(coordinates.mT, steps)
    return axes @ weight, intercept


def _fit_narrow(design: Float[Tensor, "n d"], steps: Steps) -> tuple[Float[Tensor, "d"], Float[Tensor, ""]]:
    """Return weights and intercept under the best ridge; the intercept is not shrunk."""
    design = torch.cat([design, torch.ones_like(steps.returns[:, None])], dim=-1)
    centre = steps.returns.mean()
    returns = steps.returns - centre
    shrunk = torch.ones_like(design[0])
    shrunk[-1] = 0.0

    def solve(gram: Tensor, moments: Tensor, ridge: float, rows: int) -> Tensor:
        matrix = gram.clone()
        matrix.diagonal().add_(ridge * rows * shrunk)
        return torch.cholesky_solve(moments[:, None], torch.linalg.cholesky(matrix))[:, 0]

    parts = [(design[rows], returns[rows]) for rows in _folds(steps.episodes)]
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

    ridge = _best_ridge(error) if len(parts) > 1 else RIDGE_ALONE
    weight = solve(gram, moments, ridge, len(design))
    return weight[:-1], weight[-1] + centre


def _best_ridge(error: Callable[[float], float]) -> float:
    """Return the strongest ridge of about the least error; none is tried behind one that is hopeless."""
    errors: list[float] = []
    for ridge in RIDGES:
        errors.append(error(ridge))
        if errors[-1] > HOPELESS * min(errors):
            break
    return next(ridge for ridge, its in zip(RIDGES, errors, strict=False) if its <= ALIKE * min(errors))


def _folds(episodes: Int[Tensor, "n"]) -> list[Tensor]:
    """Return the rows of each group of episodes."""
    number = int(episodes[-1]) + 1
    groups = min(FOLDS, number)
    return [episodes * groups // number == fold for fold in range(groups)]
