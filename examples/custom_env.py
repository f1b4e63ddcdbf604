"""Bring your own environment: what makes a Gymnasium environment one that policies adapt to.

    maml-rl train --config examples/custom_env.yaml --output-folder runs/custom

The config names the class below, ``examples.custom_env:SpringEnv``; a registered id would do as well.
Where speed matters, add a batched version: `SpringVectorEnv` is found by its name.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np

from maml_rl import Run, RunSettings, load_config, train
from maml_rl.envs import Task, TaskVectorEnv

TIME_STEP, EPISODE = 0.1, 50
OBSERVATIONS = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
ACTIONS = gym.spaces.Box(-1.0, 1.0, (1,), np.float32)


class SpringEnv(gym.Env[np.ndarray, np.ndarray]):
    """Hold a mass at a position that is not shown, against a spring."""

    observation_space, action_space = OBSERVATIONS, ACTIONS

    def __init__(self, stiffness: float = 1.0):
        self.stiffness = stiffness
        self.reset_task({"target": 0.0})

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        """Draw tasks: dicts of plain numbers or arrays."""
        return [{"target": target} for target in self.np_random.uniform(-0.8, 0.8, num_tasks)]

    def reset_task(self, task: Task) -> None:
        """Make ``task`` the one that follows."""
        self.task = task

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[np.ndarray, dict[str, Any]]:
        """Start at rest."""
        super().reset(seed=seed)
        self.position = self.speed = 0.0
        self.steps = 0
        return np.zeros(2, np.float32), {}

    def step(self, action: np.ndarray) -> tuple[np.ndarray, float, bool, bool, dict[str, Any]]:
        """Push for a tenth of a second."""
        force = float(np.clip(action[0], -1, 1)) - self.stiffness * self.position - self.speed
        self.speed += TIME_STEP * force
        self.position += TIME_STEP * self.speed
        self.steps += 1
        observation = np.array([self.position, self.speed], np.float32)
        return observation, -abs(self.position - self.task["target"]), False, self.steps == EPISODE, {}


class SpringVectorEnv(TaskVectorEnv):
    """The same, for many episodes at once: one array operation moves them all."""

    def __init__(self, num_envs: int = 1, max_episode_steps: int | None = EPISODE, stiffness: float = 1.0):
        super().__init__(num_envs, max_episode_steps or EPISODE, OBSERVATIONS, ACTIONS)
        self.stiffness = stiffness

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        self._targets = self._per_env([task["target"] for task in tasks])

    def _start(self) -> np.ndarray:
        self._position, self._speed = np.zeros((2, self.num_envs))
        return np.zeros((self.num_envs, 2), np.float32)

    def _advance(self, actions: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        force = np.clip(actions[:, 0], -1, 1) - self.stiffness * self._position - self._speed
        self._speed = self._speed + TIME_STEP * force
        self._position = self._position + TIME_STEP * self._speed
        observations = np.stack([self._position, self._speed], axis=-1).astype(np.float32)
        return observations, -np.abs(self._position - self._targets), np.zeros(self.num_envs, bool)


if __name__ == "__main__":
    config, _ = load_config(Path(__file__).with_suffix(".yaml"))
    config = config.model_copy(update={"env_name": f"{__name__}:SpringEnv", "num_batches": 12})
    with Run(config, RunSettings(seed=1)) as run:
        for iteration in train(run):
            before, after = iteration.returns
            print(f"meta-update {iteration.number}: {before:.1f} before, {after:.1f} after adaptation")
