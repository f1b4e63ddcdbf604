from pathlib import Path

import numpy as np

from maml_rl.config import parse_config
from maml_rl.evaluation import AdaptationResults
from maml_rl.viz.report.adapting import Adapted
from maml_rl.viz.report.charts import adaptation_chart, learning_chart
from maml_rl.viz.report.elements import document, element, number
from maml_rl.viz.report.runs import ReportedRun
from maml_rl.viz.report.sections import tasks


def run(metrics: dict[str, list[float]] | None) -> ReportedRun:
    columns = None if metrics is None else {name: np.array(values) for name, values in metrics.items()}
    config = parse_config({"env-name": "2DNavigation-v0"}, "test")
    return ReportedRun("a run", Path("x"), config, {}, columns)


def test_what_is_not_known_is_none_and_what_is_not_there_has_no_line():
    known = {
        "iteration": [1.0, 2.0],
        "env_steps": [10.0, 20.0],
        "return_0": [-1.0, -2.0],
        "return_1": [3.0, 4.0],
        "stderr_0": [np.nan, 0.5],
        "stderr_1": [np.nan, 0.25],
        "success_0": [0.0, 1 / 3],
        "success_1": [0.5, np.nan],
        "success_0_reach-v3": [0.0, 1.0],
        "kl": [0.01, np.nan],
    }
    chart = learning_chart([run(None), run(known)])
    assert chart is not None
    assert chart["x"] == [[[], [1.0, 2.0]], [[], [10.0, 20.0]]]
    returns, success, reach, kl = chart["quantities"]
    labels = [quantity["label"] for quantity in chart["quantities"]]
    assert labels == ["return", "success", "success_0_reach-v3", "kl"]
    lines = [line for quantity in chart["quantities"] for line in quantity["lines"]]
    assert {line["run"] for line in lines} == {1}
    assert [line["y"] for line in returns["lines"]] == [[-1.0, -2.0], [3.0, 4.0]]
    assert [line["low"] for line in returns["lines"]] == [[None, -2.5], [None, 3.75]]
    assert [line["high"] for line in returns["lines"]] == [[None, -1.5], [None, 4.25]]
    assert [(line["y"], line["low"]) for line in success["lines"]] == [
        ([0.0, 0.333333], None),
        ([0.5, None], None),
    ]
    assert reach["note"] == ""
    assert kl["note"].startswith("kl, in nats: KL(old ‖ new)")
    assert learning_chart([run(None)]) is None


def test_runs_that_were_not_tested_have_no_adaptation():
    returns = np.arange(12, dtype=np.float32).reshape(3, 2, 2)
    chart = adaptation_chart({2: AdaptationResults(returns, [{}, {}], (0.1, 0.1), 0)})
    assert chart is not None
    assert chart["x"] == [[[], [], [0, 1, 2]]]
    ((line,),) = (quantity["lines"] for quantity in chart["quantities"])
    assert (line["run"], line["y"]) == (2, [1.5, 5.5, 9.5])
    assert (line["low"], line["high"]) == ([0.5, 4.5, 8.5], [2.5, 6.5, 10.5])
    assert adaptation_chart({}) is None


def test_the_rounds_of_a_trial_are_called_episodes_in_the_table_of_tasks():
    memory = run({"iteration": [1.0], "return_0": [0.0], "trial_return": [0.0]})
    adapted = Adapted(AdaptationResults(np.zeros((2, 1, 1), np.float32), [{}], (0.0,), 0))
    for runs, names in (
        ([memory], ["episode 1 of a trial", "episode 2 of a trial"]),
        (
            [run(None), memory],
            ["before adaptation / episode 1 of a trial", "after 1 step / episode 2 of a trial"],
        ),
    ):
        table = tasks(runs, [adapted] * len(runs))
        assert table is not None
        assert [heading.text for heading in table.iter("th")][3:5] == names


def test_texts_in_elements_are_no_markup():
    page = document(element("p", "a < b", element("b", "&"), "c", None, title='"x"', class_="y"))
    assert page == '<!DOCTYPE html>\n<p title="&quot;x&quot;" class="y">a &lt; b<b>&amp;</b>c</p>\n'


def test_cells_hold_their_number_for_sorting():
    cell = number(-1234.567)
    assert (cell.text, cell.get("data-value")) == ("−1,234.57", "-1234.567")
    assert number(float("nan")).get("data-value") is None
