"""How pictures of Meta-World are taken."""

from typing import Any

import mujoco
import numpy as np

CAMERA = "corner4"
"""The camera that is nearest to the table."""
SHADOW_SIZE = 1024
"""Pixels of the shadows' map. Without a GPU the models' own size takes longer than all the rest."""
HALF_TURN = np.array([0.0, 0.0, 0.0, 1.0])
"""About the line of sight, as a quaternion."""


def prepare(model: Any) -> None:
    """Make shadows cheap, and turn cameras that the package hung upside down."""
    model.vis.quality.shadowsize = SHADOW_SIZE
    for quaternion, mode in zip(model.cam_quat, model.cam_mode, strict=True):
        axes = np.empty(9)
        mujoco.mju_quat2Mat(axes, quaternion)
        upwards = axes.reshape(3, 3)[2, 1]
        if upwards < 0 and mode == mujoco.mjtCamLight.mjCAMLIGHT_FIXED:
            mujoco.mju_mulQuat(quaternion, quaternion.copy(), HALF_TURN)
