import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure

from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.errors import UsageError
from maml_rl.viz.learning_curve import Axis, plot_learning_curves
from maml_rl.viz.navigation import PATHS_SHOWN, Paths, plot_paths
from maml_rl.viz.style import COLORS, MUTED, _families, save_figure
from tests.viz.files import assert_picture


def metrics(num_steps: int = 1, rows: int = 4, seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    columns = {"iteration": np.arange(1.0, rows + 1), "env_steps": 100 * np.arange(1.0, rows + 1)}
    for step in range(num_steps + 1):
        columns[f"return_{step}"] = rng.standard_normal(rows)
        columns[f"stderr_{step}"] = rng.random(rows)
    return columns


def walks(lengths: list[int], seed: int = 0, size: int = 2) -> BatchEpisodes:
    rng = np.random.default_rng(seed)
    observations = torch.full((max(lengths), len(lengths), size), 99.0)
    observations[..., :2] = 0.0
    for k, length in enumerate(lengths):
        observations[:length, k, :2] = torch.from_numpy(0.1 * rng.standard_normal((length, 2)).cumsum(0))
    zeros = torch.zeros(observations.shape[:2])
    data = EpisodeData(observations, torch.zeros_like(observations), zeros, torch.tensor(lengths))
    return BatchEpisodes.from_data(data, 0.99)


def lines(figure: Figure) -> list[Any]:
    (ax,) = figure.axes
    return ax.get_lines()


def test_a_learning_curve_shows_returns_before_and_after_adaptation():
    columns = metrics(num_steps=3)
    figure = plot_learning_curves({"mine": [columns]})
    before, after = lines(figure)
    for line, step, name in ((before, 0, "before adaptation"), (after, 3, "after 3 steps")):
        np.testing.assert_array_equal(line.get_xdata(), columns["iteration"])
        np.testing.assert_array_equal(line.get_ydata(), columns[f"return_{step}"])
        assert line.get_label() == f"mine, {name}"
    bands = [band.get_paths()[0].get_extents() for band in figure.axes[0].collections]
    for band, step in zip(bands, (0, 3), strict=True):
        mean, error = columns[f"return_{step}"], columns[f"stderr_{step}"]
        assert (band.y0, band.y1) == pytest.approx(((mean - error).min(), (mean + error).max()))


def test_each_of_many_methods_has_a_look_of_its_own():
    figure = plot_learning_curves({str(i): [metrics()] for i in range(3 * len(COLORS))})
    looks = {(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines(figure)}
    assert len(looks) == 2 * 3 * len(COLORS)


def test_many_names_leave_the_curves_their_room():
    def height(number: int) -> float:
        figure = plot_learning_curves({f"method-{i}-cheetah-dir": [metrics()] for i in range(number)})
        figure.draw_without_rendering()
        return figure.axes[0].get_window_extent().height

    assert height(6) == pytest.approx(height(1), rel=0.05)


@pytest.mark.parametrize("length", [8, 40, 75, 100])
def test_the_legend_stays_in_the_picture(length: int):
    figure = plot_learning_curves({"m" * (length // 2) + "i" * (length // 2): [metrics()]})
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert 0 <= box.x0 < box.x1 <= figure.bbox.width


@pytest.mark.parametrize("rows", [1, 3, 20])
def test_meta_updates_are_counted_in_whole_numbers(rows: int):
    figure = plot_learning_curves({"a": [metrics(rows=rows)]})
    ticks = figure.axes[0].get_xticks()
    np.testing.assert_array_equal(ticks, ticks.round())


def labels(columns: dict[str, np.ndarray]) -> list[str]:
    return [line.get_label() for line in lines(plot_learning_curves({"a": [columns]}))]


def test_a_single_step_is_singular_and_rounds_of_rl2_are_episodes():
    assert labels(metrics()) == ["a, before adaptation", "a, after 1 step"]
    columns = metrics(num_steps=9)
    columns["trial_return"] = columns["return_0"]
    assert labels(columns) == ["a, episode 1 of a trial", "a, episode 10 of a trial"]


def test_runs_have_colors_of_their_own_and_share_the_axes():
    runs = {f"run {i}": [metrics(num_steps=i % 3, seed=i)] for i in range(len(COLORS) + 1)}
    figure = plot_learning_curves(runs)
    colors = {line.get_label().partition(",")[0]: line.get_color() for line in lines(figure)}
    assert list(colors.values()) == [*COLORS, COLORS[0]]
    assert sum("run 0," in line.get_label() for line in lines(figure)) == 1  # No step, no second curve.


@pytest.mark.parametrize("axis", ["iteration", "env_steps"])
def test_runs_of_several_seeds_are_one_curve_as_far_as_all_have_come(axis: Axis):
    runs = [metrics(rows=rows, seed=rows) for rows in (6, 4, 5)]
    figure = plot_learning_curves({"mine": runs}, axis)
    for step, line in enumerate(lines(figure)):
        curves = np.stack([run[f"return_{step}"][:4] for run in runs])
        np.testing.assert_array_equal(line.get_xdata(), runs[1][axis])
        np.testing.assert_allclose(line.get_ydata(), curves.mean(0))
        band = figure.axes[0].collections[step].get_paths()[0].get_extents()
        error = curves.std(0, ddof=1) / 3**0.5
        assert band.y1 == pytest.approx((curves.mean(0) + error).max())
    assert len(lines(figure)) == 2


def test_seeds_with_other_env_steps_are_interpolated():
    runs = [metrics(seed=1), metrics(seed=2)]
    runs[0]["env_steps"] = np.array([100.0, 200.0, 300.0, 400.0])
    runs[1]["env_steps"] = np.array([50.0, 250.0, 350.0, 450.0])
    _, after = lines(plot_learning_curves({"mine": runs}, "env_steps"))
    a, b = runs[0]["return_1"], runs[1]["return_1"]
    between = [b[0] + (b[1] - b[0]) * share for share in (0.25, 0.75)] + [
        (b[1] + b[2]) / 2,
        (b[2] + b[3]) / 2,
    ]
    np.testing.assert_allclose(after.get_ydata(), (a + np.array(between)) / 2)


@pytest.mark.parametrize("size", [2, 4])  # Behind the position may be the task.
def test_paths_go_through_the_observations_of_real_steps_alone(size: int):
    tasks = [{"goal": np.array([0.3, -0.2])}, {"goal": np.array([-2.0, 0.1])}]
    rounds = [[walks([4, 2], 10 * step + task, size) for task in range(2)] for step in range(3)]
    figure = plot_paths(Paths(tasks, rounds, ["before", "after one", "after two"]))
    assert len(figure.axes) == 2
    for task, ax in enumerate(figure.axes):
        *paths, goal, start = ax.get_lines()
        assert len(paths) == 3 * 2
        for i, line in enumerate(paths):
            step, k = divmod(i, 2)
            episodes = rounds[step][task]
            expected = episodes.observations[: episodes.lengths[k], k, :2]
            np.testing.assert_array_equal(np.array(line.get_data()).T, expected)
            assert line.get_color() == [MUTED, *COLORS][step]
        assert np.ravel(goal.get_xydata()).tolist() == tasks[task]["goal"].tolist()
        assert np.ravel(start.get_xydata()).tolist() == [0, 0]
        assert ax.get_xlim() == ax.get_ylim()
        assert ax.get_xlim()[0] < -2.0  # Everything fits in.
    (legend,) = figure.legends
    texts = [text.get_text() for text in legend.get_texts()]
    assert texts == ["before", "after one", "after two", "goal", "start"]


def test_no_more_paths_than_can_be_told_apart():
    figure = plot_paths(Paths([{"goal": np.zeros(2)}], [[walks([3] * 20)]], ["before"]))
    assert len(figure.axes[0].get_lines()) == PATHS_SHOWN + 2


@pytest.mark.parametrize("kind", ["png", "svg", "pdf"])
def test_figures_are_saved_in_the_format_of_the_name(tmp_path: Path, kind: str):
    figures = {
        "curve": plot_learning_curves({"a": [metrics()]}),
        "paths": plot_paths(Paths([{"goal": np.ones(2)}], [[walks([3, 2])], [walks([2, 3])]], ["a", "b"])),
    }
    for name, figure in figures.items():
        path = tmp_path / "new" / f"{name}.{kind}"
        save_figure(figure, path)
        assert_picture(path)
    assert len(list((tmp_path / "new").iterdir())) == 2  # No temporary files.


def test_a_name_without_an_ending_is_a_png(tmp_path: Path):
    save_figure(plot_learning_curves({"a": [metrics()]}), tmp_path / "picture")
    assert (tmp_path / "picture").read_bytes().startswith(b"\x89PNG")


def test_a_picture_that_cannot_be_written(tmp_path: Path):
    (tmp_path / "file").touch()
    with pytest.raises(UsageError, match=r"cannot write '.*picture\.png'"):
        save_figure(plot_learning_curves({"a": [metrics()]}), tmp_path / "file" / "picture.png")


def test_letters_that_no_font_has_are_one_line(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    for name in ("plain", "巡航"):
        save_figure(plot_learning_curves({name: [metrics()]}), tmp_path / f"{name}.png")
        assert_picture(tmp_path / f"{name}.png")
    said = [record.getMessage() for record in caplog.records]
    lacking = [f"'{tmp_path / '巡航.png'}' lacks letters that no font here has; install Noto Sans CJK"]
    assert said == ([] if len(_families()) > 1 else lacking)


def test_other_warnings_of_pictures_go_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    figure = plot_learning_curves({"a": [metrics()]})
    draw = figure.savefig

    def warn(*arguments, **options):
        warnings.warn("something else", UserWarning, stacklevel=1)
        draw(*arguments, **options)

    monkeypatch.setattr(figure, "savefig", warn)
    with pytest.warns(UserWarning, match="something else"):
        save_figure(figure, tmp_path / "a.png")
