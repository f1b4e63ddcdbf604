"""The estimators of `benchmarks.estimators`: the package's losses against the formula, and the results."""

import csv
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.autograd.functional import hessian

import benchmarks.estimators.__main__ as estimators
from benchmarks.estimators.mdp import Sample, random_mdp
from benchmarks.estimators.objectives import OBJECTIVES, sums_ahead

RESULTS = Path(estimators.__file__).parent / "results"
CASES = {"Mao's baseline": (1.0, 1.0), "Loaded DiCE": (0.0, 1.0), "LVC": (1.0, 0.0)}
"""Tau and lambda of the formula."""
MDP = random_mdp(0)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """The tensors are small, and threads would wait for each other."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def sample(episodes: int, seed: int = 0) -> Sample:
    return MDP.sample(episodes, torch.Generator().manual_seed(seed))


def box(x: Tensor) -> Tensor:
    return (x - x.detach()).exp()


def formula(name: str, logits: Tensor, sample: Sample) -> Tensor:
    """The objective as Farquhar et al. 2019 write it, step by step."""
    log_probs = logits.log_softmax(-1)[sample.states, sample.actions]
    if name == "DiCE":
        return (sample.rewards * box(log_probs.cumsum(1))).sum(1).mean()
    tau, decay = CASES[name]
    steps, total = log_probs.shape[1], torch.zeros((), dtype=torch.float64)
    dependencies = torch.zeros_like(log_probs[:, 0])
    for t in range(steps):
        advantages = sum(tau**i * sample.td_errors[:, t + i] for i in range(steps - t))
        dependencies = decay * dependencies + log_probs[:, t]
        total = total + (advantages * (box(dependencies) - box(dependencies - log_probs[:, t]))).mean()
    return total


@pytest.mark.parametrize("name", OBJECTIVES)
def test_an_objectives_derivatives_are_those_of_the_formula(name: str):
    episodes = sample(5)
    ours = estimators.estimates(OBJECTIVES[name], MDP.logits, episodes)
    theirs = estimators.derivatives(lambda x: formula(name, x, episodes), MDP.logits)
    for order, expected in theirs.items():
        torch.testing.assert_close(ours[order], expected, rtol=1e-9, atol=1e-8)


def test_estimators_differ_in_the_second_derivative():
    episodes = sample(5)
    found = [hessian(lambda x, f=f: f(x, episodes), MDP.logits) for f in OBJECTIVES.values()]
    for i, one in enumerate(found):
        assert all((one - other).abs().max() > 0.1 for other in found[:i])


def test_sums_ahead_are_decayed():
    sums = sums_ahead(torch.tensor([[1.0, 10.0, 100.0]]), 0.5)
    assert sums.tolist() == [[31.0, 60.0, 100.0]]


@pytest.mark.slow
def test_the_committed_results_come_again(monkeypatch: pytest.MonkeyPatch):
    """Those of the smallest batch, with all of their samples."""
    with (RESULTS / "mdp-0.csv").open(encoding="utf-8") as file:
        committed = {
            (row["order"], row["estimator"]): row for row in csv.DictReader(file) if row["batch"] == "64"
        }
    monkeypatch.setattr(estimators, "BATCHES", (64,))
    (samples,) = {int(row["samples"]) for row in committed.values()}
    cells = [cell for cell in estimators.measure(MDP, samples) if cell.batch == 64]
    assert len(cells) == len(committed)
    for cell in cells:
        row = committed[cell.order, cell.estimator]
        assert cell.mean == pytest.approx(float(row["mean"]), abs=1e-4)
        assert cell.standard_error == pytest.approx(float(row["standard_error"]), abs=1e-4)
