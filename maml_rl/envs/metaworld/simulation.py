"""The simulation of one Meta-World environment, shared by any number of episodes."""

import dis
import math
from collections import OrderedDict
from collections.abc import Iterator
from functools import cached_property
from types import FunctionType
from typing import Any, NamedTuple

import mujoco
import numpy as np
from numpy.typing import NDArray

from maml_rl.envs.metaworld.package import environment_class
from maml_rl.envs.metaworld.quick_class import NamedViews, quick_class
from maml_rl.errors import UsageError, shown

Vector = NDArray[np.float64]

STATE = (
    mujoco.mjtState.mjSTATE_FULLPHYSICS.value
    | mujoco.mjtState.mjSTATE_WARMSTART.value
    | mujoco.mjtState.mjSTATE_MOCAP_POS.value
)
"""The numbers that a step depends on, besides the model and the action."""
HALF, SIZE = 18, 39
"""Numbers of an observation that are of one time step, and all: two steps', and three for the hidden goal."""
CLIPPED = 4
"""Numbers of a time step that have bounds: the hand's place, and how open it is."""
HAND_DOWN = 1.0, 0.0, 1.0, 0.0
"""The hand's rotation, as a quaternion, which never changes."""
ROUNDING = 1e-3
"""Metres that places may be out of an environment's range: they may have been rounded when written down."""
MOST_STARTS = 1024
"""Tasks whose first states are kept, at some 7 kB each; a benchmark has 100 of an environment."""


class Start(NamedTuple):
    """What a reset to a task leaves; to the bit, it is a function of the task alone.

    Args:
        state: of the physics.
        body_pos: where the model's bodies are fastened.
        site_pos: where its marks are.
        attributes: of the environment.
        observation: the first one.
        half: what the next one repeats of it: a time step, within its bounds, which the first may be beyond.
    """

    state: Vector
    body_pos: Vector
    site_pos: Vector
    attributes: dict[str, Any]
    observation: Vector
    half: Vector


class Episode:
    """The state of an episode between its steps.

    Args:
        start: of its task.
    """

    def __init__(self, start: Start):
        self.state = start.state.copy()
        self.half = start.half
        """What the last step observed; each one has an array of its own."""
        self.kept: dict[str, Any] = {}
        """Attributes that rewards remember from step to step."""


