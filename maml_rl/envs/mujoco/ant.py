"""Ant tasks: run at a velocity, in a direction, or to a point.

Those of 2020, and two of Rothfuss et al. 2019, which have their own observations, costs and endings.
"""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.mujoco.contacts import ContactForces, keep_margin
from maml_rl.envs.mujoco.env import ExactMujocoTaskEnv, MujocoTaskEnv
from maml_rl.envs.mujoco.locomotion import BodyState, flat
from maml_rl.envs.mujoco.tasks import (
    DirectionTasks,
    GoalTasks,
    PlaneDirectionTasks,
    PositionTasks,
    VelocityTasks,
)
from maml_rl.envs.mujoco.vector_env import MujocoTaskVectorEnv
from maml_rl.envs.task_env import Array


@dataclass(frozen=True, kw_only=True)
class Ant(ContactForces):
    """Gymnasium's ant: four legs, 8 actuators; 0.05 s a step."""

    model_file: ClassVar[str] = "ant.xml"
    control_cost: ClassVar[float] = 0.005
    survival: ClassVar[float] = 0.05
    healthy_height: ClassVar[tuple[float, float]] = (0.2, 1.0)
    """Range of the torso's height, in metres, outside of which the episode ends."""

    def adjust(self, model: mujoco.MjModel) -> None:
        """Let contacts act from the geoms' margin of 0.01 m on."""
        keep_margin(model)

    def observe(self, state: BodyState) -> NDArray[np.float32]:
        """Return positions, velocities, clipped forces, torso rotation and position, 125 numbers."""
        return np.concatenate(
            [
                state.qpos,
                state.qvel,
                flat(clipped_forces(state)),
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
        """Return the task's term, the costs of control and contact, and what there is for surviving."""
        contact = np.square(clipped_forces(after)).sum((-2, -1))
        return {
            "forward": self.forward(before, after, goal, dt),
            "ctrl": -self.control_cost * np.square(effort).sum(-1),
            "contact": -0.0005 * contact,
            "survive": np.full(after.qpos.shape[:-1], self.survival),
        }

    @abstractmethod
    def forward(self, before: BodyState, after: BodyState, goal: Array, dt: float) -> Array:
        """Return the task's reward for the step from ``before`` to ``after``."""

    def terminated(self, state: BodyState) -> NDArray[np.bool_]:
        """Return whether the state is not finite or the torso is too low or too high."""
        low, high = self.healthy_height
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


@dataclass(frozen=True, kw_only=True)
class AntGoal(GoalTasks, Ant):
    """Go to the task's goal, falls included (Rothfuss et al. 2019)."""

    control_cost: ClassVar[float] = 0.1
    survival: ClassVar[float] = 0.0

    def observe(self, state: BodyState) -> NDArray[np.float32]:
        """Return positions, velocities and clipped forces, 113 numbers."""
        forces = flat(clipped_forces(state))
        return np.concatenate([state.qpos, state.qvel, forces], axis=-1, dtype=np.float32)

    def forward(self, before: BodyState, after: BodyState, goal: Array, dt: float) -> Array:
        """Return minus the L1 distance in metres."""
        return -np.abs(after.qpos[..., :2] - goal).sum(-1)

    def terminated(self, state: BodyState) -> NDArray[np.bool_]:
        """Return that it does not end."""
        return np.zeros(state.qpos.shape[:-1], bool)


@dataclass(frozen=True, kw_only=True)
class AntDir2D(PlaneDirectionTasks, Ant):
    """Run fast in the task's direction in the plane (Rothfuss et al. 2019)."""

    control_cost: ClassVar[float] = 0.5
    survival: ClassVar[float] = 1.0
    healthy_height: ClassVar[tuple[float, float]] = (0.0, 1.0)

    def observe(self, state: BodyState) -> NDArray[np.float32]:
        """Return positions without the torso's x and y, velocities and clipped forces, 111 numbers."""
        forces = flat(clipped_forces(state))
        return np.concatenate([state.qpos[..., 2:], state.qvel, forces], axis=-1, dtype=np.float32)

    def forward(self, before: BodyState, after: BodyState, goal: Array, dt: float) -> Array:
        """Return the torso's velocity along the direction, in m/s."""
        return ((after.qpos[..., :2] - before.qpos[..., :2]) * goal).sum(-1) / dt


def clipped_forces(state: BodyState) -> Array:
    """Return the external forces, clipped to ±1, ``[..., nbody, 6]``."""
    return np.clip(state.cfrc_ext, -1.0, 1.0)


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


class AntGoalEnv(ExactMujocoTaskEnv):
    """``AntGoal-v0``."""

    family = AntGoal


class AntGoalVectorEnv(MujocoTaskVectorEnv):
    """``AntGoal-v0``, batched."""

    family = AntGoal


class AntDir2DEnv(ExactMujocoTaskEnv):
    """``AntDir2D-v0``."""

    family = AntDir2D


class AntDir2DVectorEnv(MujocoTaskVectorEnv):
    """``AntDir2D-v0``, batched."""

    family = AntDir2D
