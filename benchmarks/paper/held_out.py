"""The 40 tasks of the paper's tests, written to TASK/tasks.yaml for ``maml-rl test --tasks``.

    python -m benchmarks.paper.held_out

The published means are over these: the paper's test scripts (maml_examples/test_maml_*.py of cbfinn/maml_rl)
seed NumPy's global generator and draw them. Where a task is a direction, goals below the middle are backward.
"""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import yaml
from numpy.typing import NDArray

from benchmarks.paper.methods import HERE

NUM_TASKS = 40

Goals = NDArray[np.float64]


def _directions(goals: Goals, middle: float) -> Goals:
    return np.where(goals < middle, -1.0, 1.0)


DRAWS: dict[str, tuple[str, Callable[[], Goals]]] = {
    "navigation": ("goal", lambda: np.random.RandomState(1).uniform(-0.5, 0.5, (NUM_TASKS, 2))),
    "cheetah-vel": ("velocity", lambda: np.random.RandomState(1).uniform(0, 2, NUM_TASKS)),
    "cheetah-dir": ("direction", lambda: _directions(np.random.RandomState(1).uniform(0, 2, NUM_TASKS), 1)),
    "ant-vel": ("velocity", lambda: np.random.RandomState(1).uniform(0, 3, NUM_TASKS)),
    "ant-dir": ("direction", lambda: _directions(np.random.RandomState(2).uniform(0, 3, NUM_TASKS), 1.5)),
}
"""What a task is called, and how the paper's goals are drawn, by the name of the config in configs/paper."""


def tasks_file(task: str) -> Path:
    """Return where the tasks of the test lie."""
    return HERE / task / "tasks.yaml"


def main() -> None:
    """Write the files."""
    for task, (name, draw) in DRAWS.items():
        path = tasks_file(task)
        path.parent.mkdir(exist_ok=True)
        tasks = [{name: goal} for goal in draw().tolist()]
        path.write_text(yaml.safe_dump(tasks, default_flow_style=None), encoding="utf-8")
        print(path)


if __name__ == "__main__":
    main()
