"""The open-loop rate of the physics: no policy, no rewards, no Python between the steps."""

from typing import Any

import mujoco
import numpy as np
from mujoco.rollout import Rollout

from maml_rl.config import Config
from maml_rl.envs import make_task_vector_env


class OpenLoop:
    """Steps a config's robot through whole episodes by one call of `mujoco.rollout`.

    Tasks are drawn, states are those of a reset, controls those of an untrained policy (standard normal
    actions), held for ``frame_skip`` physics steps.

    Args:
        threads: that step side by side.
        steps: of an episode; all that its environment allows, unless given.
    """

    def __init__(self, config: Config, threads: int, steps: int | None = None):
        episodes = min(200, 2 * config.meta_batch_size * config.fast_batch_size)
        env: Any = make_task_vector_env(config.env_name, config.env_kwargs, episodes)
        rng = np.random.default_rng(0)
        env.reset_task(env.locomotion.sample_tasks(rng, max(1, episodes // config.fast_batch_size)))
        env.reset(seed=0)
        steps = steps or env.max_episode_steps
        self.env_steps = episodes * steps
        actions = rng.standard_normal((episodes, steps, env.model.nu), np.float32)
        controls = env._actuation.control(env._actuation.effort(actions))
        self._controls = np.repeat(controls, env.family.frame_skip, axis=1)
        self._states = env._states.copy()
        self._models = env._models
        self._data = [mujoco.MjData(env.model) for _ in range(threads)]
        self._rollout = Rollout(nthread=threads)

    def __call__(self) -> None:
        self._rollout.rollout(self._models, self._data, self._states, self._controls)
