import subprocess
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
import torch
from PIL import Image

from maml_rl.config import Config
from maml_rl.envs import make_env
from maml_rl.episode import BatchEpisodes
from maml_rl.errors import UsageError
from maml_rl.evaluation import sample_adaptation
from maml_rl.seeding import FIRST_EVALUATION, Purpose, integer_seed, seed_sequence
from maml_rl.training.run import Run, RunSettings
from maml_rl.viz import opengl, video
from maml_rl.viz.adaptation import VideoSettings, adapted_parameters, describe
from maml_rl.viz.rendering import (
    FILMED,
    Recording,
    check_renderable,
    draw_paths,
    play_episodes,
    record_episodes,
)
from maml_rl.viz.style import COLORS, MUTED
from maml_rl.viz.video import GAP, check_format, default_format, side_by_side, write_video
from tests.envs.ids import MUJOCO_IDS

SEED, SIZE = 5, 200
TITLES = ["before adaptation", "after 1 step"]


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


def recording(length: int, value: int, width: int = 240) -> Recording:
    frames = [np.full((120, width, 3), value + t, np.uint8) for t in range(length + 1)]
    return Recording(frames, -np.arange(length + 1.0))


def perturbed(run: Run, count: int) -> list[torch.Tensor]:
    theta = run.policy.get_vector()[None]
    noise = torch.Generator().manual_seed(0)
    return [theta + 0.1 * i * torch.randn(theta.shape, generator=noise) for i in range(count)]


def colored(frame: np.ndarray, color: str) -> int:
    """Number of pixels of that colour, more or less."""
    rgb = np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)])
    return int((np.abs(frame.astype(int) - rgb).max(-1) < 40).sum())


def test_panels_stand_side_by_side_and_the_shorter_one_holds_its_last_frame():
    frames = list(side_by_side([recording(3, 10), recording(5, 100)], TITLES, "Env-v0, goal 1"))
    assert len(frames) == 6
    (shape,) = {frame.shape for frame in frames}
    assert shape[0] > 120
    assert shape[1:] == (2 * 240 + GAP, 3)
    for t, frame in enumerate(frames):
        left, gap, right = np.split(frame[-120:], [240, 240 + GAP], axis=1)
        assert (left == 10 + min(t, 3)).all()
        assert (gap == 255).all()
        assert (right == 100 + t).all()


