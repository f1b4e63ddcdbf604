import subprocess
from itertools import pairwise
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import numpy as np
import pytest
from PIL.GifImagePlugin import GifImageFile

from maml_rl.errors import UsageError
from maml_rl.viz import video
from maml_rl.viz.adaptation_video import VideoSettings, describe
from maml_rl.viz.rendering import Recording
from maml_rl.viz.video import GAP, check_format, default_format, side_by_side, write_video

TITLES = ["before adaptation", "after 1 step"]


def recording(length: int, value: int, width: int = 240) -> Recording:
    frames = [np.full((120, width, 3), value + t, np.uint8) for t in range(length + 1)]
    return Recording(frames, -np.arange(length + 1.0))


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
        dark = np.any(strip < 100, axis=(1, 2))
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


@pytest.mark.slow
@pytest.mark.parametrize("words", [12, 60, 20_000])
def test_a_long_heading_loses_its_end(words: int):
    heading = "Environment-v0, " + ", ".join(["mass 0.25"] * words)
    strip = video._Titles(TITLES, heading, 240)
    line = strip._canvas.figure.texts[0]
    assert line.get_text().startswith("Environment-v0, mass 0.25, mass")
    assert line.get_text().endswith("…")
    extent, width = line.get_window_extent(), strip._canvas.get_width_height()[0]
    assert GAP <= extent.x0 < extent.x1 <= width
    assert extent.width > 0.9 * (width - GAP)


def test_frames_have_even_sides():
    (frame, *_) = side_by_side([recording(1, 0, width=205)], ["before adaptation"], "Env-v0")
    assert [side % 2 for side in frame.shape[:2]] == [0, 0]


def test_a_gif(tmp_path: Path):
    path = tmp_path / "new" / "video.gif"
    write_video(side_by_side([recording(3, 0), recording(4, 90)], TITLES, "Env-v0"), path, 20.0)
    with GifImageFile(path) as gif:
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


def test_tasks_in_words():
    assert describe({"velocity": np.float64(1.337)}) == "velocity 1.34"
    assert describe({"direction": -1.0}) == "direction −1"
    assert describe({"side": "left"}) == "side left"
    assert describe({"goal": np.array([0.3149, -0.001])}) == "goal (0.31, 0)"


@pytest.mark.parametrize(
    ("option", "message"),
    [
        ({"num_steps": -1}, "num-steps: expected 0 or more, got -1"),
        ({"task": -1}, "task: expected 0 to 99, got -1"),
        ({"size": 10}, "size: expected 200 to 4000, got 10"),
        ({"fps": 0.0}, r"fps: expected 0\.1 to 1000\.0, got 0\.0"),
        ({"fps": float("nan")}, "fps: .* got nan"),
        ({"fps": float("inf")}, "fps: .* got inf"),
    ],
)
def test_settings_out_of_range(option: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        VideoSettings(**option)
