"""2D navigation: the paths that everyone knows from the MAML paper (Finn et al. 2017, figure 4)."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from maml_rl.envs import Task
from maml_rl.episode import BatchEpisodes
from maml_rl.viz.style import COLORS, MUTED, new_figure

PATHS_SHOWN = 5
"""Episodes drawn per task and number of gradient steps."""


class Paths(NamedTuple):
    """What is drawn of 2D navigation."""

    tasks: Sequence[Task]
    """``{"goal": [2]}`` each."""
    rounds: Sequence[Sequence[BatchEpisodes]]
    """``[adaptation steps][task]``, episodes after 0, 1, … steps."""
    names: Sequence[str]
    """Of the rounds."""


def plot_paths(paths: Paths) -> Figure:
    """Draw paths before and after adaptation, one panel per task."""
    tasks, rounds, names = paths
    figure = new_figure(3.1 * len(tasks), 3.7)
    axes = figure.subplots(1, len(tasks), sharex=True, sharey=True, squeeze=False)[0]
    goals = np.array([task["goal"] for task in tasks])
    limit = limit_of(tasks, rounds)
    for i, ax in enumerate(axes):
        for step, (episodes, name) in enumerate(zip(rounds, names, strict=True)):
            _draw_round(ax, episodes[i], step, name)
        ax.plot(*goals[i], marker="*", markersize=15, color="#c44e52", markeredgecolor="white",
                linestyle="none", zorder=5, label="goal")  # fmt: skip
        ax.plot(0, 0, marker="o", markersize=5, color="black", linestyle="none", zorder=5,
                label="start")  # fmt: skip
        ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
        ax.set_title(f"goal ({goals[i][0]:.2f}, {goals[i][1]:.2f})", fontsize=10)
        ax.tick_params(labelsize=8)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False,
                  fontsize=9)  # fmt: skip
    return figure


def limit_of(tasks: Sequence[Task], rounds: Sequence[Sequence[BatchEpisodes]]) -> float:
    """Return how far from the start panels reach that show all goals, and the paths after the last step."""
    goals = np.abs([task["goal"] for task in tasks]).max()
    return 1.1 * max(float(goals), *(_extent(batch) for batch in rounds[-1]))


def _draw_round(ax: Axes, episodes: BatchEpisodes, step: int, label: str) -> None:
    style = {"color": MUTED if step == 0 else COLORS[(step - 1) % len(COLORS)], "lw": 1.1, "zorder": 1 + step}
    for k in range(min(PATHS_SHOWN, episodes.batch_size)):
        path = path_of(episodes, k)
        ax.plot(path[:, 0], path[:, 1], alpha=0.75, label=label if k == 0 else None, **style)  # type: ignore[arg-type]


def path_of(episodes: BatchEpisodes, k: int) -> NDArray[np.float32]:
    """Return where the agent is before each step of episode ``k``, ``[length, 2]``."""
    path: NDArray[np.float32] = episodes.observations[: episodes.lengths[k], k, :2].cpu().numpy()
    return path


def _extent(episodes: BatchEpisodes) -> float:
    return max(
        float(np.abs(path_of(episodes, k)).max()) for k in range(min(PATHS_SHOWN, episodes.batch_size))
    )
