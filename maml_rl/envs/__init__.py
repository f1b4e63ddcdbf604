"""Task distributions. Importing this package registers its environments with Gymnasium."""

from typing import TYPE_CHECKING, Any

import gymnasium as gym

from maml_rl.envs.metaworld.names import COLLECTIONS, ENVIRONMENTS, ML1, MOST_STEPS, NAMESPACE
from maml_rl.envs.registry import make_env, make_task_vector_env
from maml_rl.envs.task_env import Task, TaskEnv, TaskVectorEnv
from maml_rl.lazy import lazy_names

if TYPE_CHECKING:
    from maml_rl.envs.check import check_env

__all__ = ["Task", "TaskEnv", "TaskVectorEnv", "check_env", "make_env", "make_task_vector_env"]

__getattr__ = lazy_names(__name__, {"check_env": "maml_rl.envs.check"})


def _register(id: str, entry_point: str, max_episode_steps: int | None, **kwargs: Any) -> None:
    """Register ``entry_point`` and its batched twin: ``FooEnv`` and ``FooVectorEnv``."""
    gym.register(
        id,
        entry_point=f"maml_rl.envs.{entry_point}Env",
        vector_entry_point=f"maml_rl.envs.{entry_point}VectorEnv",
        max_episode_steps=max_episode_steps,
        kwargs=kwargs,
    )


for _k in (5, 10, 50):
    _register(f"Bandit-K{_k}-v0", "bandit:BernoulliBandit", None, k=_k)
    _register(f"GaussianBandit-K{_k}-v0", "bandit:GaussianBandit", None, k=_k)
_register("TabularMDP-v0", "tabular_mdp:TabularMDP", 10, num_states=10, num_actions=5)
_register("2DNavigation-v0", "navigation:Navigation2D", 100)
_register("HalfCheetahVel-v0", "mujoco.paper:PaperHalfCheetahVel", 200)
_register("HalfCheetahDir-v0", "mujoco.paper:PaperHalfCheetahDir", 200)
_register("AntVel-v0", "mujoco.paper:PaperAntVel", 200)
_register("AntDir-v0", "mujoco.paper:PaperAntDir", 200)
_register("HalfCheetahVel-v2", "mujoco.half_cheetah:HalfCheetahVel", 200)
_register("HalfCheetahDir-v2", "mujoco.half_cheetah:HalfCheetahDir", 200)
_register("AntVel-v2", "mujoco.ant:AntVel", 200)
_register("AntDir-v2", "mujoco.ant:AntDir", 200)
_register("AntPos-v1", "mujoco.ant:AntPos", 200)
_register("AntGoal-v0", "mujoco.ant:AntGoal", 200)
_register("AntDir2D-v0", "mujoco.ant:AntDir2D", 200)
_register("HumanoidDir-v0", "mujoco.humanoid:HumanoidDir", 200)
_register("HumanoidDir2D-v0", "mujoco.humanoid:HumanoidDir2D", 200)
_register("Walker2dVel-v0", "mujoco.walker2d:Walker2dVel", 200)
_register("Walker2dDir-v0", "mujoco.walker2d:Walker2dDir", 200)
_register("Walker2dRandParams-v0", "mujoco.walker2d:Walker2dRandParams", 200)
_register("HopperRandParams-v0", "mujoco.hopper:HopperRandParams", 200)
_register("SwimmerVel-v0", "mujoco.swimmer:SwimmerVel", 200)
for _name in (*(f"{ML1}-{_env}" for _env in ENVIRONMENTS), *COLLECTIONS):
    gym.register(
        f"{NAMESPACE}/{_name}",
        entry_point="maml_rl.envs.metaworld.env:MetaWorldEnv",
        vector_entry_point="maml_rl.envs.metaworld.vector_env:MetaWorldVectorEnv",
        max_episode_steps=MOST_STEPS,
        kwargs={"benchmark": _name},
    )
