"""What a person sees while a run goes on."""

import io
from dataclasses import replace
from typing import Any

import pytest
import torch
from rich.console import Console

from maml_rl.metalearners import MetaLearner, MetaState
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.metalearners.promp import ProMP
from maml_rl.training.metrics import Iteration
from maml_rl.training.progress import REJECTIONS, ProgressReport

ITERATION = Iteration(
    {"iteration": 7, "return_0": -40.0, "return_1": -10.5, "kl": 0.009, "accepted": True, "entropy": 1.25},
    {"steps_per_second": 12345.6, "seconds_sampling": 1.0, "seconds_updating": 2.0},
    MetaState(torch.zeros(0), {}),
)
REJECTED = replace(ITERATION, metrics={**ITERATION.metrics, "accepted": False})
HINT = f"{REJECTIONS} steps in a row were rejected: {TrustRegionMAML.rejection_hint}"
LINE = "return before/after -40.00/-10.50  kl 0.0090  accepted  12,346 steps/s  3.0 s"


def shown(
    iterations: list[Iteration],
    terminal: bool = False,
    method: type[MetaLearner] = TrustRegionMAML,
    **options: Any,
) -> str:
    file = io.StringIO()
    environment = {"TERM": "xterm"}  # Whatever the tests themselves run in.
    console = Console(file=file, force_terminal=terminal, width=200, soft_wrap=True, _environ=environment)
    with ProgressReport(method, 20, 6, console=console, **options) as report:
        for iteration in iterations:
            report.update(iteration)
    return file.getvalue()


def test_a_plain_line_per_iteration():
    assert shown([ITERATION]) == f"meta-update 7/20  {LINE}\n"


def test_verbose_adds_the_other_metrics():
    first, second = shown([ITERATION], detail="verbose").splitlines()
    assert first == f"meta-update 7/20  {LINE}"
    assert "entropy 1.25" in second
    assert "seconds_updating 2" in second


@pytest.mark.parametrize("terminal", [False, True])
def test_quiet_says_nothing_but_hints(terminal: bool):
    assert shown([ITERATION] * 3, terminal, detail="quiet") == ""
    assert HINT in shown([REJECTED] * REJECTIONS, terminal, detail="quiet")


def test_a_terminal_shows_a_bar_with_all_of_it():
    out = shown([ITERATION], terminal=True)
    for part in ("meta-update", "7/20", "━", "-40.00/-10.50", "accepted", "steps/s"):
        assert part in out


def test_rejections_are_counted_and_ten_in_a_row_hint_once():
    out = shown([ITERATION] + [REJECTED] * (REJECTIONS + 2))
    assert "rejected (3 in a row)" in out
    assert out.count(HINT) == 1
    assert HINT not in shown([REJECTED] * (REJECTIONS - 1) + [ITERATION] + [REJECTED])


def test_a_method_without_a_line_search_rejects_nothing():
    metrics = {"iteration": 7, "return_0": -40.0, "return_1": -10.5, "kl": 0.009, "inner_kl": 4e-4}
    without = replace(ITERATION, metrics={**metrics, "entropy": 1.25})
    line, rest = shown([without], method=ProMP, detail="verbose").splitlines()
    numbers = "return before/after -40.00/-10.50  kl 0.0090  inner_kl 0.0004  12,346 steps/s  3.0 s"
    assert line == f"meta-update 7/20  {numbers}"
    assert "inner_kl" not in rest
    assert "rejected" not in shown([without] * (REJECTIONS + 1), method=ProMP)