class Simulation:
    """One environment of Meta-World: its model, one set of physics, and the rewards of the package.

    Args:
        name: of the environment, such as ``reach-v3``.
        reward_version: ``v1`` or ``v2``.
        settings: of the environment, for rendering.
    """

    def __init__(self, name: str, reward_version: str, **settings: Any):
        self.name = name
        self.env = quick_class(environment_class(name))(reward_function_version=reward_version, **settings)
        self.env.reward_function_version = reward_version
        model, data = self.env.model, self.env.data
        self.model, self.data = model, data
        self._views = views = NamedViews(data)
        self._hand = views.body("hand").xpos
        self._fingers = views.body("rightclaw").xpos, views.body("leftclaw").xpos
        space = self.env.sawyer_observation_space
        self._bounds = list(zip(space.low[:CLIPPED].tolist(), space.high[:CLIPPED].tolist(), strict=True))
        self._mocap, self._mocap_low, self._mocap_high = (
            data.mocap_pos[0],
            self.env.mocap_low,
            self.env.mocap_high,
        )
        self._control, self._substeps = data.ctrl, self.env.frame_skip
        self._scale = np.float32(self.env.action_scale)
        self._size = mujoco.mj_stateSize(model, STATE)
        self._remembered = _stored_names(type(self.env))
        self._starts: OrderedDict[bytes, Start] = OrderedDict()
        self._loaded: Start | None = None

    @cached_property
    def some_rand_vec(self) -> Vector:
        """The places of some task, always the same."""
        env = self.env
        self._loaded, env.data = None, self.data
        env._freeze_rand_vec, env.seeded_rand_vec, env._set_task_called = False, True, True
        env.seed(0)
        env.reset()
        return env._last_rand_vec.copy()

    def start(self, rand_vec: Vector) -> Start:
        """Return what a reset to the task leaves; the last ones are kept.

        Raises:
            UsageError: the environment cannot have the places.
        """
        key = rand_vec.tobytes()
        if key not in self._starts:
            self._starts[key] = self._reset(rand_vec.copy())
            if len(self._starts) > MOST_STARTS:
                self._starts.popitem(last=False)
        self._starts.move_to_end(key)
        return self._starts[key]

    def load(self, start: Start) -> None:
        """Make the following steps those of episodes of a task."""
        if self._loaded is start:
            return
        self.model.body_pos[:] = start.body_pos
        self.model.site_pos[:] = start.site_pos
        self.data.mocap_quat[:] = HAND_DOWN
        vars(self.env).update(start.attributes)
        self._loaded = start

    def step(self, episode: Episode, action: NDArray[np.float32], observation: Vector) -> tuple[float, float]:
        """Take a step of an episode whose task is loaded; return the reward, and 1 for success or 0.

        Args:
            action: ``[4]``.
            observation: ``[39]``, the one before, or zeros; to be written.
        """
        model, data, mocap = self.model, self.data, self._mocap
        mujoco.mj_setState(model, data, episode.state, STATE)
        # In single precision, as the package has it.
        mocap += np.minimum(np.maximum(action[:3], -1), 1) * self._scale
        np.maximum(mocap, self._mocap_low, out=mocap)
        np.minimum(mocap, self._mocap_high, out=mocap)
        grip = float(action[3])
        self._control[0], self._control[1] = grip, -grip
        mujoco.mj_step(model, data, nstep=self._substeps)
        # It leaves the solver another state to start from than it had.
        mujoco.mj_forward(model, data)
        mujoco.mj_getState(model, data, episode.state, STATE)
        observation[HALF : 2 * HALF] = episode.half
        self._observe(observation)
        episode.half = observation[:HALF].copy()
        return self._evaluate(episode, action, observation)

    def show(self, start: Start) -> None:
        """Bring the physics to where an episode of a loaded task starts, for its picture."""
        mujoco.mj_setState(self.model, self.data, start.state, STATE)
        mujoco.mj_forward(self.model, self.data)

    def picture(self) -> Any:
        """Return or show what the environment's ``render_mode`` asks for."""
        return self.env.render()

    def close(self) -> None:
        """Free the physics and what draws it."""
        self.env.close()

    def _evaluate(self, episode: Episode, action: Any, observation: Vector) -> tuple[float, float]:
        """Return reward and success of the state that the physics are in."""
        if not self._remembered:
            reward, info = self.env.evaluate_state(observation, action)
            return float(reward), float(info["success"])
        attributes = vars(self.env)
        before = {name: attributes[name] for name in self._remembered if name in attributes}
        attributes.update(episode.kept)
        reward, info = self.env.evaluate_state(observation, action)
        episode.kept = {name: attributes.pop(name) for name in self._remembered if name in attributes}
        attributes.update(before)
        return float(reward), float(info["success"])

    def _observe(self, half: Vector) -> None:
        """Write the hand's place, how open it is, and places and rotations of one object or two."""
        right, left = self._fingers
        apart = right - left
        hand = *self._hand.tolist(), min(math.sqrt(apart.dot(apart)) / 0.1, 1.0)
        half[:CLIPPED] = [min(max(x, low), high) for x, (low, high) in zip(hand, self._bounds, strict=True)]
        places, rotations = self.env._get_pos_objects(), self.env._get_quat_objects()
        half[4:7], half[7:11] = places[:3], rotations[:4]
        if len(places) > 3:
            half[11:14], half[14:18] = places[3:], rotations[4:]

    def _check(self, rand_vec: Vector) -> None:
        """Check that the environment draws places like these.

        Raises:
            UsageError: it does not.
        """
        low, high = self.env._random_reset_space.low, self.env._random_reset_space.high
        takes = f"rand_vec: {self.name} takes"
        if len(rand_vec) != len(low):
            raise UsageError(f"{takes} {len(low)} numbers, got {len(rand_vec)}")
        if (rand_vec < low - ROUNDING).any() or (rand_vec > high + ROUNDING).any():
            between = f"numbers from {low.tolist()} to {high.tolist()}"
            raise UsageError(f"{takes} {between}, got {shown(rand_vec.tolist())}")

    def _reset(self, rand_vec: Vector) -> Start:
        """Reset the environment as the package does."""
        self._check(rand_vec)
        env = self.env
        self._loaded = None
        env.data = self.data
        env.times_placed = 0
        env._set_task_called, env._partially_observable = True, True
        env._freeze_rand_vec, env._last_rand_vec = True, rand_vec
        observation, _ = env.reset()
        state = np.empty(self._size)
        mujoco.mj_getState(self.model, self.data, state, STATE)
        env.data = self._views
        attributes = {name: _kept(value) for name, value in vars(env).items()}
        half = observation[:HALF].copy()
        half[:CLIPPED] = half[:CLIPPED].clip(*np.transpose(self._bounds))
        places = self.model.body_pos.copy(), self.model.site_pos.copy()
        return Start(state, *places, attributes, observation.copy(), half)


def _kept(value: Any) -> Any:
    """Return a copy of an array; one that looks at the physics goes on looking there.

    Some environments keep such a view as, say, where the pads were at first: it tells where they are.
    """
    return value.copy() if isinstance(value, np.ndarray) and value.base is None else value


def _stored_names(env_class: Any) -> tuple[str, ...]:
    """Return the attributes that computing a reward assigns to."""

    def stored() -> Iterator[str]:
        for name, member in vars(env_class).items():
            if isinstance(member, FunctionType) and name in ("evaluate_state", "compute_reward"):
                for instruction in dis.get_instructions(member):
                    if instruction.opname == "STORE_ATTR":
                        yield instruction.argval

    return tuple(sorted(set(stored())))
