"""The open-loop rate of the physics: no policy, no rewards, no Python between the steps."""

import mujoco
import numpy as np
from mujoco.rollout import Rollout

from maml_rl.config import Config
from maml_rl.envs import make_task_vector_env


class OpenLoop:
    """Steps a config's robot through whole episodes by one call of `mujoco.rollout`.

    States are those of a reset, controls those of an untrained policy (standard normal actions), held for
    ``frame_skip`` physics steps.
    """

    def __init__(self, config: Config, threads: int):
        episodes = min(200, 2 * config.meta_batch_size * config.fast_batch_size)
        env = make_task_vector_env(config.env_name, config.env_kwargs, episodes)
        env.reset(seed=0)
        self.model = env.model
        self.env_steps = episodes * env.max_episode_steps
        actions = np.random.default_rng(0).standard_normal(
            (episodes, env.max_episode_steps, self.model.nu), np.float32
        )
        controls = env._actuation.control(env._actuation.effort(actions))
        self._controls = np.repeat(controls, env.family.frame_skip, axis=1)
        self._states = env._states.copy()
        self._data = [mujoco.MjData(self.model) for _ in range(threads)]
        self._rollout = Rollout(nthread=threads)

    def __call__(self) -> None:
        self._rollout.rollout(self.model, self._data, self._states, self._controls)
