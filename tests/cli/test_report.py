import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maml_rl.evaluation.results import AdaptationResults
from tests.cli.helpers import Command, contents, read_config, read_metrics
from tests.viz.pages import drawn, tables, value

FEW = ("--num-tasks", 3)


def copied(run: Path, folder: Path, **keys: object) -> Path:
    """Copy a run, with other values of some keys of its config.json."""
    shutil.copytree(run, folder)
    (folder / "config.json").write_text(json.dumps(read_config(folder) | keys))
    return folder


def lines_of(page: Path, chart: str, label: str) -> list[dict[str, Any]]:
    (quantity,) = [q for q in drawn(page)["charts"][chart]["quantities"] if q["label"] == label]
    lines: list[dict[str, Any]] = quantity["lines"]
    return lines


def test_the_curves_are_those_of_the_metrics(command: Command, tabular_run: Path, tmp_path: Path):
    before = contents(tabular_run)
    page = tmp_path / "new" / "a.html"
    assert command.succeeds("report", tabular_run, "--output", page, *FEW) == f"{page}\n"
    assert set(contents(tmp_path)) == {"new/a.html"}
    rows = read_metrics(tabular_run)
    chart = drawn(page)["charts"]["learning"]
    assert chart["axes"] == ["meta-updates", "env steps"]
    for axis, column in enumerate(("iteration", "env_steps")):
        assert chart["x"][axis] == [[float(row[column]) for row in rows]]
    for line, step in zip(lines_of(page, "learning", "return"), "01", strict=True):
        returns, errors = (
            np.array([float(row[f"{name}_{step}"]) for row in rows]) for name in ("return", "stderr")
        )
        for key, expected in (("y", returns), ("low", returns - errors), ("high", returns + errors)):
            assert line[key] == pytest.approx(expected, rel=1e-5)
        assert line["dotted"] == (step == "0")
    (kl,) = lines_of(page, "learning", "kl")
    assert kl["y"] == [float(row["kl"]) for row in rows]
    assert contents(tabular_run) == before


def test_a_run_without_results_is_tested_as_maml_rl_test_does(
    command: Command, tabular_run: Path, tmp_path: Path
):
    output, page = tmp_path / "results.npz", tmp_path / "a.html"
    sizes = ("--num-batches", 1, "--meta-batch-size", 5, "--num-workers", 0, "--num-steps", 2, "--seed", 9)
    run = ("--config", tabular_run / "config.json", "--policy", tabular_run / "policy.th")
    command.succeeds("test", *run, *sizes, "--output", output)
    options = ("--num-tasks", 5, "--num-steps", 2, "--seed", 9)
    command.succeeds("report", tabular_run, *options, "--output", page)
    with np.load(output) as arrays:
        means = arrays["returns"].mean(2)
    (line,) = lines_of(page, "adaptation", "return")
    assert line["y"] == pytest.approx(means.mean(1), rel=1e-5)
    assert (np.array(line["low"]) < line["y"]).all()
    assert (np.array(line["high"]) > line["y"]).all()
    rows = tables(page)["Returns by task"]
    assert len(rows) == 5
    for index, row in enumerate(rows):
        shown = [value(row[name]) for name in ("before adaptation", "after 1 step", "after 2 steps", "gain")]
        of_task = means[:, index].tolist()
        assert shown == pytest.approx([*of_task, of_task[2] - of_task[0]], abs=0.0051)


def test_results_of_a_test_are_told_as_they_are(command: Command, tabular_run: Path, tmp_path: Path):
    run, page = copied(tabular_run, tmp_path / "run"), tmp_path / "a.html"
    returns = np.random.default_rng(0).normal(size=(3, 4, 2)).astype(np.float32)
    tasks = [{"velocity": speed, "way": [1, speed]} for speed in (0.5, 1.25, 2.0, -3.0)]
    results = AdaptationResults(returns, tasks, (0.1, 0.05), 7, (returns > 0).astype(np.float32))
    results.save(run / "mine.npz")
    command.succeeds("report", run, "--results", "mine.npz", "--output", page)
    assert "4 tasks, 2 episodes each, test seed 7; from mine.npz." in page.read_text()
    rows = tables(page)["Returns by adaptation steps"]
    assert [(row["steps"], row["step size"]) for row in rows] == [("0", ""), ("1", "0.1"), ("2", "0.05")]
    assert [value(row["mean return"]) for row in rows] == pytest.approx(returns.mean((1, 2)), abs=0.0051)
    rates = (returns > 0).mean((1, 2))
    assert [row["success"] for row in rows] == [f"{rate:.1%}" for rate in rates]
    assert [line["y"] for line in lines_of(page, "adaptation", "success")] == [pytest.approx(rates)]
    of_tasks = tables(page)["Returns by task"]
    assert [row["task"] for row in of_tasks][1::2] == [
        "velocity 1.25, way (1, 1.25)",
        "velocity −3, way (1, −3)",
    ]


