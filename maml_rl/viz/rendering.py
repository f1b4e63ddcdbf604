"""Episodes as pictures: the same task under several parameters, with the same random numbers."""

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from typing import Any

import gymnasium as gym
import numpy as np
from gymnasium.wrappers import RenderCollection
from jaxtyping import Float
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray
from torch import Tensor

from maml_rl._system.own_code import failure
from maml_rl.envs import Task, make_env
from maml_rl.envs.adapter import BorrowedCopies
from maml_rl.envs.navigation import Navigation2DEnv
from maml_rl.envs.registry import find_spec, keyword_arguments
from maml_rl.episode import EpisodeData
from maml_rl.errors import UsageError, out_of_memory, shown
from maml_rl.samplers.rollout import ActionNoise, rollout
from maml_rl.seeding import (
    FIRST_EVALUATION,
    Purpose,
    global_generators_kept,
    integer_seed,
    seed_global_generators,
    seed_sequence,
)
from maml_rl.training.run import Run
from maml_rl.viz.opengl import choose_opengl
from maml_rl.viz.style import COLORS, MUTED

FILMED = FIRST_EVALUATION - 1
"""Meta-iteration number of filmed episodes: neither training nor evaluation gets there."""
SHADOW_SIZE = 1024
"""Pixels of the shadows' map. Without a GPU the models' own 4096 take longer than all the rest."""
CAMERA_DISTANCE, CAMERA_ELEVATION = 4.0, np.radians(20)
"""Metres from the robot's centre of mass, and radians above it."""

Frame = NDArray[np.uint8]
"""Red, green and blue, ``[height, width, 3]``."""


@dataclass(frozen=True)
class Recording:
    """A filmed episode of T steps.

    Args:
        frames: one before the first step and one after each, ``[T + 1]``.
        returns: undiscounted sum of the rewards so far, ``[T + 1]``.
    """

    frames: Sequence[Frame]
    returns: NDArray[np.float64]


def check_renderable(env: gym.Env[Any, Any]) -> None:
    """Check that there are pictures of ``env``; for a robot, choose how they are drawn.

    Raises:
        UsageError: the environment has no pictures, or there is no OpenGL.
    """
    if _is_navigation(env):
        return
    if "rgb_array" not in env.metadata.get("render_modes", ()):
        name = env.spec.id if env.spec else type(env.unwrapped).__name__
        raise UsageError(f"environment '{name}' has no pictures: its render_modes lack 'rgb_array'")
    if hasattr(env.unwrapped, "mujoco_renderer"):
        choose_opengl()
    elif "mujoco" in sys.modules:
        from maml_rl.envs.mujoco.blow_ups import physics_of  # MuJoCo takes a second to import.

        if any(True for _ in physics_of(env)):
            with suppress(UsageError):  # It may draw by itself, without OpenGL.
                choose_opengl()


def record_episodes(
    run: Run, task: Task, index: int, params: Sequence[Float[Tensor, "1 P"]], size: int
) -> list[Recording]:
    """Film an episode of ``task`` under each of ``params``.

    All start alike: the environment's seed and the actions' noise are functions of the run's seed and
    of ``index``, the task's number.

    Args:
        run: one whose environment `check_renderable` has passed.
        size: width and height in pixels, where the environment lets them be chosen.

    Raises:
        UsageError: a package that the environment draws with is not installed.
    """
    if _is_navigation(run.env):
        episodes = list(play_episodes(run, run.env, task, index, params))
        drawn = draw_paths([_path(episode) for episode in episodes], task["goal"], size)
        return [Recording(f, _returns(e)) for f, e in zip(drawn, episodes, strict=True)]
    run.copies.close()  # A process may be able to hold one alone; the run makes others when it needs them.
    with closing(RenderCollection(_Pictured(_rendering_env(run, size)))) as env:
        return [
            Recording(_popped(env), _returns(episode))
            for episode in play_episodes(run, env, task, index, params)
        ]


def play_episodes(
    run: Run, env: gym.Env[Any, Any], task: Task, index: int, params: Sequence[Float[Tensor, "1 P"]]
) -> Iterator[EpisodeData]:
    """Yield one episode (N = K = 1) of ``task`` in ``env`` under each of ``params``."""
    actions, start, drawn = (
        seed_sequence(run.settings.seed, purpose, iteration=FILMED, task=index)
        for purpose in (Purpose.ACTIONS, Purpose.ENVIRONMENT, Purpose.GLOBAL_GENERATORS)
    )
    batch = BorrowedCopies([env])
    batch.reset_task([task])
    adaptation, actor = run.learner.adaptation, None
    noise = ActionNoise(adaptation.policy, [actions], 1)
    for vector in params:
        actor = adaptation.actor(vector, 1, actor)
        with global_generators_kept():
            seed_global_generators(drawn)
            episode = rollout(batch, actor, noise, [integer_seed(start)])
        yield episode


def draw_paths(paths: Sequence[NDArray[Any]], goal: NDArray[Any], size: int) -> list[list[Frame]]:
    """Draw walks in the plane as they grow, all to one scale.

    Args:
        paths: positions, ``[T + 1, 2]`` each; after 0, 1, … gradient steps.
        goal: ``[2]``.
        size: width and height in pixels.

    Returns:
        For each path ``T + 1`` frames, ``[size, size, 3]``.
    """
    limit = 1.1 * max(float(np.abs(points).max()) for points in (goal, *paths))
    return [
        _draw_path(path, goal, limit, COLORS[(step - 1) % len(COLORS)] if step else MUTED, size)
        for step, path in enumerate(paths)
    ]


