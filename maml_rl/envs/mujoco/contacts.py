"""Contacts: from how near they act, and whether their forces are observed."""

from dataclasses import dataclass

import mujoco

from maml_rl.envs.mujoco.locomotion import Locomotion
from maml_rl.errors import UsageError


@dataclass(frozen=True, kw_only=True)
class ContactForces(Locomotion):
    """The part of a robot that observes external forces.

    Args:
        contact_forces: observe the real ones; if false they read zero, as they did under MuJoCo 2, on which
            the 2020 results were made.
    """

    contact_forces: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if not isinstance(self.contact_forces, bool):
            raise UsageError(f"contact_forces: expected true or false, got {self.contact_forces!r}")

    @property
    def measured(self) -> frozenset[str]:
        """The forces, if they are real, beside what else the robot needs."""
        return super().measured | ({"cfrc_ext"} if self.contact_forces else set())


def keep_margin(model: mujoco.MjModel) -> None:
    """Let contacts act from the geoms' margin on, which is the same for all.

    MuJoCo takes the larger margin of two geoms that touch, and from 3.5 on the sum of both.
    """
    model.geom_margin[:] *= model.geom_margin.max() / contact_margin(model)


def contact_margin(model: mujoco.MjModel) -> float:
    """Return the distance at which the robot's contacts with the floor begin to act, in metres."""
    data = mujoco.MjData(model)
    data.qpos[:] = 0.0  # The torso's middle is on the floor.
    mujoco.mj_fwdPosition(model, data)
    return float(data.contact.includemargin.max())
