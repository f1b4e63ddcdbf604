"""Half-cheetah tasks: run at a velocity, or in a direction (Finn et al. 2017, section 5.3)."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.mujoco.env import MujocoTaskEnv
from maml_rl.envs.mujoco.locomotion import BodyState, Locomotion
from maml_rl.envs.mujoco.tasks import DirectionTasks, VelocityTasks
from maml_rl.envs.mujoco.vector_env import MujocoTaskVectorEnv
from maml_rl.envs.task_env import Array

TORSO_HEIGHT = 0.7
"""Height of the torso in metres where the root joints are at 0, from the model."""


@dataclass(frozen=True, kw_only=True)
class HalfCheetah(Locomotion):
    """Gymnasium's half-cheetah: a planar robot with 6 actuators; 0.05 s a step."""

    model_file: ClassVar[str] = "half_cheetah.xml"

    def observe(self, state: BodyState) -> NDArray[np.float32]:
        """Return positions without the root's x, velocities, and the torso's position, 20 numbers."""
        return np.concatenate(
            [state.qpos[..., 1:], state.qvel, self.location(state)], axis=-1, dtype=np.float32
        )

    def location(self, state: BodyState) -> Array:
        """Return where the robot is, ``[..., 3]``: the torso's position."""
        x, z = state.qpos[..., 0], state.qpos[..., 1]
        return np.stack([x, np.zeros_like(x), z + TORSO_HEIGHT], axis=-1)

    def rewards(
        self, before: BodyState, after: BodyState, effort: Array, goal: Array, dt: float
    ) -> dict[str, Array]:
        """Return the task's term, and minus 0.05 times the squared control (whose range is ±1)."""
        velocity = self.x_velocity(before, after, dt)
        return {"forward": self.forward(velocity, goal), "ctrl": -0.05 * np.square(effort).sum(-1)}

    @abstractmethod
    def forward(self, velocity: Array, goal: Array) -> Array:
        """Return the task's reward for ``velocity`` along x, in m/s."""


@dataclass(frozen=True, kw_only=True)
class HalfCheetahVel(VelocityTasks, HalfCheetah):
    """Run at the task's velocity."""

    def forward(self, velocity: Array, goal: Array) -> Array:
        """Return minus the error in m/s."""
        return -np.abs(velocity - goal)


@dataclass(frozen=True, kw_only=True)
class HalfCheetahDir(DirectionTasks, HalfCheetah):
    """Run fast in the task's direction."""

    def forward(self, velocity: Array, goal: Array) -> Array:
        """Return the velocity along the direction, in m/s."""
        return goal * velocity


class HalfCheetahVelEnv(MujocoTaskEnv):
    """``HalfCheetahVel-v2``."""

    family = HalfCheetahVel


class HalfCheetahVelVectorEnv(MujocoTaskVectorEnv):
    """``HalfCheetahVel-v2``, batched."""

    family = HalfCheetahVel


class HalfCheetahDirEnv(MujocoTaskEnv):
    """``HalfCheetahDir-v2``."""

    family = HalfCheetahDir


class HalfCheetahDirVectorEnv(MujocoTaskVectorEnv):
    """``HalfCheetahDir-v2``, batched."""

    family = HalfCheetahDir