def canvas_of(width: int, height: int) -> FigureCanvasAgg:
    """Return the canvas of a new figure of that many pixels; one point of its text is one of them."""
    dpi = 72
    # Canvases cut off fractions: half a pixel more keeps rounding from costing a whole one.
    return FigureCanvasAgg(Figure(figsize=((width + 0.5) / dpi, (height + 0.5) / dpi), dpi=dpi))


def pixels(canvas: FigureCanvasAgg) -> Frame:
    """Return a copy of what is drawn."""
    return np.asarray(canvas.buffer_rgba())[..., :3].copy()


def _draw_path(path: NDArray[Any], goal: NDArray[Any], limit: float, color: str, size: int) -> list[Frame]:
    canvas = canvas_of(size, size)
    figure, font = canvas.figure, size / 26
    figure.set_layout_engine("constrained")
    ax = figure.subplots()
    ax.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal")
    ax.tick_params(labelsize=font)
    star = ax.plot(*goal, "*", ms=1.6 * font, color="#c44e52", mec="white", label="goal", zorder=3)
    dot = ax.plot(*path[0], "o", ms=0.6 * font, color="black", label="start", zorder=3)
    figure.legend(loc="outside lower center", ncols=2, frameon=False, fontsize=font)
    (walked,) = ax.plot([], [], color=color, lw=font / 7, animated=True)
    (here,) = ax.plot([], [], "o", ms=0.7 * font, color=color, mec="black", animated=True)
    canvas.draw()
    empty = canvas.copy_from_bbox(figure.bbox)
    frames = []
    for t in range(len(path)):
        canvas.restore_region(empty)
        walked.set_data(*path[: t + 1].T)
        here.set_data(*path[t : t + 1].T)
        for artist in (walked, *dot, *star, here):
            ax.draw_artist(artist)
        frames.append(pixels(canvas))
    return frames


class _Pictured(gym.Wrapper[Any, Any, Any, Any]):
    """Says in a line why an environment, which may be anybody's, draws no picture."""

    def render(self) -> Any:
        """Return a picture.

        Raises:
            UsageError: drawing it failed.
        """
        name = self.env.spec.id if self.env.spec else str(self.env.unwrapped)
        try:
            return self.env.render()
        except UsageError:
            raise
        except gym.error.DependencyNotInstalled as error:
            raise UsageError(f"environment '{name}' has no pictures: {error}") from None
        except (Exception, SystemExit) as error:
            if out_of_memory(error):
                raise
            said, opengl = failure(error), os.environ.get("MUJOCO_GL")
            if opengl and "OpenGL" in said:  # Some libraries look for it when they are imported.
                said += f"; begin the command with MUJOCO_GL={opengl}"
            raise UsageError(f"environment '{name}': its render() fails: {said}") from error


def _rendering_env(run: Run, size: int) -> gym.Env[Any, Any]:
    kwargs: dict[str, Any] = {"render_mode": "rgb_array"}
    if {"width", "height"} <= (keyword_arguments(find_spec(run.config.env_name)) or {}).keys():
        kwargs |= {"width": size, "height": size}
    env = make_env(run.config.env_name, run.config.env_arguments | kwargs)
    if hasattr(env.unwrapped, "model"):
        _set_the_scene(env.unwrapped.model)
    return env


def _set_the_scene(model: Any) -> None:
    """Make shadows cheap, and have cameras that follow the robot look down on it."""
    model.vis.quality.shadowsize = SHADOW_SIZE
    sine, cosine = np.sin(CAMERA_ELEVATION), np.cos(CAMERA_ELEVATION)
    right, up, back = (1, 0, 0), (0, sine, cosine), (0, -cosine, sine)
    model.cam_mat0[:] = np.stack([right, up, back], axis=1).ravel()
    model.cam_poscom0[:] = CAMERA_DISTANCE * np.array(back)


def _popped(env: RenderCollection[Any, Any]) -> list[Frame]:
    """Return the pictures since the last call.

    Raises:
        UsageError: the environment returned something else.
    """
    frames: Any = env.render()
    for frame in frames:
        if not (isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.shape[2:] == (3,)):
            raise UsageError(f"render() returned {_described(frame)}, expected uint8 of [height, width, 3]")
        if frame.shape != frames[0].shape:
            sizes = f"{[*frames[0].shape]} and {[*frame.shape]}"
            raise UsageError(f"render() returned pictures of {sizes}, expected one size")
    return [*frames]


def _described(frame: Any) -> str:
    return f"{frame.dtype} of {[*frame.shape]}" if isinstance(frame, np.ndarray) else shown(frame)


def _is_navigation(env: gym.Env[Any, Any]) -> bool:
    return isinstance(env.unwrapped, Navigation2DEnv)


def _path(episode: EpisodeData) -> NDArray[np.float32]:
    assert episode.last_observations is not None
    return np.concatenate([episode.observations[0, :, 0], episode.last_observations[0]])[:, :2]


def _returns(episode: EpisodeData) -> NDArray[np.float64]:
    return np.cumsum([0.0, *episode.rewards[0, :, 0].tolist()])