def test_several_runs_are_told_apart_by_what_differs(command: Command, tabular_run: Path, tmp_path: Path):
    others = [
        copied(tabular_run, tmp_path / "b", seed=2),
        copied(tabular_run, tmp_path / "c", **{"fast-lr": 0.7}),
        copied(tabular_run, tmp_path / "d"),
    ]
    page = tmp_path / "all.html"
    command.succeeds("report", tabular_run, *others, "--output", page, *FEW)
    rate = read_config(tabular_run)["fast-lr"]
    names = [
        f"maml-trpo, fast-lr {rate}, seed 1 ({tabular_run.name})",
        f"maml-trpo, fast-lr {rate}, seed 2",
        "maml-trpo, fast-lr 0.7, seed 1",
        f"maml-trpo, fast-lr {rate}, seed 1 (d)",
    ]
    assert drawn(page)["runs"] == names
    assert [line["run"] for line in lines_of(page, "learning", "return")] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [line["run"] for line in lines_of(page, "adaptation", "return")] == [0, 1, 2, 3]
    assert [row["run"] for row in tables(page)["Runs"]] == names
    (row,) = tables(page)["What differs between the runs"]
    assert row["key"] == "fast-lr"
    assert [row[name] for name in names] == [str(rate), str(rate), "0.7", str(rate)]
    assert [row["seed"] for row in tables(page)["Seeds and versions of the runs"]] == ["1", "2", "1", "1"]
    assert len(tables(page)["All keys of the config"]) == len(
        [key for key in read_config(tabular_run) if key not in RUN_ENTRIES]
    )


RUN_ENTRIES = ("config", "output_folder", "seed", "num_workers", "device", "version")


def test_configs_that_differ_in_many_keys_are_named_by_folder(
    command: Command, tabular_run: Path, tmp_path: Path
):
    keys = {"fast-lr": 0.7, "gamma": 0.5, "cg-iters": 3, "max-kl": 0.5}
    page, other = tmp_path / "a.html", copied(tabular_run, tmp_path / "far", **keys)
    command.succeeds("report", tabular_run, other, "--output", page, *FEW)
    assert drawn(page)["runs"] == [f"maml-trpo, {tabular_run.name}, seed 1", "maml-trpo, far, seed 1"]


def test_an_unfinished_run_is_told_to_be_one(
    command: Command, tabular_run: Path, tmp_path: Path, caplog: Any
):
    run = copied(tabular_run, tmp_path / "run", **{"num-batches": 50})
    command.succeeds("report", run, *FEW)
    (row,) = tables(run / "report.html")["Runs"]
    assert row["meta-updates"] == "unfinished: 2 of 50"
    assert f"'{run}' is unfinished: 2 of 50 meta-updates" in caplog.text


def test_navigation_shows_its_paths(command: Command, navigation_run: Path, tmp_path: Path):
    page = tmp_path / "a.html"
    command.succeeds("report", navigation_run, "--output", page, *FEW, "--num-steps", 2)
    text = page.read_text()
    assert text.count("<figure>") == 4
    panels = re.findall(r"<svg.*?</svg>", text)
    # The config has 4 episodes per task; there are three rounds of them.
    assert [panel.count("<polyline") for panel in panels] == [4 * 3] * 4
    points = re.search(r'points="([^"]*)"', panels[0])
    assert points is not None
    assert points[1].split()[0] == "120.0,120.0"
    assert len(points[1].split()) == 15
    without = tmp_path / "b.html"
    command.succeeds("report", navigation_run, "--output", without, "--num-tasks", 0)
    assert "<figure>" not in without.read_text()
    assert drawn(without)["charts"]["adaptation"] is None


def test_a_film(command: Command, navigation_run: Path, tmp_path: Path):
    page = tmp_path / "a.html"
    command.succeeds("report", navigation_run, "--output", page, *FEW, "--video")
    found = re.search(r'<(video|img) src="data:(video/mp4|image/gif);base64,([^"]*)"', page.read_text())
    assert found is not None
    assert len(found[3]) > 1000


