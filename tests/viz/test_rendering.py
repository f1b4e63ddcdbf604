import os
import sys
from itertools import pairwise
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.envs.registration import EnvSpec

from maml_rl.config import Config
from maml_rl.envs import make_env
from maml_rl.envs.tabular_mdp import TabularMDPEnv
from maml_rl.episode import BatchEpisodes
from maml_rl.errors import UsageError
from maml_rl.evaluation import evaluation_tasks, sample_adaptation
from maml_rl.policies import Policy
from maml_rl.seeding import FIRST_EVALUATION, Purpose, integer_seed, seed_sequence
from maml_rl.training.run import Run, RunSettings
from maml_rl.viz import opengl, rendering
from maml_rl.viz.adaptation_video import adapted_parameters
from maml_rl.viz.rendering import FILMED, check_renderable, draw_paths, play_episodes, record_episodes
from maml_rl.viz.style import COLORS, MUTED
from tests.envs.ids import NEAR_IDS

SEED, SIZE = 5, 200


@pytest.fixture
def drawing(monkeypatch: pytest.MonkeyPatch) -> str:
    """A way of drawing robots that works here."""
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    try:
        return opengl.choose_opengl()
    except UsageError as error:
        pytest.skip(str(error))


def config(env_name: str, steps: int, **env_kwargs: Any) -> Config:
    env_kwargs["max_episode_steps"] = steps
    return Config(
        env_name=env_name, env_kwargs=env_kwargs, hidden_sizes=(8,), fast_batch_size=4, meta_batch_size=2
    )


def policy_of(run: Run) -> Policy:
    """The template, whose own parameters are the first theta."""
    return run.learner.adaptation.policy


def perturbed(run: Run, count: int) -> list[torch.Tensor]:
    theta = run.learner.init().theta[None]
    noise = torch.Generator().manual_seed(0)
    return [theta + 0.1 * i * torch.randn(theta.shape, generator=noise) for i in range(count)]


