"""Locomotion tasks stepped as one batch by ``mujoco.rollout``."""

import pickle
from collections.abc import Sequence
from typing import Any, ClassVar

import mujoco
import numpy as np
from mujoco.rollout import Rollout
from numpy.typing import NDArray

from maml_rl.envs.mujoco.env import action_box, observation_box
from maml_rl.envs.mujoco.locomotion import (
    Actuation,
    BodyState,
    Locomotion,
    Measurements,
    load_model,
)
from maml_rl.envs.task_env import Array, Task, TaskVectorEnv


class MujocoTaskVectorEnv(TaskVectorEnv):
    """`MujocoTaskEnv`, batched; only running episodes cost physics.

    MuJoCo's constraint solver starts from the acceleration over the last physics step, which the states
    tell; in a single environment from the solver's own last solution. The two agree to the solver's
    tolerance, not to the bit.

    An episode ends where the physics blow up, with the state before the step, as in a single environment.
    """

    family: ClassVar[type[Locomotion]]

    def __init__(
        self,
        num_envs: int = 1,
        max_episode_steps: int | None = 200,
        normalization_scale: float = 1.0,
        **kwargs: Any,
    ):
        self.locomotion = self.family(**kwargs)
        self.model = load_model(self.locomotion)
        self._rollout = Rollout(nthread=0)
        super().__init__(
            num_envs,
            max_episode_steps,
            observation_box(self.locomotion, self.model),
            action_box(self.model, normalization_scale),
        )
        self.dt = self.model.opt.timestep * self.family.frame_skip
        self._actuation = Actuation(self.model, normalization_scale)
        self._measurements = Measurements(self.locomotion, self.model)
        self._data = [mujoco.MjData(self.model)]
        size = mujoco.mj_stateSize(self.model, mujoco.mjtState.mjSTATE_FULLPHYSICS.value)
        frames = self.family.frame_skip
        # One row per environment: time, qpos, qvel (the models have no activations).
        self._states = np.zeros((num_envs, size))
        self._substeps = np.empty((num_envs, frames, size))
        self._controls = np.empty((num_envs, frames, self.model.nu))
        self._accelerations = np.zeros((num_envs, self.model.nv))
        self._measured = self._measurements.none(num_envs)
        task = self.locomotion.default_task  # Until there are others.
        self.locomotion.fit(self.model, task)
        self._models = np.full(num_envs, self.model)
        self._fitted: dict[bytes, mujoco.MjModel] = {}
        self._goals = self.locomotion.goal(task)[None]

    def close_extras(self, **kwargs: Any) -> None:
        """Free the physics."""
        self._rollout.close()

    def _set_tasks(self, tasks: Sequence[Task]) -> None:
        self._goals = self._per_env([self.locomotion.goal(task) for task in tasks])
        # A task's rounds follow one another: its model is often there already.
        keys, known = [pickle.dumps(task) for task in tasks], self._fitted
        self._fitted = {
            key: known[key] if key in known else self.locomotion.fitted(self.model, task)
            for key, task in zip(keys, tasks, strict=True)
        }
        models = [self._fitted[key] for key in keys]
        self._models = np.repeat(np.array(models, object), self.episodes_per_task)

    def _start(self) -> Array:
        qpos, qvel = self.locomotion.initial_state(self.model, self._uniform, self._normal)
        # The clock begins a step late, so that MuJoCo's reset to 0 is always a step back.
        self._states = np.concatenate([np.full((self.num_envs, 1), self.dt), qpos, qvel], axis=-1)
        self._accelerations[:] = 0.0
        self._measure(np.zeros((self.num_envs, self.model.nu)), self.running)
        return self.locomotion.observe(self._body_state())

    def _advance(self, actions: Array) -> tuple[Array, Array, NDArray[np.bool_]]:
        before = self._body_state()
        effort = self._actuation.effort(actions)
        controls = self._actuation.control(effort)
        blew_up = self._step_physics(controls)
        self._measure(controls, self.running & ~blew_up)
        after = self._body_state()
        terms = self.locomotion.rewards(before, after, effort, self._goals, self.dt)
        rewards: Array = sum(terms.values(), np.zeros(self.num_envs))
        return self.locomotion.observe(after), rewards, self.locomotion.terminated(after) | blew_up

    def _step_physics(self, controls: Array) -> NDArray[np.bool_]:
        """Advance the running episodes; return where the physics blew up and the state stayed what it was."""
        blew_up = np.zeros(self.num_envs, bool)
        rows = np.flatnonzero(self.running)
        if not len(rows):  # Of which rollout would crash.
            return blew_up
        # By take, which is three times as fast as an index.
        start, substeps, held = (
            self._states.take(rows, 0),
            self._substeps[: len(rows)],
            self._controls[: len(rows)],
        )
        held[:] = controls.take(rows, 0)[:, None]
        self._rollout.rollout(
            self._models.take(rows).tolist(),
            self._data,
            start,
            held,
            nstep=held.shape[1],
            initial_warmstart=self._accelerations.take(rows, 0),
            state=substeps,
            skip_checks=True,  # They cost as much as a policy's layer.
        )
        last = substeps[:, -1]
        last_but_one = substeps[:, -2] if held.shape[1] > 1 else start
        change = self._velocities(last) - self._velocities(last_but_one)
        self._accelerations[rows] = change / self.model.opt.timestep
        # MuJoCo resets what blows up, its clock too, and rollout breaks that step off.
        broken_off = last[:, 0] - start[:, 0] < self.dt - self.model.opt.timestep / 2
        blew_up[rows] = broken_off
        self._states = self._states.copy()
        self._states[rows] = np.where(broken_off[:, None], start, last)
        return blew_up

    def _measure(self, controls: Array, moved: NDArray[np.bool_]) -> None:
        if not self._measurements.needed:
            return
        rows = np.flatnonzero(moved)
        qpos, qvel = self._positions_and_velocities()
        fresh = self._measurements.at(
            self._models.take(rows).tolist(), qpos[rows], qvel[rows], controls[rows]
        )
        # Copies, because the state before the step holds the old ones.
        copies = {name: self._measured[name].copy() for name in fresh}
        for name, array in copies.items():
            array[rows] = fresh[name]
        self._measured = {**self._measured, **copies}

    def _positions_and_velocities(self) -> tuple[Array, Array]:
        return self._states[:, 1 : 1 + self.model.nq], self._velocities(self._states)

    def _velocities(self, states: Array) -> Array:
        return states[:, 1 + self.model.nq :]

    def _body_state(self) -> BodyState:
        qpos, qvel = self._positions_and_velocities()
        return BodyState(qpos, qvel, **self._measured)
