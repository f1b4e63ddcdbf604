"""Swimmer tasks: swim at a velocity."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.mujoco.env import ExactMujocoTaskEnv
from maml_rl.envs.mujoco.locomotion import RESET_NOISE, BodyState, Draw, Locomotion, uniform_start
from maml_rl.envs.mujoco.tasks import VelocityTasks
from maml_rl.envs.mujoco.vector_env import MujocoTaskVectorEnv
from maml_rl.envs.task_env import Array


@dataclass(frozen=True, kw_only=True)
class Swimmer(Locomotion):
    """Gymnasium's swimmer: three links in a viscous fluid, 2 actuators; 0.04 s a step."""

    model_file: ClassVar[str] = "swimmer.xml"
    frame_skip: ClassVar[int] = 4

    def initial_state(self, model: mujoco.MjModel, uniform: Draw, normal: Draw) -> tuple[Array, Array]:
        """Draw a state near the straight one."""
        return uniform_start(model, RESET_NOISE, uniform)

    def location(self, state: BodyState) -> Array:
        """Return where the robot is, ``[..., 3]``: the torso's position."""
        x, y = state.qpos[..., 0], state.qpos[..., 1]
        return np.stack([x, y, np.zeros_like(x)], axis=-1)

    def observe(self, state: BodyState) -> NDArray[np.float32]:
        """Return the torso's angle, the joints' angles, and velocities, 8 numbers."""
        return np.concatenate([state.qpos[..., 2:], state.qvel], axis=-1, dtype=np.float32)


@dataclass(frozen=True, kw_only=True)
class SwimmerVel(VelocityTasks, Swimmer):
    """Swim at the task's velocity."""

    low: float = 0.1
    high: float = 0.2

    def rewards(
        self, before: BodyState, after: BodyState, effort: Array, goal: Array, dt: float
    ) -> dict[str, Array]:
        """Return minus the error in m/s, and minus 0.0001 times the squared control (whose range is ±1)."""
        return {
            "forward": -np.abs(self.x_velocity(before, after, dt) - goal),
            "ctrl": -0.0001 * np.square(effort).sum(-1),
        }


class SwimmerVelEnv(ExactMujocoTaskEnv):
    """``SwimmerVel-v0``."""

    family = SwimmerVel


class SwimmerVelVectorEnv(MujocoTaskVectorEnv):
    """``SwimmerVel-v0``, batched."""

    family = SwimmerVel
