"""What the paper compares: tasks, the methods beside MAML, and how each is tested."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Task:
    """A column of the paper's figures.

    Args:
        published: its name in published.csv.
        title: for readers.
        test_episodes: per gradient step: 4,000 steps of experience, ant direction 8,000.
        schedule: factors of the first step's size at each gradient step of the test.
        first_steps: its size by method, where it is not the trained one; from the paper's test scripts, but
            for navigation's pretrained policy.
        gae_lambda: in the test, where it is not the trained one.
    """

    published: str
    title: str
    test_episodes: int = 20
    schedule: tuple[float, ...] = (1, 0.5, 0.5)
    first_steps: Mapping[str, float] = field(default_factory=dict)
    gae_lambda: float | None = None


TASKS = {
    "navigation": Task(
        "2d-navigation", "2D navigation", 40, (1, 0.4, 0.2), first_steps={"pretrained": 0.1, "random": 0.5}
    ),
    "cheetah-vel": Task(
        "halfcheetah-vel", "half-cheetah, velocity", 20, (1, 0.25, 0.25), first_steps={"pretrained": 0.02}
    ),
    "cheetah-dir": Task(
        "halfcheetah-dir",
        "half-cheetah, direction",
        first_steps={"pretrained": 0.2, "random": 0.5},
        gae_lambda=0.95,
    ),
    "ant-vel": Task("ant-vel", "ant, velocity", first_steps={"pretrained": 0.2, "random": 1.0}),
    "ant-dir": Task(
        "ant-dir", "ant, direction", 40, (1, 0.01, 0.01), first_steps={"pretrained": 0.2, "random": 1.0}
    ),
}
"""By the name of their config in configs/paper."""


@dataclass(frozen=True)
class Method:
    """A curve of the paper's figures.

    Args:
        trained: whether there is anything to train.
        adapts: whether gradient steps are taken in the test.
        changes: of the task's config.
        env_kwargs: beside the config's own.
    """

    trained: bool = True
    adapts: bool = True
    changes: Mapping[str, object] = field(default_factory=dict)
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)


METHODS = {
    "maml": Method(),
    "pretrained": Method(changes={"num_steps": 0}),
    "random": Method(trained=False, changes={"init_gain": 1.0}),
    "oracle": Method(adapts=False, changes={"num_steps": 0}, env_kwargs={"observe_task": True}),
}
"""Pretrained: one policy for all tasks. Random: an untrained one, with initial weights as the paper's.
Oracle: one that observes the task."""
