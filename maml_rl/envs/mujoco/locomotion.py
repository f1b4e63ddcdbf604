"""What one robot and one family of its tasks are: pure functions of states, for one or for many.

The single and the batched environments differ only in who calls the physics. What they observe, reward
and end an episode by is here, on arrays with any leading dimensions.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple

import gymnasium.envs.mujoco
import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.task_env import Array, Task, check_positive

ASSETS = Path(gymnasium.envs.mujoco.__file__).parent / "assets"
RESET_NOISE = 0.1
"""Half-width of the uniform noise on positions and standard deviation of that on velocities at reset."""


class BodyState(NamedTuple):
    """The physics state that observations and rewards are functions of."""

    qpos: Array
    """Generalised positions, ``[..., nq]``: metres and radians (and a quaternion where the root is free)."""
    qvel: Array
    """Generalised velocities, ``[..., nv]``, per second."""
    cfrc_ext: Array
    """External forces on each body, ``[..., nbody, 6]`` (torque, force; N m and N), or zeros."""


@dataclass(frozen=True, kw_only=True)
class Locomotion(ABC):
    """A robot and a distribution of tasks for it. The fields are the environment's keyword arguments."""

    model_file: ClassVar[str]
    task_key: ClassVar[str]
    default_goal: ClassVar[float | tuple[float, ...]]
    frame_skip: ClassVar[int] = 5

    @property
    def uses_contact_forces(self) -> bool:
        """Whether `BodyState.cfrc_ext` has to be computed; it stays zero otherwise."""
        return False

    @property
    def default_task(self) -> Task:
        """The task of an environment that was given none."""
        return {self.task_key: np.asarray(self.default_goal)}

    @abstractmethod
    def sample_tasks(self, rng: np.random.Generator, num_tasks: int) -> list[Task]:
        """Draw tasks."""

    @abstractmethod
    def observe(self, state: BodyState) -> NDArray[np.float32]:
        """Return observations, ``[..., O]``."""

    @abstractmethod
    def rewards(
        self, before: BodyState, after: BodyState, effort: Array, goal: Array, dt: float
    ) -> dict[str, Array]:
        """Return the terms that add up to the reward, ``[...]`` each.

        Args:
            effort: the control as it reaches the actuators, over half their range, ``[..., nu]``.
            goal: the task's numbers, ``[...]`` or ``[..., G]``.
            dt: seconds per step.
        """

    def terminated(self, state: BodyState) -> NDArray[np.bool_]:
        """Return whether the state ends the episode, ``[...]``; never, unless overridden."""
        return np.zeros(state.qpos.shape[:-1], bool)


def load_model(family: type[Locomotion]) -> mujoco.MjModel:
    """Compile the family's model: the XML that ships with Gymnasium."""
    return mujoco.MjModel.from_xml_path(str(ASSETS / family.model_file))


def initial_state(model: mujoco.MjModel, uniform: Array, normal: Array) -> tuple[Array, Array]:
    """Return positions and velocities at reset from noise ``[..., nq]`` in [0, 1) and ``[..., nv]``."""
    return model.qpos0 + RESET_NOISE * (2 * uniform - 1), RESET_NOISE * normal


class Actuation:
    """Maps actions in ±scale on to the actuators' range, clipping what lies outside.

    Raises:
        UsageError: the scale is not a positive number.
    """

    def __init__(self, model: mujoco.MjModel, scale: float):
        check_positive("normalization_scale", scale)
        low, high = model.actuator_ctrlrange.T
        self.scale = scale
        self.half_range = (high - low) / 2
        self._middle = (high + low) / 2

    def effort(self, actions: Array) -> Array:
        """Return the action over its scale, in [-1, 1]."""
        return np.clip(np.asarray(actions, np.float64) / self.scale, -1.0, 1.0)

    def control(self, effort: Array) -> Array:
        """Return what the actuators get."""
        return self._middle + effort * self.half_range


class ContactForces:
    """External forces on the bodies at given states.

    MuJoCo leaves ``cfrc_ext`` at zero unless asked, and what it then holds belongs to the last substep's
    start. Here a forward pass from the state itself, on data of its own and without a warm start, makes
    the forces a function of state and control, the same for single and batched environments.
    """

    def __init__(self, model: mujoco.MjModel):
        self._model = model
        self._data = mujoco.MjData(model)

    def at(self, qpos: Array, qvel: Array, control: Array) -> Array:
        """Return ``[B, nbody, 6]`` for ``[B, nq]``, ``[B, nv]`` and ``[B, nu]``."""
        forces = np.empty((len(qpos), self._model.nbody, 6))
        data = self._data
        for i in range(len(qpos)):
            data.qpos[:], data.qvel[:], data.ctrl[:] = qpos[i], qvel[i], control[i]
            data.qacc_warmstart[:] = 0.0
            mujoco.mj_forward(self._model, data)
            mujoco.mj_rnePostConstraint(self._model, data)
            forces[i] = data.cfrc_ext
        return forces
