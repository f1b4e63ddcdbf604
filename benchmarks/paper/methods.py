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
        schedule: factors of the trained step size at each gradient step of the test.
    """

    published: str
    title: str
    test_episodes: int = 20
    schedule: tuple[float, ...] = (1, 0.5, 0.5)


TASKS = {
    "navigation": Task("2d-navigation", "2D navigation", 40, (1, 0.25, 0.25)),
    "cheetah-vel": Task("halfcheetah-vel", "half-cheetah, velocity"),
    "cheetah-dir": Task("halfcheetah-dir", "half-cheetah, direction"),
    "ant-vel": Task("ant-vel", "ant, velocity"),
    "ant-dir": Task("ant-dir", "ant, direction", 40, (1, 0.01, 0.01)),
}
"""By the name of their config in configs/paper."""


@dataclass(frozen=True)
class Method:
    """A curve of the paper's figures.

    Args:
        trained_as: method whose runs it is tested with.
        policy: its name in their tables.
        adapts: whether gradient steps are taken in the test.
        changes: of the task's config.
        env_kwargs: beside the config's own.
    """

    trained_as: str
    policy: str = "policy"
    adapts: bool = True
    changes: Mapping[str, object] = field(default_factory=dict)
    env_kwargs: Mapping[str, Any] = field(default_factory=dict)


METHODS = {
    "maml": Method("maml"),
    "pretrained": Method("pretrained", changes={"num_steps": 0}),
    "random": Method("maml", policy="random"),
    "oracle": Method("oracle", adapts=False, changes={"num_steps": 0}, env_kwargs={"observe_task": True}),
}
"""Pretrained: one policy for all tasks. Random: an untrained one. Oracle: one that observes the task."""
