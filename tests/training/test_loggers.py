"""Where numbers go besides the CSV files."""

import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from maml_rl.errors import UsageError
from maml_rl.metalearners import MetaState
from maml_rl.training.loggers import check_logger, make_logger
from maml_rl.training.metrics import Iteration


def iteration(number: int, scale: float = 1.0) -> Iteration:
    metrics = {"iteration": number, "return_0": scale * number, "accepted": True}
    return Iteration(metrics, {"seconds": 0.5}, MetaState(torch.zeros(0), {}))


def log(folder: Path, numbers: list[int], done: int = 0, scale: float = 1.0) -> None:
    logger = make_logger("tensorboard", folder, {}, done)
    for number in numbers:
        logger.write(iteration(number, scale))
    logger.close()


def curve(folder: Path, tag: str) -> list[tuple[int, float]]:
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    return [(event.step, event.value) for event in events.Scalars(tag)]


def test_tensorboard_has_a_curve_per_number(tmp_path: Path):
    log(tmp_path, [1, 2])
    assert curve(tmp_path, "metrics/return_0") == [(1, 1.0), (2, 2.0)]
    assert curve(tmp_path, "metrics/accepted") == [(1, 1.0), (2, 1.0)]
    assert curve(tmp_path, "timings/seconds") == [(1, 0.5), (2, 0.5)]


def test_tensorboard_takes_back_what_a_resumed_run_does_again(tmp_path: Path):
    log(tmp_path, [1, 2, 3])
    log(tmp_path, [3, 4], done=2, scale=10.0)
    assert curve(tmp_path, "metrics/return_0") == [(1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0)]


def test_tensorboard_forgets_a_run_that_is_replaced(tmp_path: Path):
    log(tmp_path, [1, 2, 3])
    log(tmp_path, [1], scale=5.0)
    assert curve(tmp_path, "metrics/return_0") == [(1, 5.0)]


def test_no_logger_leaves_nothing(tmp_path: Path):
    logger = make_logger("none", tmp_path, {}, 0)
    logger.write(iteration(1))
    logger.close()
    assert list(tmp_path.iterdir()) == []


class FakeRun:
    def __init__(self) -> None:
        self.logged: list[tuple[dict[str, Any], int]] = []
        self.finished = False

    def log(self, numbers: dict[str, Any], step: int) -> None:
        self.logged.append((numbers, step))

    def finish(self) -> None:
        self.finished = True


@pytest.mark.parametrize(("done", "resume"), [(0, None), (3, "auto")])
def test_wandb(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, done: int, resume: str | None):
    run, asked = FakeRun(), {}
    wandb: Any = ModuleType("wandb")
    wandb.init = lambda **options: asked.update(options) or run
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    logger = make_logger("wandb", tmp_path, {"seed": 1}, done)
    logger.write(iteration(4))
    logger.close()
    assert asked["config"] == {"seed": 1}
    assert asked["resume"] == resume
    assert run.logged == [({"iteration": 4, "return_0": 4.0, "accepted": True, "seconds": 0.5}, 4)]
    assert run.finished


def test_wandb_that_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UsageError, match="pip install"):
        check_logger("wandb")
