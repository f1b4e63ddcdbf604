from pathlib import Path

import pytest

from maml_rl.cli import main
from tests.cli.helpers import NAVIGATION, TABULAR, TINY, Command


@pytest.fixture
def command(capsys: pytest.CaptureFixture[str]) -> Command:
    return Command(capsys)


def trained(folder: Path, *arguments: object) -> Path:
    main([str(x) for x in ("train", *arguments, *TINY, "--seed", 1, "--output-folder", folder)])
    return folder


@pytest.fixture(scope="session")
def tabular_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run; not to be changed."""
    return trained(tmp_path_factory.mktemp("runs") / "tabular", "--config", TABULAR)


@pytest.fixture(scope="session")
def navigation_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with episodes of 15 steps; not to be changed."""
    kwargs = ("--env-kwargs", "{max_episode_steps: 15}")
    return trained(tmp_path_factory.mktemp("runs") / "navigation", "--config", NAVIGATION, *kwargs)
