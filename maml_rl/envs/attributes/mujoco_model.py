"""Places in a model of MuJoCo's: ``model.body_mass[torso]``, ``model.opt.gravity[2]``."""

from collections.abc import Sequence
from typing import Any

import mujoco
import numpy as np

from maml_rl.envs.attributes.places import indices, nearest_first
from maml_rl.errors import UsageError

OBJECTS = {
    "body": mujoco.mjtObj.mjOBJ_BODY,
    "jnt": mujoco.mjtObj.mjOBJ_JOINT,
    "dof": mujoco.mjtObj.mjOBJ_JOINT,
    "geom": mujoco.mjtObj.mjOBJ_GEOM,
    "site": mujoco.mjtObj.mjOBJ_SITE,
    "actuator": mujoco.mjtObj.mjOBJ_ACTUATOR,
    "tendon": mujoco.mjtObj.mjOBJ_TENDON,
}
"""Kinds of objects with names, by the beginning of their fields' names."""
FIELDS = (
    *("body_mass", "body_inertia", "body_pos", "body_quat"),
    *("dof_armature", "dof_damping", "dof_frictionloss"),
    *("jnt_stiffness", "jnt_range", "jnt_pos"),
    *("geom_friction", "geom_solref", "geom_solimp", "geom_rgba"),
    *("actuator_gear", "actuator_gainprm", "actuator_biasprm", "actuator_ctrlrange", "actuator_forcerange"),
    *("tendon_stiffness", "tendon_damping"),
    *("site_pos", "site_quat"),
)
"""Fields, besides those of ``opt``, that can be changed in a compiled model, if `mujoco.mj_setConst` follows:
the physics then is that of the model that MuJoCo compiles with the value. Of others, as of ``geom_size`` or
``body_ipos``, the compiler makes more fields and flags; the physics would be neither the old nor the new."""

CAMERAS = ("cam_pos0", "cam_poscom0", "cam_mat0")
"""Fields that `mujoco.mj_setConst` computes as well, and that stay where somebody may have put them."""


class ModelPlace:
    """A field of a model, or a part of one.

    Args:
        owner: the model, or its ``opt``.
        key: of the part, as NumPy has it; ``...`` for all.
    """

    def __init__(self, model: Any, owner: Any, field: str, key: Any):
        self.model, self._owner, self._field, self._key = model, owner, field, key

    @property
    def is_option(self) -> bool:
        """Whether it is a field of the model's ``opt``."""
        return self._owner is not self.model

    def get(self) -> Any:
        """Return a copy of the value."""
        found = np.array(np.asarray(getattr(self._owner, self._field))[self._key])
        return found if found.shape else found.item()

    def set(self, value: Any) -> None:
        """Set the value; `settle` is to follow."""
        whole = getattr(self._owner, self._field)
        if isinstance(whole, np.ndarray):  # It is a view of the model.
            whole[self._key] = value
        else:
            setattr(self._owner, self._field, value)


def model_place(model: Any, field: str, keys: list[str], path: str) -> ModelPlace:
    """Return the place of a field.

    Args:
        field: such as ``body_mass`` or ``opt.gravity``.
        keys: names or numbers, as the path has them in brackets.

    Raises:
        UsageError: there is no such field or part, or it cannot be changed in a compiled model.
    """
    parent, _, name = field.rpartition(".")
    options = [option for option in dir(model.opt) if not option.startswith("_")]
    known = options if parent == "opt" else FIELDS
    if parent not in ("", "opt") or name not in known:
        why = "cannot be changed in a compiled model" if hasattr(model, field) else "is no field of the model"
        others = nearest_first(name, known if parent == "opt" else (*FIELDS, "opt.gravity"))
        raise UsageError(f"task-space: {path}: '{field}' {why}; those that can: {others}")
    owner = model.opt if parent else model
    key = _key(model, name, keys, np.shape(getattr(owner, name)), path) if keys else ...
    return ModelPlace(model, owner, name, key)


def settle(places: Sequence[ModelPlace]) -> None:
    """Compute the fields of a model that follow from others, as the inertia that a joint feels.

    Nothing follows from its options. Cameras stay where somebody may have put them.

    Args:
        places: in the model, that have been set.

    Raises:
        UsageError: masses or inertias are negative, which MuJoCo compiles nowhere, or the time step is not
            positive.
    """
    model = places[0].model
    if not model.opt.timestep > 0:
        raise UsageError(
            f"task-space: model.opt.timestep: expected a number above 0, got {model.opt.timestep:g}"
        )
    for name in ("body_mass", "body_inertia"):
        if (least := getattr(model, name).min()) < 0:
            raise UsageError(f"task-space: model.{name}: expected 0 or more, got {least:g}")
    if all(place.is_option for place in places):
        return
    cameras = [(name, getattr(model, name).copy()) for name in CAMERAS]
    mujoco.mj_setConst(model, mujoco.MjData(model))
    for name, value in cameras:
        getattr(model, name)[:] = value


def _key(model: Any, field: str, keys: list[str], shape: tuple[int, ...], path: str) -> Any:
    first, *others = keys
    prefix = field.partition("_")[0]
    if first.isdecimal() or prefix not in OBJECTS:
        return indices(keys, shape, path)
    number = mujoco.mj_name2id(model, OBJECTS[prefix], first)
    if number < 0:
        count = model.njnt if prefix == "dof" else shape[0]
        names = [mujoco.mj_id2name(model, OBJECTS[prefix], i) for i in range(count)]
        known = [name for name in names if name]
        hint = (
            f"there are {nearest_first(first, known)}"
            if known
            else f"they have no names, but 0 to {count - 1}"
        )
        raise UsageError(f"task-space: {path}: no such name; {hint}")
    row: Any = number
    if prefix == "dof":  # A ball or a free joint has several.
        rows = np.flatnonzero(model.dof_jntid == number)
        row = int(rows[0]) if len(rows) == 1 else slice(int(rows[0]), int(rows[-1]) + 1)
    return (row, *(indices(others, shape[1:], path) if others else ()))