def colored(frame: np.ndarray, color: str) -> int:
    """Number of pixels of that colour, more or less."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(frame.astype(int) - rgb).max(-1) < 40).sum())


def test_paths_grow_to_one_scale():
    far = np.linspace((0, 0), (3, 3), 6)
    paths = [far / 4, far[:4]]
    films = draw_paths(paths, np.array([-0.5, 0.5]), SIZE)
    assert [len(frames) for frames in films] == [6, 4]
    assert {frame.shape for frames in films for frame in frames} == {(SIZE, SIZE, 3)}
    for frames, color in zip(films, (MUTED, COLORS[0]), strict=True):
        counts = [colored(frame, color) for frame in frames]
        assert counts == sorted(counts)
        assert counts[-1] > counts[0] + 20
        assert len({colored(frame, "#c44e52") > 10 for frame in frames}) == 1  # The goal is always there.
    axis = np.s_[:, : SIZE // 10]
    assert (films[0][0][axis] == films[1][0][axis]).all()


@pytest.mark.parametrize("id", ["2DNavigation-v0", "HalfCheetahVel-v2"])
def test_an_episode_after_no_steps_is_that_of_the_policy_itself(id: str):
    with Run(config(id, steps=7), RunSettings(SEED)) as run:
        (task,) = run.sampler.sample_tasks(1, 0)
        (episode,) = play_episodes(run, run.env, task, 3, [run.learner.init().theta[None]])
        rewards, observations = independent_episode(run, task, index=3)
    assert episode.last_observations is not None
    heard = [*episode.observations[0, :, 0].numpy(), episode.last_observations[0, 0].numpy()]
    np.testing.assert_allclose(episode.rewards[0, :, 0].numpy(), rewards, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(heard, observations, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def independent_episode(run: Run, task: Any, index: int) -> tuple[list[float], list[np.ndarray]]:
    def stream(purpose: Purpose) -> np.random.SeedSequence:
        return seed_sequence(SEED, purpose, iteration=FILMED, task=index)

    env: Any = make_env(run.config.env_name, run.config.env_kwargs)
    env.unwrapped.reset_task(task)
    start = np.random.default_rng(integer_seed(stream(Purpose.ENVIRONMENT))).integers(2**31)
    noise = np.random.default_rng(stream(Purpose.ACTIONS))
    observations, rewards, over = [env.reset(seed=int(start))[0]], [], False
    while not over:
        pi = policy_of(run)(torch.from_numpy(observations[-1]))
        draw = noise.standard_normal(pi.mean.shape, dtype=np.float32)
        observation, reward, *ends, _ = env.step(pi.mean.numpy() + pi.stddev.numpy() * draw)
        observations.append(observation)
        rewards.append(float(reward))
        over = any(ends)
    env.close()
    return rewards, observations


def test_adapted_parameters_are_those_that_the_sampler_took():
    scales = (3.0, 1.0)
    with Run(config("2DNavigation-v0", steps=6), RunSettings(SEED)) as run:
        theta, policy = run.learner.init().theta, policy_of(run)
        rounds = sample_adaptation(run, theta, evaluation_tasks(run), scales)
        one: list[BatchEpisodes] = [batch[1] for batch in rounds]
        params = adapted_parameters(run.learner.adaptation, theta, one, scales)
        assert len(params) == 3
        assert (params[0] == theta).all()
        for step, (vector, episodes) in enumerate(zip(params, one, strict=True)):
            pi = policy.outputs(episodes.observations, policy.unflatten(vector[0]))
            key = seed_sequence(SEED, Purpose.ACTIONS, iteration=FIRST_EVALUATION, task=1, step=step)
            noise = np.random.default_rng(key).standard_normal(episodes.actions.shape, dtype=np.float32)
            actions = pi.sample(torch.from_numpy(noise)) * episodes.mask[..., None]
            torch.testing.assert_close(actions, episodes.actions, rtol=1e-4, atol=1e-4)
    assert all((a != b).any() for a, b in pairwise(params))


@pytest.mark.parametrize(
    "id", [*NEAR_IDS, "HopperRandParams-v0", "HumanoidDir2D-v0", "SwimmerVel-v0", "Walker2dVel-v0"]
)
def test_robots(id: str, drawing: str):
    with Run(config(id, steps=3), RunSettings(SEED)) as run:
        check_renderable(run.env)
        (task,) = run.sampler.sample_tasks(1, 0)
        films = record_episodes(run, task, 0, perturbed(run, 2), SIZE)
        rate = run.env.metadata["render_fps"]
        robot: Any = run.env.unwrapped
        assert rate == round(1 / robot.dt)
        (episode, _) = play_episodes(run, run.env, task, 0, perturbed(run, 2))
    assert [len(film.frames) for film in films] == [4, 4]
    assert {frame.shape for film in films for frame in film.frames} == {(SIZE, SIZE, 3)}
    first, second = films
    assert (first.frames[0] == second.frames[0]).all()  # The same start.
    assert (first.frames[-1] != second.frames[-1]).any()
    assert (first.frames[0] != first.frames[-1]).any()
    expected = [0, *episode.rewards[0, :, 0].numpy().cumsum()]
    np.testing.assert_allclose(first.returns, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("id", ["HalfCheetahVel-v2", "AntPos-v1"])
def test_the_camera_follows_the_robot(id: str, drawing: str):
    env: Any = make_env(id, {"render_mode": "rgb_array", "width": SIZE, "height": SIZE})
    env.reset(seed=1)
    robot: Any = env.unwrapped
    skin = []
    for x in (0.0, 30.0):
        position = robot.data.qpos.copy()
        position[0] = x
        robot.set_state(position, robot.data.qvel.copy())
        red, _, blue = np.moveaxis(env.render().astype(int), -1, 0)
        skin.append((red - blue > 40).mean())
    env.close()
    assert skin[0] > 0.01
    assert skin[1] == pytest.approx(skin[0], rel=0.5)


def test_navigation():
    with Run(config("2DNavigation-v0", steps=5, normalization_scale=5.0), RunSettings(SEED)) as run:
        check_renderable(run.env)
        (task,) = run.sampler.sample_tasks(1, 0)
        films = record_episodes(run, task, 0, perturbed(run, 3), SIZE)
    for film in films:
        assert (len(film.frames), film.returns.shape, film.returns[0]) == (6, (6,), 0)
        assert (np.diff(film.returns) < 0).all()
    assert len({film.returns[-1] for film in films}) == 3


class Painted(TabularMDPEnv):
    """A user's environment that draws itself, in a size of its own."""

    metadata = {"render_modes": ["rgb_array"], "render_fps": 5}

    def __init__(self, render_mode: str | None = None):
        super().__init__(num_states=3, num_actions=2)
        self.render_mode = render_mode
        self.age = 0
        self.closed = False

    def close(self) -> None:
        self.closed = True

    def step(self, action: np.int64) -> Any:
        self.age += 1
        return super().step(action)

    def render(self) -> np.ndarray:
        return np.full((90, 120, 3), self.age, np.uint8)


def test_environments_that_draw_themselves(monkeypatch: pytest.MonkeyPatch):
    spec = EnvSpec("Painted-v0", entry_point=f"{__name__}:Painted")
    monkeypatch.setitem(gym.registry, "Painted-v0", spec)
    with Run(config("Painted-v0", steps=4), RunSettings(SEED)) as run:
        check_renderable(run.env)
        (task,) = run.sampler.sample_tasks(1, 0)
        (film,) = record_episodes(run, task, 0, perturbed(run, 1), SIZE)
        assert run.sampler.sample_tasks(1, 0)[0].keys() == task.keys()
        painted: Any = run.env.unwrapped
        assert not painted.closed
    assert [frame.shape for frame in film.frames] == [(90, 120, 3)] * 5
    assert [frame.max() for frame in film.frames] == [0, 1, 2, 3, 4]


