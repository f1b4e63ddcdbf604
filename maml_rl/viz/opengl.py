"""OpenGL without a display, for the robots' pictures."""

import os
import subprocess
import sys

from maml_rl.errors import UsageError

BACKENDS = ("egl", "osmesa") if sys.platform == "linux" else ("glfw",)
"""Libraries that MuJoCo can draw with without a screen; elsewhere than on Linux a window stays hidden."""
PROBE = (
    "import mujoco; context = mujoco.GLContext(8, 8); context.make_current(); "
    "mujoco.MjrContext(mujoco.MjModel.from_xml_string('<mujoco/>'), mujoco.mjtFontScale.mjFONTSCALE_100); "
    "context.free()"
)
PROBE_SECONDS = 60
REMEDY = "on Debian and Ubuntu, 'apt-get install libosmesa6' or 'apt-get install libegl1 libgl1'"


def choose_opengl() -> str:
    """Set ``MUJOCO_GL`` to a way of drawing that works here, and return it.

    One that is set already is kept, if it works. Call this before anything is drawn in this process.

    Raises:
        UsageError: none works, or not the one that is set.
    """
    chosen = os.environ.get("MUJOCO_GL")
    for backend in (chosen,) if chosen else BACKENDS:
        if _works(backend):
            os.environ["MUJOCO_GL"] = backend
            return backend
    if chosen:
        raise UsageError(f"MUJOCO_GL is '{chosen}', which does not work here: unset it, or {REMEDY}")
    raise UsageError(f"no OpenGL ({' or '.join(BACKENDS)}) to draw robots with: {REMEDY}")


def _works(backend: str) -> bool:
    """Try in another process: PyOpenGL binds to one platform for good, and some drivers crash."""
    try:
        probe = subprocess.run(
            [sys.executable, "-c", PROBE],
            env=os.environ | {"MUJOCO_GL": backend},
            capture_output=True,
            timeout=PROBE_SECONDS,
        )
    except subprocess.TimeoutExpired:
        return False
    return probe.returncode == 0
