"""Correlation of estimated with exact derivatives of a policy's value, beside the published figures.

    python -m benchmarks.estimators [--seeds N] [--mdp SEED] [--output FOLDER]

The setting is the demonstration of Loaded DiCE (Farquhar et al. 2019; `oxwhirl/loaded-dice`), down to the
same MDP. Derivatives are by the policy's 20 logits. For orders two and three the original differentiates
again only the first element of the derivative before; the whole Hessian is added here.

Exact derivatives are those of the value for ever, ``S0 (I - gamma P)^-1 R``, as in the original. That is not
quite what is estimated: the 50 sampled steps are followed by the exact value of the state reached, which
stays what it is when the policy changes. The rows of an infinite batch hold the exact derivatives of what
each estimator tends to against them, and so its ceiling.

Into FOLDER go ``mdp-SEED.csv`` and ``mdp-SEED.md``: mean and standard error over N samples, which the
estimators share.
"""

import argparse
import csv
import math
import statistics
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from benchmarks.estimators.mdp import MDP, Sample, random_mdp
from benchmarks.estimators.objectives import OBJECTIVES, Objective

BATCHES = (64, 1024, 4096)
ORDERS = ("first", "second", "Hessian", "third")
PUBLISHED: dict[tuple[str, float], tuple[float, ...]] = {
    ("first", 64): (0.08, 0.89, 0.985, 0.92),
    ("first", 1024): (0.20, 0.99, 1.0, 0.99),
    ("first", 4096): (0.68, 1.0, 1.0, 1.0),
    ("second", 64): (0.37, 0.26, 0.64, 0.83),
    ("second", 1024): (-0.11, 0.61, 0.97, 0.88),
    ("second", 4096): (-0.04, 0.91, 0.99, 0.88),
    ("third", 64): (0.03, 0.07, -0.03, 0.07),
    ("third", 1024): (-0.05, 0.29, 0.53, 0.14),
    ("third", 4096): (-0.10, 0.62, 0.87, 0.17),
}
"""By eye from the notebook's picture, in the order of `OBJECTIVES`; means of 5 samples."""
PUBLISHED_MDP = 0

Derivatives = dict[str, Tensor]
"""Of each of `ORDERS`."""


class Cell(NamedTuple):
    """A row of the file: a mean over ``samples``."""

    order: str
    batch: float
    estimator: str
    samples: int
    mean: float
    standard_error: float


def derivatives(function: Callable[[Tensor], Tensor], logits: Tensor) -> Derivatives:
    """Return those of a scalar function; all but the Hessian have the form of ``logits``."""
    x = logits.clone().requires_grad_()
    (first,) = torch.autograd.grad(function(x), x, create_graph=True)
    (second,) = torch.autograd.grad(first[0, 0], x, create_graph=True)
    rows = [torch.autograd.grad(slope, x, retain_graph=True)[0] for slope in first.flatten()]
    (third,) = torch.autograd.grad(second[0, 0], x)
    found = (first, second, torch.stack(rows), third)
    return {order: tensor.detach() for order, tensor in zip(ORDERS, found, strict=True)}


def estimates(objective: Objective, logits: Tensor, sample: Sample) -> Derivatives:
    """Return an objective's derivatives on one sample."""
    return derivatives(lambda x: objective(x, sample), logits)


def correlations(estimated: Derivatives, exact: Derivatives) -> dict[str, float]:
    """Return the correlation over all elements, by order."""
    pairs = {order: torch.stack([estimated[order].flatten(), exact[order].flatten()]) for order in ORDERS}
    return {order: float(torch.corrcoef(pair)[0, 1]) for order, pair in pairs.items()}


def limits(mdp: MDP, exact: Derivatives) -> dict[str, dict[str, float]]:
    """Return each estimator's correlations if the batch were infinite."""
    unbiased = correlations(derivatives(mdp.cut_value, mdp.logits), exact)
    stationary = correlations(derivatives(mdp.stationary_gain, mdp.logits), exact)
    return {name: stationary if name == "LVC" else unbiased for name in OBJECTIVES}


def measure(mdp: MDP, seeds: int) -> list[Cell]:
    """Estimate from ``seeds`` samples of each batch size; order by order, with the limits last."""
    exact = derivatives(mdp.value, mdp.logits)
    found: dict[tuple[float, str], list[dict[str, float]]] = {}
    for batch in BATCHES:
        for seed in range(seeds):
            sample = mdp.sample(batch, torch.Generator().manual_seed(seed))
            for name, objective in OBJECTIVES.items():
                estimated = estimates(objective, mdp.logits, sample)
                found.setdefault((batch, name), []).append(correlations(estimated, exact))
    found |= {(math.inf, name): [limit] for name, limit in limits(mdp, exact).items()}
    return [
        Cell(order, batch, name, len(each), *mean_and_error([one[order] for one in each]))
        for order in ORDERS
        for (batch, name), each in found.items()
    ]


def mean_and_error(values: list[float]) -> tuple[float, float]:
    """Return the mean and its standard error, which is 0 for a single value."""
    if len(values) == 1:
        return values[0], 0.0
    return statistics.fmean(values), statistics.stdev(values) / math.sqrt(len(values))


def published(cell: Cell) -> float | None:
    """Return what the picture shows in a cell's place, if it does."""
    row = PUBLISHED.get((cell.order, cell.batch))
    return row[list(OBJECTIVES).index(cell.estimator)] if row else None


def markdown(cells: list[Cell], beside: bool) -> str:
    """Return a table with a column per estimator: mean ± standard error, and (published) if ``beside``."""
    lines = [f"| derivative | batch | {' | '.join(OBJECTIVES)} |", "| --- " * (2 + len(OBJECTIVES)) + "|"]
    for start in range(0, len(cells), len(OBJECTIVES)):
        row = cells[start : start + len(OBJECTIVES)]
        batch = "∞" if row[0].batch == math.inf else f"{row[0].batch}"
        lines.append(f"| {row[0].order} | {batch} | {' | '.join(entry(cell, beside) for cell in row)} |")
    return "\n".join(lines) + "\n"


def entry(cell: Cell, beside: bool) -> str:
    """Return a table's entry."""
    if cell.batch == math.inf:
        return f"{cell.mean:.4f}"
    figure = published(cell) if beside else None
    return f"{cell.mean:.2f} ± {cell.standard_error:.2f}" + ("" if figure is None else f" ({figure:g})")


def write_csv(path: Path, cells: list[Cell], beside: bool) -> None:
    """Write a row per cell, with what was published if ``beside``."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*Cell._fields, "published"))
        for cell in cells:
            numbers = (f"{cell.mean:.4f}", f"{cell.standard_error:.4f}")
            writer.writerow((*cell[:4], *numbers, published(cell) if beside else None))


def main() -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=50, help="number of samples of each batch size")
    parser.add_argument(
        "--mdp", type=int, default=PUBLISHED_MDP, help="seed of the MDP; 0 is the published one"
    )
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "results")
    arguments = parser.parse_args()
    beside = arguments.mdp == PUBLISHED_MDP
    cells = measure(random_mdp(arguments.mdp), arguments.seeds)
    table = markdown(cells, beside)
    arguments.output.mkdir(parents=True, exist_ok=True)
    write_csv(arguments.output / f"mdp-{arguments.mdp}.csv", cells, beside)
    (arguments.output / f"mdp-{arguments.mdp}.md").write_text(table, encoding="utf-8")
    print(table, end="")


if __name__ == "__main__":
    main()
