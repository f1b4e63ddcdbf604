"""Environments whose tasks are drawn from a ``task-space`` or a list, and not by themselves."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import gymnasium as gym
import numpy as np

from maml_rl.envs.attributes.ranges import fitted, parse_values
from maml_rl.envs.task_env import Task
from maml_rl.errors import UsageError, shown


@runtime_checkable
class Source(Protocol):
    """A source of tasks."""

    @property
    def names(self) -> Sequence[str]:
        """The names of the entries of its tasks."""
        ...

    def check(self, own: Mapping[str, Any]) -> None:
        """Check that the tasks are like the environment's own values.

        Raises:
            UsageError: they are not.
        """
        ...

    def draw(self, rng: np.random.Generator, number: int, own: Mapping[str, Any]) -> list[Task]:
        """Draw tasks.

        Args:
            own: the environment's own values.
        """
        ...


class Ranges:
    """Values that are drawn one by one, each from its own range.

    Args:
        space: ranges by name, see `maml_rl.envs.attributes.ranges`.

    Raises:
        UsageError: one is no range.
    """

    def __init__(self, space: Mapping[Any, Any]):
        # Their order in the file shall make no difference to what is drawn.
        self._values = {str(k): parse_values(space[k], f"task-space: {k}") for k in sorted(space, key=str)}
        self.names = list(self._values)

    def check(self, own: Mapping[str, Any]) -> None:
        """Check each range, and a value out of it."""
        for name, values in self._values.items():
            where = f"task-space: {name}"
            values.check(own[name], where)
            (one,) = values.draw(np.random.default_rng(0), 1, own[name])
            fitted(own[name], one, where)

    def draw(self, rng: np.random.Generator, number: int, own: Mapping[str, Any]) -> list[Task]:
        """Draw tasks."""
        columns = {name: values.draw(rng, number, own[name]) for name, values in self._values.items()}
        return [{name: column[i] for name, column in columns.items()} for i in range(number)]


class Listed:
    """Tasks that are drawn from a list: as long as there are others, none twice."""

    def __init__(self, tasks: Sequence[Task]):
        self._tasks = tasks
        named = [task for task in tasks if isinstance(task, Mapping)]
        self.names = sorted({str(name) for task in named for name in task})

    def check(self, own: Mapping[str, Any]) -> None:
        """Check each task."""
        for number, task in enumerate(self._tasks, start=1):
            fitted_task(own, task, f"tasks: task {number}")

    def draw(self, rng: np.random.Generator, number: int, own: Mapping[str, Any]) -> list[Task]:
        """Draw tasks."""
        size = len(self._tasks)
        order = np.concatenate([rng.permutation(size) for _ in range(-(-number // size))])
        return [self._tasks[i] for i in order[:number]]


def fitted_task(own: Mapping[str, Any], task: object, where: str) -> Task:
    """Return a task whose values have the types of the environment's own, and are those where it lacks some.

    Raises:
        UsageError: it is no mapping, has other entries, or a value is of another kind.
    """
    known = ", ".join(own)
    if not isinstance(task, Mapping):
        entries = f"some of the entries {known}" if known else "attributes and their values, as '{g: 9.8}'"
        raise UsageError(f"{where} is {shown(task)}, expected {entries}")
    for name in task:
        if name not in own:
            raise UsageError(f"{where}: '{name}' is none of the task-space, which has {known}")
    given = {name: fitted(own[name], value, f"{where}, {name}") for name, value in task.items()}
    return {name: given.get(name, value) for name, value in own.items()}


class DrawnTasks(gym.Wrapper[Any, Any, Any, Any]):
    """Gives an environment ``sample_tasks``. Tasks follow from the seed of the last `reset`."""

    def __init__(self, env: gym.Env[Any, Any], source: Source):
        super().__init__(env)
        self._source = source
        self._own: dict[str, Any] = {}
        self._rng = np.random.default_rng()

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        """Draw tasks."""
        return self._source.draw(self._rng, num_tasks, self._own)

    def fitted_task(self, task: object, where: str) -> Task:
        """Return a task that somebody wrote down as it is: there is nothing to compare it with."""
        return task

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Reset the environment."""
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        return super().reset(seed=seed, options=options)


@runtime_checkable
class Settings(Protocol):
    """Values in an environment that tasks set."""

    @property
    def own(self) -> Mapping[str, Any]:
        """The environment's own values by name: whatever a task lacks is that."""
        ...

    def apply(self, values: Mapping[str, Any]) -> None:
        """Set the values, ahead of a reset."""
        ...

    def check(self) -> None:
        """Check after the reset that they hold."""
        ...

    def notes(self, values: Mapping[str, Any]) -> Iterable[str]:
        """Return what a user should know of how they are set."""
        ...


class SettingTasks(DrawnTasks):
    """Gives an environment ``reset_task`` too: a task is a dict of values for its settings.

    Raises:
        UsageError: the source's tasks are none of the settings.
    """

    def __init__(self, env: gym.Env[Any, Any], settings: Settings, source: Source):
        super().__init__(env, source)
        self._settings = settings
        for name in source.names:
            if name not in settings.own:
                raise UsageError(f"task-space: there is no '{name}'; there are {', '.join(settings.own)}")
        self._own = {name: settings.own[name] for name in source.names}
        source.check(self._own)
        self.task: Task = dict(self._own)
        """The values that hold from the next reset on."""

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        """Draw tasks."""
        return [self.fitted_task(task, "task-space") for task in super().sample_tasks(num_tasks)]

    def fitted_task(self, task: object, where: str) -> Task:
        """Return a task with all its values, of the right types.

        Raises:
            UsageError: it is none of this environment.
        """
        return fitted_task(self._own, task, where)

    def reset_task(self, task: Task) -> None:
        """Have ``task`` follow from the next `reset` on. What it lacks is the environment's own."""
        self.task = self.fitted_task(task, "task")

    def reset(self, *, seed: int | None = None, options: dict[str, Any] | None = None) -> Any:
        """Set what the task says, and reset the environment."""
        self._settings.apply(self.task)
        answer = super().reset(seed=seed, options=options)
        self._settings.check()
        return answer

    def task_notes(self) -> list[str]:
        """Return what a user should know of how tasks are set."""
        (task,) = self._source.draw(np.random.default_rng(0), 1, self._own)
        return [*self._settings.notes(self.fitted_task(task, "task-space"))]
