"""Meta-World's environment classes with the same formulas on quicker arithmetic.

An environment's reward and observation are the package's own code. The functions of a class are made again
with other globals: `tolerance`, the norm and SciPy's rotations become those of
`maml_rl.envs.metaworld.scalars`. The package itself stays as it is.
"""

from collections.abc import Callable
from functools import cache
from types import FunctionType, SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.metaworld.scalars import NUMPY, Rotation, make_tolerance
from maml_rl.errors import UsageError, shown

MOST_PLACED = 10
"""Times that a reset asks for a random vector, at the very most: twice, unless it finds the vector wrong."""
SUCCEED_BY_GRASPING = ("SawyerStickPushEnvV3",)
"""Classes in which a success is one only if the object is held."""
UNTOUCHED = ("__init__", "reset_model", "_reset_hand", "_get_obs_dict", "model_name")
"""Members of environment classes that steps do not need."""


class NamedViews:
    """Views of a simulation's numbers by the names of bodies, geoms, sites and joints, each made once.

    Args:
        data: of MuJoCo; the arrays that its own ``data.body(name).xpos`` makes anew at each call.
    """

    def __init__(self, data: Any):
        self._data = data
        self.body, self.geom = _once(data.body), _once(data.geom)
        self.site, self.joint = _once(data.site), _once(data.joint)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._data, name)


class _Once:
    """Attributes of a named thing, each asked for once."""

    def __init__(self, named: Any):
        self._named = named

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._named, name)
        setattr(self, name, value)
        return value


def _once(find: Callable[[str], Any]) -> Callable[[str], _Once]:
    found: dict[str, _Once] = {}

    def named(name: str) -> _Once:
        if name not in found:
            found[name] = _Once(find(name))
        return found[name]

    return named


@cache
def quick_class(env_class: Any) -> Any:
    """Return a subclass of a Meta-World environment that computes the same in less time.

    Most do not tell ``info['grasp_success']``, which takes as long as the physics and is in no reward.
    """
    from metaworld.sawyer_xyz_env import SawyerXYZEnv

    members = {"_gripper_caging_reward": SawyerXYZEnv._gripper_caging_reward}
    members |= {name: value for name, value in vars(env_class).items() if name not in UNTOUCHED}
    remade = {name: _remade(value) for name, value in members.items()}
    own: dict[str, Any] = {
        "tcp_center": property(_tcp_center),
        "get_body_com": _body_position,
        "times_placed": 0,
        "_get_state_rand_vec": _places,
    }
    if env_class.__name__ not in SUCCEED_BY_GRASPING:
        own["touching_main_object"] = False
    return type(f"Quick{env_class.__name__}", (env_class,), {**remade, **own})


def _places(env: Any) -> NDArray[np.float64]:
    """Return the random vector of a task, or draw one.

    Raises:
        UsageError: a reset asks for another again and again, as it does where things are too near each other.
    """
    env.times_placed += 1
    if env._freeze_rand_vec and env.times_placed > MOST_PLACED:
        places = shown(env._last_rand_vec.tolist())
        raise UsageError(f"rand_vec: {places} puts things nearer to each other than the environment has them")
    vector: NDArray[np.float64] = super(type(env), env)._get_state_rand_vec()
    return vector


def _tcp_center(env: Any) -> NDArray[np.float64]:
    """Return the point between the fingers."""
    site = env.data.site
    return (site("rightEndEffector").xpos + site("leftEndEffector").xpos) / 2.0


def _body_position(env: Any, name: str) -> NDArray[np.float64]:
    position: NDArray[np.float64] = env.data.body(name).xpos
    return position


def _remade(member: Any) -> Any:
    """Return a member of a class with other globals, if it is code."""
    if isinstance(member, staticmethod):
        return staticmethod(_remade(member.__func__))
    if isinstance(member, property):
        return property(*(function and _remade(function) for function in (member.fget, member.fset)))
    if not isinstance(member, FunctionType):
        return member
    # A decorator only looks whether a task is set.
    for cell in member.__closure__ or ():
        if isinstance(cell.cell_contents, FunctionType):
            member = cell.cell_contents
    made = FunctionType(
        member.__code__, _globals(member), member.__name__, member.__defaults__, member.__closure__
    )
    made.__kwdefaults__ = member.__kwdefaults__
    return made


def _globals(function: FunctionType) -> dict[str, Any]:
    from metaworld.utils import reward_utils

    tolerance = make_tolerance(reward_utils._sigmoids)
    quick = {
        "np": NUMPY,
        "tolerance": tolerance,
        "reward_utils": SimpleNamespace(**{**vars(reward_utils), "tolerance": tolerance}),
        "Rotation": Rotation,
    }
    return {**function.__globals__, **{name: quick[name] for name in quick if name in function.__globals__}}
