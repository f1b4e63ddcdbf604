"""One robot and one family of its tasks: pure functions of states, for one or for many.

The single and the batched environments differ only in who calls the physics. What they observe, reward
and end an episode by is here, on arrays with any leading dimensions.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, NamedTuple
from xml.etree import ElementTree

import gymnasium.envs.mujoco
import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.task_env import Array, Task, check_positive

ASSETS = Path(gymnasium.envs.mujoco.__file__).parent / "assets"
TORSO = 1
"""Number of the root body in every robot's model; 0 is the world."""
RESET_NOISE = 0.1
"""Half-width of the uniform noise on positions and standard deviation of that on velocities at reset."""


Draw = Callable[[int], Array]
"""``draw(n)`` returns random numbers, ``[..., n]``."""


NOTHING: Array = np.zeros(0)
"""What was not measured, in a state that is not of an environment."""


class BodyState(NamedTuple):
    """The physics state that observations and rewards are functions of.

    Fields from the third on are what `Measurements` takes, zero where the robot has no use for it.
    """

    qpos: Array
    """Generalised positions, ``[..., nq]``: metres and radians (and a quaternion where the root is free)."""
    qvel: Array
    """Generalised velocities, ``[..., nv]``, per second."""
    cfrc_ext: Array = NOTHING
    """External forces on each body, ``[..., nbody, 6]`` (torque, force; N m and N)."""
    com: Array = NOTHING
    """Centre of mass of the torso and all that hangs on it, ``[..., 3]``, in metres."""
    com_velocity: Array = NOTHING
    """Velocity of that, ``[..., 3]``, in m/s."""
    cinert: Array = NOTHING
    """Inertia and mass of each body about the centre of mass, ``[..., nbody, 10]``."""
    cvel: Array = NOTHING
    """Velocity of each body there, ``[..., nbody, 6]`` (angular, linear; rad/s and m/s)."""
    qfrc_actuator: Array = NOTHING
    """Forces of the actuators on each degree of freedom, ``[..., nv]``, in N and N m."""


@dataclass(frozen=True, kw_only=True)
class Locomotion(ABC):
    """A robot and a distribution of tasks for it. The fields are the environment's keyword arguments."""

    model_file: ClassVar[str]
    task_key: ClassVar[str]
    default_goal: ClassVar[float | tuple[float, ...]]
    frame_skip: ClassVar[int] = 5

    def __post_init__(self) -> None:  # noqa: B027 (likewise)
        """Check the fields: nothing, unless overridden.

        Raises:
            UsageError: one has a value that it cannot have.
        """

    @property
    def measured(self) -> frozenset[str]:
        """Names of the fields of `BodyState` that have to be measured: none, unless overridden."""
        return frozenset()

    @property
    def default_task(self) -> Task:
        """The task of an environment that was given none."""
        return {self.task_key: np.asarray(self.default_goal)}

    @abstractmethod
    def sample_tasks(self, rng: np.random.Generator, num_tasks: int) -> list[Task]:
        """Draw tasks."""

    def goal(self, task: Task) -> Array:
        """Return the numbers of a task that rewards depend on, ``[]`` or ``[G]``."""
        return np.asarray(task[self.task_key], np.float64)

    def adjust(self, model: mujoco.MjModel) -> None:  # noqa: B027 (most robots need nothing)
        """Change what differs from the XML that ships with Gymnasium: nothing, unless overridden."""

    def fit(self, model: mujoco.MjModel, task: Task) -> None:  # noqa: B027 (likewise)
        """Make the model that of a task, whatever task it was of: nothing, unless overridden."""

    def fitted(self, model: mujoco.MjModel, task: Task) -> mujoco.MjModel:
        """Return the model of a task, a copy unless all tasks have the same: ``model``, unless overridden."""
        return model

    def initial_state(self, model: mujoco.MjModel, uniform: Draw, normal: Draw) -> tuple[Array, Array]:
        """Draw positions and velocities at reset: Gymnasium's noise, unless overridden.

        Args:
            uniform: draws in [0, 1).
            normal: draws standard normals.
        """
        return model.qpos0 + RESET_NOISE * (2 * uniform(model.nq) - 1), RESET_NOISE * normal(model.nv)

    def x_velocity(self, before: BodyState, after: BodyState, dt: float) -> Array:
        """Return the forward velocity in m/s, ``[...]``: the root's over the step, unless overridden."""
        return (after.qpos[..., 0] - before.qpos[..., 0]) / dt

    @abstractmethod
    def location(self, state: BodyState) -> Array:
        """Return where the robot is, ``[..., 3]``, in metres."""

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


