"""Robots whose bodies vary from task to task."""

import copy
from dataclasses import dataclass
from functools import cache

import mujoco
import numpy as np

from maml_rl.envs.mujoco.locomotion import Locomotion, load_model, set_constants
from maml_rl.envs.task_env import Array, Task
from maml_rl.errors import UsageError, check_number, shown

BASES = {"body_mass": 1.5, "body_inertia": 1.5, "dof_damping": 1.3, "geom_friction": 1.5}
"""The fields of the model that vary, and the base of each one's multipliers."""
LARGEST_LIMIT = 100
"""More than anybody draws; no multiplier is too large for a float."""
VIEW = ("cam_pos0", "cam_poscom0", "cam_mat0", "light_pos0", "light_poscom0", "light_dir0")
"""The fields by which cameras and lights follow a body."""


@dataclass(frozen=True, kw_only=True)
class RandomParameters(Locomotion):
    """Masses, inertias, damping and friction that are drawn (rand_param_envs; Rothfuss et al. 2019).

    A task is ``{field: multipliers}``, of the shapes of the model's fields in `BASES`.

    Args:
        log_scale_limit: multipliers are ``base ** x`` with x uniform in ± this.
    """

    log_scale_limit: float = 3.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_number("log_scale_limit", self.log_scale_limit, 0, LARGEST_LIMIT)

    @property
    def default_task(self) -> Task:
        """The model's own body."""
        return {name: np.ones(values.shape) for name, values in nominal_values(self).items()}

    def sample_tasks(self, rng: np.random.Generator, num_tasks: int) -> list[Task]:
        """Draw multipliers, each number's own."""
        limit = self.log_scale_limit
        shapes = {name: values.shape for name, values in nominal_values(self).items()}
        return [
            {name: BASES[name] ** rng.uniform(-limit, limit, shape) for name, shape in shapes.items()}
            for _ in range(num_tasks)
        ]

    def goal(self, task: Task) -> Array:
        """Return no numbers: rewards depend on none."""
        return np.zeros(0)

    def fit(self, model: mujoco.MjModel, task: Task) -> None:
        """Set the fields of ``model`` to the task's multiples of those of the compiled model.

        What MuJoCo derives from them is set, too. Tasks before this one leave no trace.

        Raises:
            UsageError: the task is no multipliers of these fields.
        """
        values = {
            name: nominal * multipliers(task, name, nominal.shape)
            for name, nominal in nominal_values(self).items()
        }
        view = {name: getattr(model, name).copy() for name in VIEW}
        for name, value in values.items():
            getattr(model, name)[:] = value
        set_constants(model)
        for name, value in view.items():
            getattr(model, name)[:] = value

    def fitted(self, model: mujoco.MjModel, task: Task) -> mujoco.MjModel:
        """Return a copy of ``model`` with the task's body."""
        fitted = copy.copy(model)
        self.fit(fitted, task)
        return fitted


@cache
def nominal_values(robot: RandomParameters) -> dict[str, Array]:
    """Return the fields in `BASES` of the model as it is compiled, read-only."""
    model = load_model(robot)
    values = {name: getattr(model, name).copy() for name in BASES}
    for value in values.values():
        value.setflags(write=False)
    return values


def multipliers(task: Task, name: str, shape: tuple[int, ...]) -> Array:
    """Return the multipliers of a field.

    Raises:
        UsageError: they are no numbers above 0 of that shape.
    """
    given = task.get(name)
    try:
        numbers = np.asarray(given, np.float64)
    except (TypeError, ValueError):
        numbers = np.empty(0)
    if numbers.shape != shape or not (np.isfinite(numbers) & (numbers > 0)).all():
        raise UsageError(f"task: {name}: expected numbers above 0 of shape {[*shape]}, got {shown(given)}")
    return numbers
