"""Tasks of Meta-World as one batch, of any environments side by side."""

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.metaworld.names import MOST_STEPS
from maml_rl.envs.metaworld.pool import pool
from maml_rl.envs.metaworld.settings import MetaWorldSettings, action_box, observation_box
from maml_rl.envs.metaworld.simulation import SIZE, Episode
from maml_rl.envs.metaworld.tasks import Place
from maml_rl.envs.task_env import Array, Task, TaskVectorEnv
from maml_rl.errors import check_whole


class MetaWorldVectorEnv(TaskVectorEnv):
    """`MetaWorldEnv`, batched, to the bit: the episodes of an environment take turns in one simulation.

    Args:
        max_episode_steps: 500 at most.
        kwargs: the fields of ``family``.

    Raises:
        UsageError: the package is not installed, or an argument has a value that it cannot have.
    """

    family: ClassVar[type[MetaWorldSettings]] = MetaWorldSettings

    def __init__(self, num_envs: int = 1, max_episode_steps: int = MOST_STEPS, **kwargs: Any):
        settings = self.family(**kwargs)
        check_whole("max_episode_steps", max_episode_steps, 1, MOST_STEPS)
        super().__init__(num_envs, max_episode_steps, observation_box(), action_box())
        self._pool = pool(settings.reward_function_version, settings.most_models)
        self._places: list[Place] = []
        self._episodes: list[Episode] = []
        self._observations = np.zeros((num_envs, SIZE))
        self._success = np.zeros(num_envs)

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        self._places = [Place.of(task) for task in tasks]

    def _start(self) -> Array:
        if not self._places:
            raise ValueError("reset_task comes before reset")
        self._pool.use(place.env for place in self._places)
        starts = [self._pool[place.env].start(place.rand_vec) for place in self._places]
        self._episodes = [Episode(start) for start in starts for _ in range(self.episodes_per_task)]
        self._observations = self._per_env([start.observation for start in starts])
        return self._observations.copy()

    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        actions = np.asarray(actions, np.float32)
        rewards = np.zeros(self.num_envs)
        self._success[:] = 0.0
        for number, place in enumerate(self._places):
            simulation = self._pool[place.env]
            simulation.load(simulation.start(place.rand_vec))
            first = number * self.episodes_per_task
            for row in range(first, first + self.episodes_per_task):
                if self.running[row]:
                    rewards[row], self._success[row] = simulation.step(
                        self._episodes[row], actions[row], self._observations[row]
                    )
        return self._observations.copy(), rewards, np.zeros(self.num_envs, bool)

    def _extras(self) -> dict[str, Array]:
        return {"success": self._success.copy()}
