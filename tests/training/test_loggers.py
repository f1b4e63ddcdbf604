"""Where numbers go besides the CSV files."""

import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboard.plugins.custom_scalar import layout_pb2

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
    assert curve(tmp_path, "adaptation/return_0") == [(1, 1.0), (2, 2.0)]
    assert curve(tmp_path, "metrics/accepted") == [(1, 1.0), (2, 1.0)]
    assert curve(tmp_path, "timings/seconds") == [(1, 0.5), (2, 0.5)]


def charts(folder: Path) -> dict[str, list[str]]:
    """Return the tags of each chart of the tab Custom Scalars."""
    events = EventAccumulator(str(folder / "tensorboard"))
    events.Reload()
    (summary,) = events.Tensors("custom_scalars__config__")
    layout = layout_pb2.Layout.FromString(summary.tensor_proto.string_val[0])
    (category,) = layout.category
    return {chart.title: list(chart.multiline.tag) for chart in category.chart}


def test_tensorboard_shows_adaptation_first_and_in_one_chart(tmp_path: Path):
    logger = make_logger("tensorboard", tmp_path, {}, 0)
    returns = {"return_0": 1.0, "return_1": 2.0, "return_10": 3.0}
    for number in (1, 2):
        metrics = {"iteration": number, "accepted": True, **returns, "success_0": 0.5, "stderr_0": 0.1}
        logger.write(Iteration(metrics, {"seconds": 0.5}, MetaState(torch.zeros(0), {})))
    logger.close()
    events = EventAccumulator(str(tmp_path / "tensorboard"))
    events.Reload()
    tags = sorted(events.Tags()["scalars"])
    assert tags[:4] == [f"adaptation/{name}" for name in ("return_0", "return_1", "return_10", "success_0")]
    assert tags[4:] == ["metrics/accepted", "metrics/stderr_0", "timings/seconds"]
    found = {
        name: [tag for tag in tags if re.match(pattern, tag)] for name, (pattern,) in charts(tmp_path).items()
    }
    assert found == {"return": tags[:3], "success": tags[3:4]}


def test_tensorboard_takes_back_what_a_resumed_run_does_again(tmp_path: Path):
    log(tmp_path, [1, 2, 3])
    log(tmp_path, [3, 4], done=2, scale=10.0)
    assert curve(tmp_path, "adaptation/return_0") == [(1, 1.0), (2, 2.0), (3, 30.0), (4, 40.0)]


def test_tensorboard_forgets_a_run_that_is_replaced(tmp_path: Path):
    log(tmp_path, [1, 2, 3])
    log(tmp_path, [1], scale=5.0)
    assert curve(tmp_path, "adaptation/return_0") == [(1, 5.0)]


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


class FakeWandb(ModuleType):
    """The package, without its server.

    Args:
        mode: of its settings.
        login: what logging in answers or raises.
    """

    def __init__(self, mode: str = "online", login: bool | Exception = True):
        super().__init__("wandb")
        self.run = FakeRun()
        self.asked: dict[str, Any] = {}
        self._mode, self._login = mode, login

    def setup(self) -> Any:
        return SimpleNamespace(settings=SimpleNamespace(mode=self._mode))

    def login(self, verify: bool) -> bool:
        assert verify
        if isinstance(self._login, Exception):
            raise self._login
        return self._login

    def init(self, **options: Any) -> FakeRun:
        self.asked = options
        return self.run


def test_wandb_keeps_an_id_per_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    wandb = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    ids = []
    for done in (0, 3, 5, 0):
        logger = make_logger("wandb", tmp_path, {"seed": 1}, done)
        logger.write(iteration(4))
        logger.close()
        assert wandb.asked["config"] == {"seed": 1}
        assert wandb.asked["resume"] == "allow"
        ids.append(wandb.asked["id"])
    first, *again, another = ids
    assert again == [first, first]
    assert another != first  # A run that replaces another is another.
    assert all(re.fullmatch("[0-9a-f]{12}", name) for name in ids)
    assert wandb.run.logged[0] == ({"iteration": 4, "return_0": 4.0, "accepted": True, "seconds": 0.5}, 4)
    assert wandb.run.finished


def test_wandb_of_a_run_that_older_versions_began(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    wandb = FakeWandb()
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    make_logger("wandb", tmp_path, {}, 3).close()
    assert wandb.asked["id"] == (tmp_path / "wandb-id").read_text().strip()


@pytest.mark.parametrize(
    ("wandb", "said"),
    [
        (FakeWandb(login=RuntimeError("no key\nat all")), "logger wandb: no key; run 'wandb login'"),
        (
            FakeWandb(login=ConnectionError("no route")),
            "no route; run 'wandb login', or set WANDB_MODE=offline",
        ),
        (FakeWandb(login=OSError()), "OSError; run"),
        (FakeWandb(login=False), "not logged in"),
    ],
)
def test_wandb_that_lets_nobody_in(monkeypatch: pytest.MonkeyPatch, wandb: FakeWandb, said: str):
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    with pytest.raises(UsageError, match=said):
        check_logger("wandb")


@pytest.mark.parametrize("mode", ["offline", "disabled"])
def test_wandb_without_a_server_asks_nobody(monkeypatch: pytest.MonkeyPatch, mode: str):
    monkeypatch.setitem(sys.modules, "wandb", FakeWandb(mode, login=ConnectionError()))
    check_logger("wandb")


def test_a_folder_called_wandb_is_no_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "wandb").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    monkeypatch.delitem(sys.modules, "wandb", raising=False)
    with pytest.raises(UsageError, match="not installed here; try pip install wandb"):
        check_logger("wandb")
    sys.modules.pop("wandb", None)


def test_wandb_that_is_not_installed(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "wandb", None)
    with pytest.raises(UsageError, match="pip install"):
        check_logger("wandb")
