"""The locomotion tasks of the MAML paper (Finn et al. 2017, section 5.3), made in rllab on MuJoCo 1.3.

One physics step per action; what moves, and where, is the robot's centre of mass.
"""

from dataclasses import dataclass
from typing import ClassVar

import mujoco

from maml_rl.envs.mujoco.ant import Ant, AntDir, AntVel
from maml_rl.envs.mujoco.env import MujocoTaskEnv
from maml_rl.envs.mujoco.half_cheetah import HalfCheetahDir, HalfCheetahVel
from maml_rl.envs.mujoco.locomotion import BodyState, Draw, Locomotion
from maml_rl.envs.mujoco.vector_env import MujocoTaskVectorEnv
from maml_rl.envs.task_env import Array

POSITION_NOISE, VELOCITY_NOISE = 0.01, 0.1
"""Standard deviations at reset."""


class Paper(Locomotion):
    """The parts that the paper's robots have in common."""

    frame_skip: ClassVar[int] = 1

    @property
    def measured(self) -> frozenset[str]:
        """The centre of mass, beside what else the robot needs."""
        return super().measured | {"com", "com_velocity"}

    def initial_state(self, model: mujoco.MjModel, uniform: Draw, normal: Draw) -> tuple[Array, Array]:
        """Draw a state around the model's initial one, with normal noise."""
        return (
            self.rest(model) + POSITION_NOISE * normal(model.nq),
            VELOCITY_NOISE * normal(model.nv),
        )

    def rest(self, model: mujoco.MjModel) -> Array:
        """Return the positions around which episodes start, ``[nq]``."""
        rest: Array = model.qpos0
        return rest

    def x_velocity(self, before: BodyState, after: BodyState, dt: float) -> Array:
        """Return the velocity of the centre of mass after the step."""
        return after.com_velocity[..., 0]

    def location(self, state: BodyState) -> Array:
        """Return the centre of mass."""
        return state.com


@dataclass(frozen=True, kw_only=True)
class PaperAnt(Paper, Ant):
    """rllab's ant: steps of 0.02 s, softer contacts, and a start on bent legs.

    Its torques of ±150 N m are those of Gymnasium's controls in ±1 with a gear of 150.
    """

    def adjust(self, model: mujoco.MjModel) -> None:
        """Set the time step and the contacts' impedance as rllab's model has them."""
        super().adjust(model)
        model.opt.timestep = 0.02
        model.geom_solimp[:, :3] = (0.8, 0.8, 0.01)

    def rest(self, model: mujoco.MjModel) -> Array:
        """Return the positions that both models note, though only rllab starts from them."""
        rest: Array = model.numeric("init_qpos").data
        return rest


@dataclass(frozen=True, kw_only=True)
class PaperHalfCheetahVel(Paper, HalfCheetahVel):
    """Run at the task's velocity."""


@dataclass(frozen=True, kw_only=True)
class PaperHalfCheetahDir(Paper, HalfCheetahDir):
    """Run fast in the task's direction."""


@dataclass(frozen=True, kw_only=True)
class PaperAntVel(PaperAnt, AntVel):
    """Run at the task's velocity."""


@dataclass(frozen=True, kw_only=True)
class PaperAntDir(PaperAnt, AntDir):
    """Run fast in the task's direction."""


class PaperHalfCheetahVelEnv(MujocoTaskEnv):
    """``HalfCheetahVel-v0``."""

    family = PaperHalfCheetahVel


class PaperHalfCheetahVelVectorEnv(MujocoTaskVectorEnv):
    """``HalfCheetahVel-v0``, batched."""

    family = PaperHalfCheetahVel


class PaperHalfCheetahDirEnv(MujocoTaskEnv):
    """``HalfCheetahDir-v0``."""

    family = PaperHalfCheetahDir


class PaperHalfCheetahDirVectorEnv(MujocoTaskVectorEnv):
    """``HalfCheetahDir-v0``, batched."""

    family = PaperHalfCheetahDir


class PaperAntVelEnv(MujocoTaskEnv):
    """``AntVel-v0``."""

    family = PaperAntVel


class PaperAntVelVectorEnv(MujocoTaskVectorEnv):
    """``AntVel-v0``, batched."""

    family = PaperAntVel


class PaperAntDirEnv(MujocoTaskEnv):
    """``AntDir-v0``."""

    family = PaperAntDir


class PaperAntDirVectorEnv(MujocoTaskVectorEnv):
    """``AntDir-v0``, batched."""

    family = PaperAntDir