def test_titles_and_returns_stand_above_their_panels():
    recordings = [recording(3, 0), recording(5, 0)]
    strips = [frame[:-120] for frame in side_by_side(recordings, TITLES, "Env-v0")]
    left, right = strips[0][:, :240], strips[0][:, -240:]
    for strip in (left, right):
        dark = (strip < 100).any((1, 2))
        assert dark[len(dark) // 4 : len(dark) // 2].any()  # The title's row.
        assert dark[len(dark) // 2 :].any()  # The return's.
    assert (left != right).any()
    for edge in (strips[-1][0], strips[-1][-1], strips[-1][:, 0], strips[-1][:, -1]):
        assert (edge == 255).all()  # Nothing is cut.
    changed = [(a != b).any((1, 2)) for a, b in pairwise(strips)]
    half = len(strips[0]) // 2
    assert all(rows[half:].any() and not rows[:half].any() for rows in changed)  # Returns run, titles stay.
    # Over at step 3, the left one says so, and no more changes.
    said = [(strip[half:, :240] < 100).sum() for strip in strips]
    assert said[3] > 1.5 * said[2]
    assert (strips[3][:, :240] == strips[5][:, :240]).all()
    assert (strips[3][:, -240:] != strips[5][:, -240:]).any()


def test_frames_have_even_sides():
    (frame, *_) = side_by_side([recording(1, 0, width=205)], ["before adaptation"], "Env-v0")
    assert [side % 2 for side in frame.shape[:2]] == [0, 0]


def test_a_gif(tmp_path: Path):
    path = tmp_path / "new" / "video.gif"
    write_video(side_by_side([recording(3, 0), recording(4, 90)], TITLES, "Env-v0"), path, 20.0)
    with Image.open(path) as gif:
        assert (gif.format, gif.n_frames, gif.info["duration"], gif.info["loop"]) == ("GIF", 5, 50, 0)
    assert iio.imread(path).shape[0] == 5
    assert [file.name for file in path.parent.iterdir()] == ["video.gif"]


def test_an_mp4(tmp_path: Path):
    ffmpeg = pytest.importorskip("imageio_ffmpeg", reason="mp4 needs imageio-ffmpeg").get_ffmpeg_exe()
    path = tmp_path / "video.mp4"
    frames = list(side_by_side([recording(10, 0), recording(12, 90)], TITLES, "Env-v0"))
    write_video(frames, path, 20.0)
    command = [ffmpeg, "-i", path, "-f", "rawvideo", "-pix_fmt", "rgb24", "-"]
    done = subprocess.run(command, capture_output=True, check=True)
    again = np.frombuffer(done.stdout, np.uint8).reshape(-1, *frames[0].shape)
    assert len(again) == 13
    assert np.abs(again.astype(int) - frames).mean() < 5
    assert b" 20 fps" in done.stderr


def test_a_video_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write '.*video\.gif'"):
        write_video(side_by_side([recording(1, 0)], TITLES[:1], ""), tmp_path / "file" / "video.gif", 20.0)


def test_formats(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(video, "find_spec", lambda name: name)
    assert default_format() == ".mp4"
    for name in ("a.mp4", "a.gif"):
        check_format(Path(name))
    monkeypatch.setattr(video, "find_spec", lambda name: None)
    assert default_format() == ".gif"
    check_format(Path("a.gif"))
    with pytest.raises(UsageError, match="'pip install imageio-ffmpeg'"):
        check_format(Path("a.mp4"))
    for name in ("a.avi", "a"):
        with pytest.raises(UsageError, match=r"ends in \.mp4 or \.gif"):
            check_format(Path(name))


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
        (task,) = run.sampler.sample_tasks(1)
        (episode,) = play_episodes(run, run.env, task, 3, [run.policy.get_vector()[None]])
        rewards, observations = independent_episode(run, task, index=3)
    heard = [*episode.observations[0, :, 0].numpy(), episode.last_observations[0, 0].numpy()]
    np.testing.assert_allclose(episode.rewards[0, :, 0].numpy(), rewards, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(heard, observations, rtol=1e-4, atol=1e-4)


@torch.no_grad()
def independent_episode(run: Run, task: Any, index: int) -> tuple[list[float], list[np.ndarray]]:
    def stream(purpose: Purpose) -> np.random.SeedSequence:
        return seed_sequence(SEED, purpose, iteration=FILMED, task=index)

    env = make_env(run.config.env_name, run.config.env_kwargs)
    env.unwrapped.reset_task(task)
    start = np.random.default_rng(integer_seed(stream(Purpose.ENVIRONMENT))).integers(2**31)
    noise = np.random.default_rng(stream(Purpose.ACTIONS))
    observations, rewards, over = [env.reset(seed=int(start))[0]], [], False
    while not over:
        pi = run.policy(torch.from_numpy(observations[-1]))
        draw = noise.standard_normal(pi.mean.shape, dtype=np.float32)
        observation, reward, *ends, _ = env.step(pi.mean.numpy() + pi.stddev.numpy() * draw)
        observations.append(observation)
        rewards.append(float(reward))
        over = any(ends)
    env.close()
    return rewards, observations


def test_adapted_parameters_are_those_that_the_sampler_took():
    sizes = (0.3, 0.1)
    with Run(config("2DNavigation-v0", steps=6), RunSettings(SEED)) as run:
        _, rounds = sample_adaptation(run.sampler, run.config, sizes)
        one: list[BatchEpisodes] = [batch[1] for batch in rounds]
        params = adapted_parameters(run.policy, one, sizes)
        assert len(params) == 3
        for step, (vector, episodes) in enumerate(zip(params, one, strict=True)):
            named = run.policy.unflatten(vector[0])
            pi = run.policy.outputs(episodes.observations, named)
            key = seed_sequence(SEED, Purpose.ACTIONS, iteration=FIRST_EVALUATION, task=1, step=step)
            noise = np.random.default_rng(key).standard_normal(episodes.actions.shape, dtype=np.float32)
            actions = pi.sample(torch.from_numpy(noise)) * episodes.mask[..., None]
            torch.testing.assert_close(actions, episodes.actions, rtol=1e-4, atol=1e-4)
    assert all((a != b).any() for a, b in pairwise(params))


@pytest.mark.parametrize("id", MUJOCO_IDS)
def test_robots(id: str, drawing: str):
    with Run(config(id, steps=3), RunSettings(SEED)) as run:
        check_renderable(run.env)
        (task,) = run.sampler.sample_tasks(1)
        films = record_episodes(run, task, 0, perturbed(run, 2), SIZE)
        rate = run.env.metadata["render_fps"]
        assert rate == pytest.approx(1 / run.env.unwrapped.dt)
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
    env = make_env(id, {"render_mode": "rgb_array", "width": SIZE, "height": SIZE})
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
        (task,) = run.sampler.sample_tasks(1)
        films = record_episodes(run, task, 0, perturbed(run, 3), SIZE)
    for film in films:
        assert (len(film.frames), film.returns.shape, film.returns[0]) == (6, (6,), 0)
        assert (np.diff(film.returns) < 0).all()
    assert len({film.returns[-1] for film in films}) == 3


def test_what_has_no_pictures():
    env = make_env("TabularMDP-v0")
    with pytest.raises(UsageError, match=r"'TabularMDP-v0' has no pictures: .*'rgb_array'"):
        check_renderable(env)


@pytest.fixture
def works(monkeypatch: pytest.MonkeyPatch) -> Iterator[set[str]]:
    """The ways of drawing that work, instead of a trial: none, unless the test adds them."""
    ways: set[str] = set()
    monkeypatch.delenv("MUJOCO_GL", raising=False)
    monkeypatch.setattr(opengl, "BACKENDS", ("egl", "osmesa"))
    monkeypatch.setattr(opengl, "_works", lambda backend: backend in ways)
    return ways


def test_the_first_way_that_works_is_taken(works: set[str], monkeypatch: pytest.MonkeyPatch):
    works.add("osmesa")
    assert opengl.choose_opengl() == opengl.os.environ["MUJOCO_GL"] == "osmesa"
    works.add("egl")
    assert opengl.choose_opengl() == "osmesa"  # Set is set.
    monkeypatch.delenv("MUJOCO_GL")
    assert opengl.choose_opengl() == opengl.os.environ["MUJOCO_GL"] == "egl"


def test_without_opengl_the_package_is_named(works: set[str], monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UsageError, match=r"egl or osmesa.*apt-get install libosmesa6"):
        opengl.choose_opengl()
    assert "MUJOCO_GL" not in opengl.os.environ
    works.add("osmesa")
    monkeypatch.setenv("MUJOCO_GL", "egl")
    with pytest.raises(UsageError, match=r"MUJOCO_GL is 'egl', which does not work here: unset it"):
        opengl.choose_opengl()


def test_a_trial_that_fails(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("MUJOCO_GL", "no-such-thing")
    with pytest.raises(UsageError, match="'no-such-thing', which does not work here"):
        opengl.choose_opengl()


def test_tasks_in_words():
    assert describe({"velocity": np.float64(1.337)}) == "velocity 1.34"
    assert describe({"direction": -1.0}) == "direction −1"
    assert describe({"goal": np.array([0.3149, -0.001])}) == "goal (0.31, 0)"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"num_steps": -1}, "num-steps: expected 0 or more, got -1"),
        ({"task": -1}, "task: expected 0 or more, got -1"),
        ({"size": 10}, "size: expected 200 or more, got 10"),
        ({"fps": 0.0}, "fps: expected more than 0, got 0.0"),
        ({"fps": float("nan")}, "fps: expected more than 0, got nan"),
    ],
)
def test_settings_out_of_range(option: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        VideoSettings(**option)
