"""Humanoid tasks: run in a direction, along a line or in the plane."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.mujoco.contacts import ContactForces, keep_margin
from maml_rl.envs.mujoco.env import ExactMujocoTaskEnv
from maml_rl.envs.mujoco.locomotion import BodyState, Draw, flat, uniform_start
from maml_rl.envs.mujoco.tasks import DirectionTasks, PlaneDirectionTasks
from maml_rl.envs.mujoco.vector_env import MujocoTaskVectorEnv
from maml_rl.envs.task_env import Array

RESET_WIDTH = 0.01
"""Half-width of the uniform noise on positions and velocities at reset."""
CONTROL_RANGE = 0.4
"""Bound of the actuators' controls, from the model."""
HEALTHY_HEIGHT = (1.0, 2.0)
"""Range of the torso's height, in metres, outside of which the episode ends."""


@dataclass(frozen=True, kw_only=True)
class Humanoid(ContactForces):
    """Gymnasium's humanoid: 17 actuators; 0.015 s a step."""

    model_file: ClassVar[str] = "humanoid.xml"

    @property
    def measured(self) -> frozenset[str]:
        """The centre of mass, and what is observed of the bodies and the actuators."""
        return super().measured | {"com", "cinert", "cvel", "qfrc_actuator"}

    def adjust(self, model: mujoco.MjModel) -> None:
        """Let contacts act from the geoms' margin of 0.001 m on."""
        keep_margin(model)

    def initial_state(self, model: mujoco.MjModel, uniform: Draw, normal: Draw) -> tuple[Array, Array]:
        """Draw a state near the upright one."""
        return uniform_start(model, RESET_WIDTH, uniform)

    def location(self, state: BodyState) -> Array:
        """Return where the robot is, ``[..., 3]``: the torso's position."""
        return state.qpos[..., :3]

    def observe(self, state: BodyState) -> NDArray[np.float32]:
        """Return positions without the torso's x and y, velocities, and the bodies' state, 376 numbers."""
        bodies = [flat(state.cinert), flat(state.cvel), state.qfrc_actuator, flat(state.cfrc_ext)]
        return np.concatenate([state.qpos[..., 2:], state.qvel, *bodies], axis=-1, dtype=np.float32)

    def rewards(
        self, before: BodyState, after: BodyState, effort: Array, goal: Array, dt: float
    ) -> dict[str, Array]:
        """Return the task's term, the costs of control and impact, and 5 for surviving."""
        # The published rate is per physics step, of which there are five.
        velocity = (after.com - before.com) / dt
        impact = np.square(flat(after.cfrc_ext)).sum(-1)
        return {
            "forward": 0.25 * self.frame_skip * self.forward(velocity, goal),
            "ctrl": -0.1 * np.square(CONTROL_RANGE * effort).sum(-1),
            "impact": -np.minimum(0.5e-6 * impact, 10.0),
            "survive": np.full(after.qpos.shape[:-1], 5.0),
        }

    @abstractmethod
    def forward(self, velocity: Array, goal: Array) -> Array:
        """Return the centre of mass's velocity along the task's direction, of ``velocity [..., 3]``."""

    def terminated(self, state: BodyState) -> NDArray[np.bool_]:
        """Return whether the torso is too low or too high."""
        low, high = HEALTHY_HEIGHT
        height = state.qpos[..., 2]
        healthy: NDArray[np.bool_] = (height >= low) & (height <= high)
        return ~healthy


@dataclass(frozen=True, kw_only=True)
class HumanoidDir(DirectionTasks, Humanoid):
    """Run fast in the task's direction along x."""

    def forward(self, velocity: Array, goal: Array) -> Array:
        """Return the velocity along the direction."""
        return goal * velocity[..., 0]


@dataclass(frozen=True, kw_only=True)
class HumanoidDir2D(PlaneDirectionTasks, Humanoid):
    """Run fast in the task's direction in the plane."""

    def forward(self, velocity: Array, goal: Array) -> Array:
        """Return the velocity along the direction."""
        return (velocity[..., :2] * goal).sum(-1)


class HumanoidDirEnv(ExactMujocoTaskEnv):
    """``HumanoidDir-v0``."""

    family = HumanoidDir


class HumanoidDirVectorEnv(MujocoTaskVectorEnv):
    """``HumanoidDir-v0``, batched."""

    family = HumanoidDir


class HumanoidDir2DEnv(ExactMujocoTaskEnv):
    """``HumanoidDir2D-v0``."""

    family = HumanoidDir2D


class HumanoidDir2DVectorEnv(MujocoTaskVectorEnv):
    """``HumanoidDir2D-v0``, batched."""

    family = HumanoidDir2D
