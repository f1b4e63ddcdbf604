"""Walker tasks: walk at a velocity, in a direction, or with a body that varies."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.mujoco.env import ExactMujocoTaskEnv
from maml_rl.envs.mujoco.locomotion import BodyState
from maml_rl.envs.mujoco.planar import PlanarRunner
from maml_rl.envs.mujoco.random_parameters import RandomParameters
from maml_rl.envs.mujoco.tasks import DirectionTasks, VelocityTasks
from maml_rl.envs.mujoco.vector_env import MujocoTaskVectorEnv
from maml_rl.envs.task_env import Array

LOWEST, HIGHEST, STEEPEST = 0.8, 2.0, 1.0
"""Heights of the torso in metres, and its angle in radians, at which an episode ends."""


@dataclass(frozen=True, kw_only=True)
class Walker2d(PlanarRunner):
    """Gymnasium's walker: two legs, 6 actuators; 0.016 s a step."""

    model_file: ClassVar[str] = "walker2d.xml"
    frame_skip: ClassVar[int] = 8

    def terminated(self, state: BodyState) -> NDArray[np.bool_]:
        """Return whether the torso is too low or too high, or leans too far."""
        height, angle = state.qpos[..., 1], state.qpos[..., 2]
        healthy: NDArray[np.bool_] = (height > LOWEST) & (height < HIGHEST) & (np.abs(angle) < STEEPEST)
        return ~healthy


@dataclass(frozen=True, kw_only=True)
class Walker2dVel(VelocityTasks, Walker2d):
    """Walk at the task's velocity."""

    survival: ClassVar[float] = 15.0
    high: float = 10.0

    def forward(self, velocity: Array, goal: Array) -> Array:
        """Return minus the error in m/s."""
        return -np.abs(velocity - goal)


@dataclass(frozen=True, kw_only=True)
class Walker2dDir(DirectionTasks, Walker2d):
    """Walk fast in the task's direction."""

    def forward(self, velocity: Array, goal: Array) -> Array:
        """Return the velocity along the direction, in m/s."""
        return goal * velocity


@dataclass(frozen=True, kw_only=True)
class Walker2dRandParams(RandomParameters, Walker2d):
    """Walk forward, fast, with the task's body; physics steps of 0.004 s as in rand_param_envs, 4 a step."""

    frame_skip: ClassVar[int] = 4

    def adjust(self, model: mujoco.MjModel) -> None:
        """Set the time step."""
        model.opt.timestep = 0.004


class Walker2dVelEnv(ExactMujocoTaskEnv):
    """``Walker2dVel-v0``."""

    family = Walker2dVel


class Walker2dVelVectorEnv(MujocoTaskVectorEnv):
    """``Walker2dVel-v0``, batched."""

    family = Walker2dVel


class Walker2dDirEnv(ExactMujocoTaskEnv):
    """``Walker2dDir-v0``."""

    family = Walker2dDir


class Walker2dDirVectorEnv(MujocoTaskVectorEnv):
    """``Walker2dDir-v0``, batched."""

    family = Walker2dDir


class Walker2dRandParamsEnv(ExactMujocoTaskEnv):
    """``Walker2dRandParams-v0``."""

    family = Walker2dRandParams


class Walker2dRandParamsVectorEnv(MujocoTaskVectorEnv):
    """``Walker2dRandParams-v0``, batched."""

    family = Walker2dRandParams
