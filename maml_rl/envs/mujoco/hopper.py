"""Hopper tasks: run on one leg, with a body that varies."""

from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.mujoco.contacts import keep_margin
from maml_rl.envs.mujoco.env import ExactMujocoTaskEnv
from maml_rl.envs.mujoco.locomotion import BodyState
from maml_rl.envs.mujoco.planar import PlanarRunner
from maml_rl.envs.mujoco.random_parameters import RandomParameters
from maml_rl.envs.mujoco.vector_env import MujocoTaskVectorEnv

LOWEST, STEEPEST, LARGEST = 0.7, 0.2, 100.0
"""Height of the torso in metres, its angle in radians, and any other number of the state: where an episode
ends."""


@dataclass(frozen=True, kw_only=True)
class Hopper(PlanarRunner):
    """Gymnasium's hopper: one leg, 3 actuators; physics steps of 0.004 s as in rand_param_envs, 4 a step."""

    model_file: ClassVar[str] = "hopper.xml"
    frame_skip: ClassVar[int] = 4

    def adjust(self, model: mujoco.MjModel) -> None:
        """Set the time step, and let contacts act from the geoms' margin of 0.001 m on."""
        keep_margin(model)
        model.opt.timestep = 0.004

    def terminated(self, state: BodyState) -> NDArray[np.bool_]:
        """Return whether the torso is too low or leans too far, or something is far out of bounds."""
        others = np.concatenate([state.qpos[..., 2:], state.qvel], axis=-1)
        upright = (state.qpos[..., 1] > LOWEST) & (np.abs(state.qpos[..., 2]) < STEEPEST)
        healthy: NDArray[np.bool_] = upright & (np.abs(others) < LARGEST).all(-1)
        return ~healthy


@dataclass(frozen=True, kw_only=True)
class HopperRandParams(RandomParameters, Hopper):
    """Run forward, fast, with the task's body."""


class HopperRandParamsEnv(ExactMujocoTaskEnv):
    """``HopperRandParams-v0``."""

    family = HopperRandParams


class HopperRandParamsVectorEnv(MujocoTaskVectorEnv):
    """``HopperRandParams-v0``, batched."""

    family = HopperRandParams
