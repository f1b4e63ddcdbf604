"""Ant tasks: run at a velocity, in a direction, or to a point."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.mujoco.env import MujocoTaskEnv
from maml_rl.envs.mujoco.locomotion import BodyState, Locomotion
from maml_rl.envs.mujoco.tasks import DirectionTasks, PositionTasks, VelocityTasks
from maml_rl.envs.mujoco.vector_env import MujocoTaskVectorEnv
from maml_rl.envs.task_env import Array
from maml_rl.errors import UsageError

HEALTHY_HEIGHT = (0.2, 1.0)
"""Range of the torso's height, in metres, outside of which the episode ends."""


@dataclass(frozen=True, kw_only=True)
class Ant(Locomotion):
    """Gymnasium's ant: four legs, 8 actuators; 0.05 s a step.

    Args:
        contact_forces: observe the real external forces; if false they read zero, as they did under
            MuJoCo 2, on which the 2020 results were made.
    """

    model_file: ClassVar[str] = "ant.xml"
    contact_forces: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.contact_forces, bool):
            raise UsageError(f"contact_forces: expected true or false, got {self.contact_forces!r}")

    def adjust(self, model: mujoco.MjModel) -> None:
        """Let contacts act from the geoms' margin of 0.01 m on.

        MuJoCo takes the larger margin of two geoms that touch, and from 3.5 on the sum of both: 0.02 m.
        """
        model.geom_margin[:] *= model.geom_margin.max() / contact_margin(model)

    @property
    def uses_contact_forces(self) -> bool:
        """True if the forces are real."""
        return self.contact_forces

    def observe(self, state: BodyState) -> NDArray[np.float32]:
        """Return positions, velocities, clipped forces, torso rotation and position, 125 numbers."""
        forces = clipped_forces(state)
        return np.concatenate(
            [
                state.qpos,
                state.qvel,
                forces.reshape(*forces.shape[:-2], -1),
                rotation_matrix(state.qpos[..., 3:7]),
                self.location(state),
            ],
            axis=-1,
            dtype=np.float32,
        )

    def location(self, state: BodyState) -> Array:
        """Return where the robot is, ``[..., 3]``: the torso's position."""
        return state.qpos[..., :3]

    def rewards(
        self, before: BodyState, after: BodyState, effort: Array, goal: Array, dt: float
    ) -> dict[str, Array]:
        """Return the task's term, the costs of control and contact, and 0.05 for surviving."""
        contact = np.square(clipped_forces(after)).sum((-2, -1))
        return {
            "forward": self.forward(before, after, goal, dt),
            "ctrl": -0.005 * np.square(effort).sum(-1),
            "contact": -0.0005 * contact,
            "survive": np.full(after.qpos.shape[:-1], 0.05),
        }

    @abstractmethod
    def forward(self, before: BodyState, after: BodyState, goal: Array, dt: float) -> Array:
        """Return the task's reward for the step from ``before`` to ``after``."""

    def terminated(self, state: BodyState) -> NDArray[np.bool_]:
        """Return whether the state is not finite or the torso is too low or too high."""
        low, high = HEALTHY_HEIGHT
        height = state.qpos[..., 2]
        finite = np.isfinite(state.qpos).all(-1) & np.isfinite(state.qvel).all(-1)
        healthy: NDArray[np.bool_] = finite & (height >= low) & (height <= high)
        return ~healthy


@dataclass(frozen=True, kw_only=True)
class AntVel(VelocityTasks, Ant):
    """Run at the task's velocity."""

    high: float = 3.0

    def forward(self, before: BodyState, after: BodyState, goal: Array, dt: float) -> Array:
        """Return 1 minus the error in m/s."""
        return 1.0 - np.abs(self.x_velocity(before, after, dt) - goal)


@dataclass(frozen=True, kw_only=True)
class AntDir(DirectionTasks, Ant):
    """Run fast in the task's direction."""

    def forward(self, before: BodyState, after: BodyState, goal: Array, dt: float) -> Array:
        """Return the velocity along the direction, in m/s."""
        return goal * self.x_velocity(before, after, dt)


@dataclass(frozen=True, kw_only=True)
class AntPos(PositionTasks, Ant):
    """Go to the task's point."""

    def forward(self, before: BodyState, after: BodyState, goal: Array, dt: float) -> Array:
        """Return 4 minus the L1 distance in metres."""
        return 4.0 - np.abs(after.qpos[..., :2] - goal).sum(-1)


def clipped_forces(state: BodyState) -> Array:
    """Return the external forces, clipped to ±1, ``[..., nbody, 6]``."""
    return np.clip(state.cfrc_ext, -1.0, 1.0)


def contact_margin(model: mujoco.MjModel) -> float:
    """Return the distance at which the robot's contacts with the floor begin to act, in metres."""
    data = mujoco.MjData(model)
    data.qpos[2] = 0.0  # The torso's middle is on the floor.
    mujoco.mj_fwdPosition(model, data)
    return float(data.contact.includemargin.max())


def rotation_matrix(quaternion: Array) -> Array:
    """Return the row-major rotation matrix, ``[..., 9]``, of a quaternion (w, x, y, z) of any length."""
    w, x, y, z = np.moveaxis(quaternion / np.linalg.norm(quaternion, axis=-1, keepdims=True), -1, 0)
    rows = [
        *(1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)),
        *(2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)),
        *(2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)),
    ]
    return np.stack(rows, axis=-1)


class AntVelEnv(MujocoTaskEnv):
    """``AntVel-v2``."""

    family = AntVel


class AntVelVectorEnv(MujocoTaskVectorEnv):
    """``AntVel-v2``, batched."""

    family = AntVel


class AntDirEnv(MujocoTaskEnv):
    """``AntDir-v2``."""

    family = AntDir


class AntDirVectorEnv(MujocoTaskVectorEnv):
    """``AntDir-v2``, batched."""

    family = AntDir


class AntPosEnv(MujocoTaskEnv):
    """``AntPos-v1``."""

    family = AntPos


class AntPosVectorEnv(MujocoTaskVectorEnv):
    """``AntPos-v1``, batched."""

    family = AntPos