def test_no_folder_of_the_machine_is_in_the_file(command: Command, tabular_run: Path, tmp_path: Path):
    run = copied(tabular_run, tmp_path / "x" / "run", config=str(tmp_path / "my.yaml"))
    results = AdaptationResults(
        np.zeros((2, 1, 1), np.float32), [{"file": f"{tmp_path}/goal.npy"}], (0.1,), 0
    )
    results.save(run / "results.npz")
    other = copied(run, tmp_path / "y" / "run")
    for page in (run / "report.html", tmp_path / "two.html"):
        runs = [run] if page.parent == run else [run, other]
        command.succeeds("report", *runs, "--output", page, "--results", run / "results.npz")
        text = page.read_text()
        assert str(tmp_path) not in text
        assert tmp_path.name not in text
        assert "…/goal.npy" in text
        assert tables(page)["Seeds and versions of the runs"][0]["began with"] == "my.yaml"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("/home/me/ant.xml", "…/ant.xml"),
        ("/home/my self/ant.xml", "…/ant.xml"),
        ("~/ant.xml", "…/ant.xml"),
        (r"C:\me\ant.xml", "…/ant.xml"),
        (r"\\host\me\ant.xml", "…/ant.xml"),
        ("model /home/me/ant.xml, mass 1", "model …/ant.xml, mass 1"),
        ("/home/me/code.py:Env", "…/code.py:Env"),
        ("maml-rl://paper/x", "maml-rl://paper/x"),
        ("tasks/here.yaml", "tasks/here.yaml"),
        ("m/s", "m/s"),
        ("1 / 2", "1 / 2"),
    ],
)
def test_paths_keep_their_last_name(text: str, told: str):
    from maml_rl.viz.report.folders import without_folders

    assert without_folders({"a": [text], "b": 1}) == {"a": [told], "b": 1}


def test_names_are_text_and_no_markup(command: Command, tabular_run: Path, tmp_path: Path):
    bad = "</script><script>alert(1)</script>"
    run, page = copied(tabular_run, tmp_path / "run", seed=bad), tmp_path / "a.html"
    command.succeeds("report", run, "--output", page, *FEW)
    assert bad not in page.read_text()
    assert drawn(page)["runs"] == [f"maml-trpo, seed {bad}"]


def test_a_file_is_not_replaced_unless_asked_for(command: Command, tabular_run: Path, tmp_path: Path):
    page = tmp_path / "a.html"
    page.write_text("mine")
    line = command.fails("report", tabular_run, "--output", page)
    assert f"'{page}' exists: choose another --output, or pass --overwrite" in line
    assert page.read_text() == "mine"
    command.succeeds("report", tabular_run, "--output", page, "--overwrite", *FEW)
    assert page.read_text() != "mine"


def test_mistakes_are_a_line_each(command: Command, tabular_run: Path, tmp_path: Path):
    def fails(*arguments: object) -> str:
        line = command.fails("report", *arguments)
        assert not (tmp_path / "a.html").exists()
        return line

    output = ("--output", tmp_path / "a.html")
    assert "name at least one output folder" in fails(*output)
    assert "cannot read the config" in fails(tmp_path / "nothing", *output)
    assert "expected a name that ends in .html" in fails(tabular_run, "--output", tmp_path / "a.pdf")
    assert "num-tasks: expected 0 to 1000, got -1" in fails(tabular_run, *output, "--num-tasks", -1)
    assert "no policy 'paper/nav' ships" in fails("maml-rl://paper/nav", *output)
    (tmp_path / "results.npz").write_text("x")
    assert "holds no results" in fails(tabular_run, *output, "--results", tmp_path / "results.npz")
    bare = tmp_path / "bare"
    bare.mkdir()
    shutil.copy(tabular_run / "config.json", bare)
    assert "has neither metrics.csv nor policy.th" in fails(bare, *output)
    (bare / "metrics.csv").touch()
    assert "has no row: the run has not made a meta-update yet" in fails(bare, *output)


def test_a_policy_without_metrics(command: Command, tabular_run: Path, tmp_path: Path, caplog: Any):
    run = copied(tabular_run, tmp_path / "run")
    (run / "metrics.csv").unlink()
    command.succeeds("report", run, *FEW)
    assert f"'{run}' has no metrics.csv: its learning curves are left out" in caplog.text
    charts = drawn(run / "report.html")["charts"]
    assert charts["learning"] is None
    assert len(charts["adaptation"]["quantities"][0]["lines"]) == 1


def test_metrics_without_a_policy(command: Command, tabular_run: Path, tmp_path: Path):
    run = copied(tabular_run, tmp_path / "run")
    (run / "policy.th").unlink()
    command.succeeds("report", run)
    charts = drawn(run / "report.html")["charts"]
    assert charts["adaptation"] is None
    assert charts["learning"]["x"][0] == [[1.0, 2.0]]


def test_a_policy_that_ships(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    assert (
        command.succeeds("report", "maml-rl://paper/cheetah-dir", "--results", "test.npz") == "report.html\n"
    )
    (row,) = tables(tmp_path / "report.html")["Runs"]
    assert row["environment"] == "HalfCheetahDir-v0"
