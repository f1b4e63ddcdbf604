"""Environments that misbehave where they are told to. Workers import this module, and so find them."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np


class Fragile(gym.Env[Any, Any]):
    """A random walk of eight steps that fails in one place, and only in processes other than ``safe_pid``.

    Args:
        fail_in: "constructor", "reset" or "step"; "nowhere" if not given.
        safe_pid: the process in which nothing fails.
        how: "raise"; "exit" ends the process with code 7; "kill" ends it as SIGKILL does; "hang".
        marker: a file that the first failure makes; where it is, nothing fails any more.
        step_seconds: how long a step takes.
        broken: "rewards" or "observations", which are not finite for tasks that have "breaks".
    """

    observation_space = gym.spaces.Box(-np.inf, np.inf, (2,), np.float32)
    action_space = gym.spaces.Box(-1.0, 1.0, (2,), np.float32)

    def __init__(
        self,
        fail_in: str = "nowhere",
        safe_pid: int | None = None,
        how: str = "raise",
        marker: str | None = None,
        step_seconds: float = 0.0,
        broken: str | None = None,
    ):
        self._fail_in, self._safe_pid, self._how = fail_in, safe_pid, how
        self._marker = None if marker is None else Path(marker)
        self._step_seconds = step_seconds
        self._broken, self._breaks = broken, False
        self._goal = np.zeros(2)
        self._elapsed = 0
        self._perhaps_fail("constructor")

    def sample_tasks(self, num_tasks: int) -> list[dict[str, Any]]:
        return [{"goal": goal} for goal in self.np_random.standard_normal((num_tasks, 2))]

    def reset_task(self, task: dict[str, Any]) -> None:
        self._goal = task["goal"]
        self._breaks = "breaks" in task

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        super().reset(seed=seed)
        self._perhaps_fail("reset")
        self._position, self._elapsed = np.zeros(2), 0
        return self._position.astype(np.float32), {}

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        if self._elapsed == 3:
            self._perhaps_fail("step")
        time.sleep(self._step_seconds)
        self._elapsed += 1
        self._position = self._position + action + 0.1 * self.np_random.standard_normal(2)
        reward = -float(np.abs(self._position - self._goal).sum())
        if self._breaks and self._elapsed == 5:
            if self._broken == "rewards":
                reward = float("nan")
            else:
                self._position = self._position + np.inf
        return self._position.astype(np.float32), reward, self._elapsed == 8, False, {}

    def _perhaps_fail(self, place: str) -> None:
        if place != self._fail_in or os.getpid() == self._safe_pid:
            return
        if self._marker is not None:
            if self._marker.exists():
                return
            self._marker.touch()
        if self._how == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self._how == "exit":
            os._exit(7)
        if self._how == "hang":
            time.sleep(3600)
        raise ArithmeticError(f"it broke in its {place}")
