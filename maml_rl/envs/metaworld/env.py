"""A task of Meta-World as a single Gymnasium environment."""

from typing import Any, ClassVar

import numpy as np

from maml_rl.envs.metaworld.names import MOST_STEPS
from maml_rl.envs.metaworld.pictures import CAMERA, prepare
from maml_rl.envs.metaworld.pool import pool
from maml_rl.envs.metaworld.settings import MetaWorldSettings, action_box, observation_box
from maml_rl.envs.metaworld.simulation import SIZE, Episode, Simulation
from maml_rl.envs.metaworld.tasks import Place
from maml_rl.envs.task_env import Array, Task, TaskEnv
from maml_rl.errors import UsageError


class MetaWorldEnv(TaskEnv[Array, Array]):
    """A task of a benchmark: an environment of the package, with the goal hidden.

    Observations and rewards are the package's. All there is of chance is in the task.

    Args:
        render_mode, camera_name, width, height: as in Gymnasium's MuJoCo environments.
        kwargs: the fields of ``family``.

    Raises:
        UsageError: the package is not installed, or an argument has a value that it cannot have.
    """

    family: ClassVar[type[MetaWorldSettings]] = MetaWorldSettings
    refused_arguments: ClassVar[frozenset[str]] = frozenset({"benchmark", "observe_task"})
    """Those that no config gives: the id says the benchmark, and goals are hidden."""
    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "depth_array"], "render_fps": 80}

    def __init__(
        self,
        render_mode: str | None = None,
        camera_name: str = CAMERA,
        width: int = 480,
        height: int = 480,
        **kwargs: Any,
    ):
        self.settings = self.family(**kwargs)
        self.observation_space, self.action_space = observation_box(), action_box()
        self.render_mode = render_mode
        self._pictures = {
            "render_mode": render_mode,
            "camera_name": camera_name,
            "width": width,
            "height": height,
        }
        self._place: Place | None = None
        self._simulation: Simulation | None = None

    @property
    def environments(self) -> tuple[str, ...]:
        """The names of the environments to train on."""
        return self.settings.tasks.environments

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        """Draw train tasks of the benchmark."""
        return self.settings.tasks.draw(self.np_random, num_tasks, "train")

    def sample_test_tasks(self, num_tasks: int) -> list[Task]:
        """Draw test tasks of the benchmark."""
        return self.settings.tasks.draw(self.np_random, num_tasks, "test")

    def fitted_task(self, task: Any, where: str) -> Task:
        """Return a task that a user wrote down.

        Raises:
            UsageError: it is none of Meta-World's.
        """
        return Place.of(task, where).task

    def check_task(self, task: Task) -> None:
        """Check that an episode of the task can start.

        Raises:
            UsageError: the environment cannot have the task's positions.
        """
        place = Place.of(task)
        simulations = pool(self.settings.reward_function_version, self.settings.most_models)
        simulations.use([place.env])
        simulations[place.env].start(place.rand_vec)

    def reset_task(self, task: Task) -> None:
        """Make ``task`` the one that follows from the next `reset` on.

        Raises:
            UsageError: it is none of Meta-World's.
        """
        self._place = Place.of(task)
        self.task = task

    def reset(
        self, *, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[Array, dict[str, Any]]:
        """Start an episode; without a task, of the benchmark's first environment, with some goal.

        Raises:
            UsageError: the environment cannot have the task's positions.
        """
        super().reset(seed=seed)
        name = self._place.env if self._place else self.environments[0]
        if self._simulation is None or self._simulation.name != name:
            self.close()
            self._simulation = Simulation(name, self.settings.reward_function_version, **self._pictures)
            prepare(self._simulation.model)
        simulation = self._simulation
        start = simulation.start(self._place.rand_vec if self._place else simulation.some_rand_vec)
        simulation.load(start)
        simulation.show(start)
        self._episode, self._steps = Episode(start), 0
        return start.observation.copy(), {}

    def step(self, action: Array) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Move the hand; the episode goes on until its time is over.

        Args:
            action: ``[4]``; its first three numbers count up to ±1.

        Raises:
            UsageError: the episode is longer than those of the package.
        """
        assert self._simulation is not None
        if self._steps == MOST_STEPS:  # gym.make does not tell the limit that it is given.
            raise UsageError(f"max_episode_steps: Meta-World's episodes have {MOST_STEPS} steps at most")
        self._steps += 1
        observation = np.zeros(SIZE)
        reward, success = self._simulation.step(self._episode, np.asarray(action, np.float32), observation)
        if self.render_mode == "human":
            self.render()
        return observation, float(reward), False, False, {"success": float(success)}

    def render(self) -> Any:
        """Return a picture, or show it."""
        assert self._simulation is not None
        return self._simulation.picture()

    @property
    def mujoco_renderer(self) -> Any:
        """What draws the pictures."""
        return self._simulation and self._simulation.env.mujoco_renderer

    def close(self) -> None:
        """Close the window and free the physics."""
        if self._simulation is not None:
            self._simulation.close()
            self._simulation = None
