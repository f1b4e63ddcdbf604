"""Robots that run on their feet in a vertical plane: the hopper and the walker."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.mujoco.locomotion import BodyState, Draw, Locomotion, uniform_start
from maml_rl.envs.task_env import Array

RESET_WIDTH = 0.005
"""Half-width of the uniform noise on positions and velocities at reset."""
FASTEST = 10.0
"""Bound of the velocities that are observed, in m/s and rad/s."""


@dataclass(frozen=True, kw_only=True)
class PlanarRunner(Locomotion):
    """A robot whose positions begin with the torso's x, height and angle; the actuators' range is ±1."""

    survival: ClassVar[float] = 1.0
    """Reward of a step in which the robot has not fallen, the one in which it falls included."""

    def initial_state(self, model: mujoco.MjModel, uniform: Draw, normal: Draw) -> tuple[Array, Array]:
        """Draw a state near the upright one."""
        return uniform_start(model, RESET_WIDTH, uniform)

    def location(self, state: BodyState) -> Array:
        """Return where the robot is, ``[..., 3]``: the torso's position."""
        x, z = state.qpos[..., 0], state.qpos[..., 1]
        return np.stack([x, np.zeros_like(x), z], axis=-1)

    def observe(self, state: BodyState) -> NDArray[np.float32]:
        """Return positions without the torso's x, and clipped velocities."""
        velocities = np.clip(state.qvel, -FASTEST, FASTEST)
        return np.concatenate([state.qpos[..., 1:], velocities], axis=-1, dtype=np.float32)

    def rewards(
        self, before: BodyState, after: BodyState, effort: Array, goal: Array, dt: float
    ) -> dict[str, Array]:
        """Return the task's term, minus 0.001 times the squared control, and what there is for surviving."""
        return {
            "forward": self.forward(self.x_velocity(before, after, dt), goal),
            "ctrl": -0.001 * np.square(effort).sum(-1),
            "survive": np.full(after.qpos.shape[:-1], self.survival),
        }

    def forward(self, velocity: Array, goal: Array) -> Array:
        """Return the task's reward for ``velocity`` along x, in m/s: here, of running forward."""
        return velocity
