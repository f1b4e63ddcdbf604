"""A locomotion task as a single Gymnasium environment, stepped by ``mj_step``."""

from typing import Any, ClassVar

import mujoco
import numpy as np
from gymnasium import spaces
from gymnasium.envs.mujoco import MujocoEnv

from maml_rl.envs.mujoco.blow_ups import blew_up
from maml_rl.envs.mujoco.locomotion import (
    Actuation,
    BodyState,
    Locomotion,
    Measurements,
    load_model,
)
from maml_rl.envs.task_env import Array, Task, TaskEnv


class MujocoTaskEnv(MujocoEnv, TaskEnv[Array, Array]):
    """One robot, one task. Positions in the observation are those of the state itself.

    Args:
        task: as `sample_tasks` returns them.
        normalization_scale: actions in ± this are mapped on to the actuators' range.
        render_mode, width, height: as in Gymnasium's MuJoCo environments.
        kwargs: the fields of ``family``.
    """

    family: ClassVar[type[Locomotion]]
    metadata: dict[str, Any] = {"render_modes": ["human", "rgb_array", "depth_array", "rgbd_tuple"]}

    def __init__(
        self,
        task: Task | None = None,
        normalization_scale: float = 1.0,
        render_mode: str | None = None,
        width: int = 480,
        height: int = 480,
        **kwargs: Any,
    ):
        self.locomotion = self.family(**kwargs)
        super().__init__(
            self.family.model_file,
            self.family.frame_skip,
            observation_space=None,
            render_mode=render_mode,
            width=width,
            height=height,
            camera_name="track",
            default_camera_config={"distance": 4.0},
        )
        self.metadata = {**self.metadata, "render_fps": round(1 / self.dt)}
        self._actuation = Actuation(self.model, normalization_scale)
        self._measurements = Measurements(self.locomotion, self.model)
        self._unmeasured = self._measurements.none(1)
        self.action_space = action_box(self.model, normalization_scale)
        self.observation_space = observation_box(self.locomotion, self.model)
        self.reset_task(task or self.locomotion.default_task)

    def _initialize_simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        """Compile the model as `load_model` does; make room for pictures of the size asked for."""
        model = load_model(self.locomotion)
        picture = model.vis.global_
        picture.offwidth = max(picture.offwidth, self.width)
        picture.offheight = max(picture.offheight, self.height)
        return model, mujoco.MjData(model)

    def sample_tasks(self, num_tasks: int) -> list[Task]:
        """Draw tasks of the family."""
        return self.locomotion.sample_tasks(self.np_random, num_tasks)

    def reset_task(self, task: Task) -> None:
        """Set the goal, and what the task says of the model."""
        self._goal = self.locomotion.goal(task)
        self.locomotion.fit(self.model, task)
        self.task = task

    def reset_model(self) -> Array:
        """Draw the initial state."""
        rng = self.np_random
        state = self.locomotion.initial_state(self.model, rng.random, rng.standard_normal)
        self.set_state(*state)  # type: ignore[no-untyped-call]
        self.data.ctrl[:] = 0.0
        return self.locomotion.observe(self._body_state())[0]

    def step(  # type: ignore[override]
        self, action: Array
    ) -> tuple[Array, float, bool, bool, dict[str, Any]]:
        """Apply ``action`` for ``frame_skip`` physics steps.

        The episode ends where the physics blow up. MuJoCo then begins anew from its model's own state; what
        is observed and rewarded is the state before the step.
        """
        before = self._body_state()
        effort = self._actuation.effort(np.asarray(action)[None])
        self.do_simulation(self._actuation.control(effort)[0], self.frame_skip)
        # mj_step leaves positions of bodies a substep behind the state; bring them up to it.
        mujoco.mj_kinematics(self.model, self.data)
        broken_off = blew_up(self.data)
        after = before if broken_off else self._body_state()
        terms = self.locomotion.rewards(before, after, effort, self._goal, self.dt)
        info = {f"reward_{name}": float(term[0]) for name, term in terms.items()}
        if self.render_mode == "human":
            self.render()  # type: ignore[no-untyped-call]
        return (
            self.locomotion.observe(after)[0],
            sum(info.values()),
            broken_off or bool(self.locomotion.terminated(after)[0]),
            False,
            info,
        )

    def _body_state(self) -> BodyState:
        """Return a batch of one."""
        qpos, qvel = self.data.qpos[None].copy(), self.data.qvel[None].copy()
        measured = self._measurements.at([self.model], qpos, qvel, self.data.ctrl[None])
        return BodyState(qpos, qvel, **{**self._unmeasured, **measured})


class ExactMujocoTaskEnv(MujocoTaskEnv):
    """`MujocoTaskEnv` that equals its batched version to the bit, whole episodes long.

    The constraint solver starts from the acceleration over the last physics step, as it does there.
    """

    def _initialize_simulation(self) -> tuple[mujoco.MjModel, mujoco.MjData]:
        model, data = super()._initialize_simulation()
        self._acceleration = np.zeros(model.nv)
        return model, data

    def reset_model(self) -> Array:
        """Draw the initial state."""
        self._acceleration[:] = 0.0
        return super().reset_model()

    def _step_mujoco_simulation(self, ctrl: Array, n_frames: int) -> None:
        model, data = self.model, self.data
        data.ctrl[:] = ctrl
        data.qacc_warmstart[:] = self._acceleration
        mujoco.mj_step(model, data, nstep=n_frames - 1)
        before = data.qvel.copy()
        mujoco.mj_step(model, data)
        self._acceleration[:] = (data.qvel - before) / model.opt.timestep


def action_box(model: mujoco.MjModel, scale: float) -> spaces.Box:
    """Return the space of actions, ±scale."""
    return spaces.Box(-scale, scale, (model.nu,), np.float32)


def observation_box(locomotion: Locomotion, model: mujoco.MjModel) -> spaces.Box:
    """Return the space of observations, unbounded."""
    state = BodyState(model.qpos0, np.zeros(model.nv), **Measurements(locomotion, model).none())
    return spaces.Box(-np.inf, np.inf, locomotion.observe(state).shape, np.float32)