def uniform_start(model: mujoco.MjModel, width: float, uniform: Draw) -> tuple[Array, Array]:
    """Draw positions and velocities around the model's own, each uniform in ±``width``."""
    return model.qpos0 + width * (2 * uniform(model.nq) - 1), width * (2 * uniform(model.nv) - 1)


def flat(array: Array) -> Array:
    """Return ``[..., nbody, n]`` as ``[..., nbody · n]``."""
    return array.reshape(*array.shape[:-2], -1)


def load_model(locomotion: Locomotion) -> mujoco.MjModel:
    """Compile the robot's model, and adjust it.

    ``settotalmass`` is taken out of the XML and done here. MuJoCo deprecates it: from 3.16 on, the attribute
    prints a warning whenever a model is compiled, and leaves it in a file in the working directory.
    """
    xml = ElementTree.parse(ASSETS / locomotion.model_file).getroot()
    total_masses = [element.attrib.pop("settotalmass") for element in xml.findall("compiler[@settotalmass]")]
    model = mujoco.MjModel.from_xml_string(ElementTree.tostring(xml, encoding="unicode"))
    for kilograms in total_masses:
        set_total_mass(model, float(kilograms))
    locomotion.adjust(model)
    return model


def set_total_mass(model: mujoco.MjModel, kilograms: float) -> None:
    """Scale the robot's masses and inertias as ``settotalmass`` does, to the bit."""
    mujoco.mj_setTotalmass(model, kilograms)
    set_constants(model)


def set_constants(model: mujoco.MjModel) -> None:
    """Compute what follows from masses and inertias, as the compiler does, to the bit."""
    mujoco.mj_setConst(model, mujoco.MjData(model))
    # From 4.0 on mj_setConst leaves the means as they are, by one of which the solver scales its tolerance.
    # Sums in order, as MuJoCo's own.
    model.stat.meanmass = model.body_mass[1:].cumsum()[-1] / (model.nbody - 1)
    model.stat.meaninertia = model.dof_M0.cumsum()[-1] / model.nv


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


class Measurements:
    """Measurements of MuJoCo besides positions and velocities, at given states.

    After a step, MuJoCo's own data belong to the last substep's start, and contact forces are zero unless
    asked for. Here a pass from the state itself, on data of its own and without a warm start, makes them
    functions of state and control, the same for single and batched environments.
    """

    def __init__(self, locomotion: Locomotion, model: mujoco.MjModel):
        self._data = data = mujoco.MjData(model)
        # Views, made once: making them in the loop costs as much as the measuring.
        self._position, self._velocity, self._control = data.qpos, data.qvel, data.ctrl
        self._warm_start = data.qacc_warmstart
        every = {
            "cfrc_ext": data.cfrc_ext,
            "com": data.subtree_com[TORSO],
            "com_velocity": data.subtree_linvel[TORSO],
            "cinert": data.cinert,
            "cvel": data.cvel,
            "qfrc_actuator": data.qfrc_actuator,
        }
        self._measured = {name: view for name, view in every.items() if name in locomotion.measured}
        self._shapes = {name: view.shape for name, view in every.items()}

    @property
    def needed(self) -> bool:
        """True if anything has to be measured; it all stays zero otherwise."""
        return bool(self._measured)

    def none(self, *batch: int) -> dict[str, Array]:
        """Return zeros for the fields of `BodyState` that can be measured, by name."""
        return {name: np.zeros((*batch, *shape)) for name, shape in self._shapes.items()}

    def at(
        self, models: Sequence[mujoco.MjModel], qpos: Array, qvel: Array, control: Array
    ) -> dict[str, Array]:
        """Return those that have to be measured, for B models, ``[B, nq]``, ``[B, nv]`` and ``[B, nu]``."""
        taken = {name: np.zeros((len(qpos), *self._shapes[name])) for name in self._measured}
        places = [*zip(taken.values(), self._measured.values(), strict=True)]
        for i, model in enumerate(models if self.needed else ()):
            self._position[:], self._velocity[:], self._control[:] = qpos[i], qvel[i], control[i]
            self._bring_up(model)
            for array, view in places:
                array[i] = view
        return taken

    def _bring_up(self, model: mujoco.MjModel) -> None:
        """Make the data those of their positions, velocities and controls."""
        data = self._data
        if "cfrc_ext" in self._measured:
            self._warm_start[:] = 0.0
            mujoco.mj_forward(model, data)
            mujoco.mj_rnePostConstraint(model, data)
        else:  # The rest needs no contacts, nor what solves for their forces.
            mujoco.mj_kinematics(model, data)
            mujoco.mj_comPos(model, data)
            mujoco.mj_comVel(model, data)
            if "qfrc_actuator" in self._measured:
                mujoco.mj_transmission(model, data)
                mujoco.mj_fwdActuation(model, data)
        if "com_velocity" in self._measured:
            mujoco.mj_subtreeVel(model, data)