class Shaken(Painted):
    """Draws from the global generators."""

    def step(self, action: Any) -> Any:
        observation, _, *rest = super().step(action)
        return observation, np.random.random(), *rest


def test_what_environments_draw_from_the_global_generators_repeats(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(gym.registry, "Shaken-v0", EnvSpec("Shaken-v0", entry_point=f"{__name__}:Shaken"))
    with Run(config("Shaken-v0", steps=4), RunSettings(SEED)) as run:
        (task,) = run.sampler.sample_tasks(1, 0)
        theta = run.learner.init().theta[None]
        first, second = play_episodes(run, run.env, task, 0, [theta, theta])
    assert first.rewards.unique().numel() == 4
    assert torch.equal(first.rewards, second.rewards)


class Fails(Painted):
    """Draws nothing."""

    def render(self) -> Any:
        raise RuntimeError("no display; OpenGL")


def test_a_picture_that_fails_is_told_in_a_line(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(gym.registry, "Fails-v0", EnvSpec("Fails-v0", entry_point=f"{__name__}:Fails"))
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with Run(config("Fails-v0", steps=4), RunSettings(SEED)) as run:
        (task,) = run.sampler.sample_tasks(1, 0)
        said = (
            r"'Fails-v0': its render\(\) fails: no display; OpenGL .*; begin the command with MUJOCO_GL=egl"
        )
        with pytest.raises(UsageError, match=said):
            record_episodes(run, task, 0, perturbed(run, 1), SIZE)


@pytest.mark.parametrize(
    ("kind", "chosen"), [("ByHand", False), ("Composed", False), ("KeepsItsCounters", True)]
)
def test_a_way_of_drawing_is_chosen_wherever_the_physics_are(
    kind: str, chosen: bool, monkeypatch: pytest.MonkeyPatch
):
    """`ByHand` has none before its first reset."""
    choices = []
    monkeypatch.setattr(rendering, "choose_opengl", lambda: choices.append(1))
    env = make_env(f"tests.envs.test_blow_ups:{kind}", {"max_episode_steps": 3})
    env.unwrapped.metadata = {"render_modes": ["rgb_array"]}
    check_renderable(env)
    assert bool(choices) == chosen


def test_what_has_no_pictures():
    env = make_env("TabularMDP-v0")
    with pytest.raises(UsageError, match=r"'TabularMDP-v0' has no pictures: .*'rgb_array'"):
        check_renderable(env)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The ways of drawing that work, instead of a trial: none, unless the test adds them."""
    ways: set[str] = set()
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(opengl, "BACKENDS", ("egl", "osmesa"))
    monkeypatch.setattr(opengl, "_works", lambda backend: backend in ways)
    return ways


def test_the_first_way_that_works_is_taken(works: set[str], monkeypatch: pytest.MonkeyPatch):
    works.add("osmesa")
    assert opengl.choose_opengl() == os.environ["MUJOCO_GL"] == "osmesa"
    works.add("egl")
    assert opengl.choose_opengl() == "osmesa"  # Set is set.
    monkeypatch.delenv("MUJOCO_GL")
    assert opengl.choose_opengl() == os.environ["MUJOCO_GL"] == "egl"


def test_without_opengl_the_package_is_named(works: set[str], monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match=r"egl or osmesa.*apt-get install libosmesa6"):
        opengl.choose_opengl()
    assert "MUJOCO_GL" not in os.environ
    works.add("osmesa")
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(UsageError, match=r"MUJOCO_GL is 'egl', which does not work here: unset it"):
        opengl.choose_opengl()


def test_a_trial_that_fails(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUJOCO_GL", "no-such-thing")
    with pytest.raises(UsageError, match="'no-such-thing', which does not work here"):
        opengl.choose_opengl()


def test_a_package_for_pictures_that_is_missing(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(sys.modules, "pygame", None)
    settings = Config(env_name="Pendulum-v1", task_space={"g": [5, 15]}, env_kwargs={"max_episode_steps": 3})
    with Run(settings, RunSettings(seed=1)) as run:
        (task,) = evaluation_tasks(run)[:1]
        theta = run.learner.init().theta
        with pytest.raises(
            UsageError, match=r"environment 'Pendulum-v1' has no pictures: pygame is not installed"
        ):
            record_episodes(run, task, 0, [theta[None]], 200)
