"""The parts of a report's page."""

import json
import urllib.parse
from collections.abc import Mapping, Sequence
from typing import Any

from maml_rl.config import Config
from maml_rl.errors import printable
from maml_rl.evaluation import AdaptationResults
from maml_rl.evaluation.task_arrays import task_text
from maml_rl.training.groups import differing_keys
from maml_rl.viz.adaptation_video import describe
from maml_rl.viz.learning_curve import last_step
from maml_rl.viz.report.adapting import Adapted
from maml_rl.viz.report.elements import Child, Element, element, number, paragraph, section, table
from maml_rl.viz.report.folders import file_name, without_folders
from maml_rl.viz.report.paths import paths_panels
from maml_rl.viz.report.runs import ReportedRun

Runs = Sequence[ReportedRun]


def summary(runs: Runs) -> Element:
    """Return the part that says what the runs are and how far they have come."""
    head = ("run", "method", "environment", "meta-updates", "env steps", "first return", "last return")
    rows: list[list[Child]] = [
        [run.label, run.config.metalearner, run.config.env_name, _state(run), *_training(run)] for run in runs
    ]
    note = "Returns are those after adaptation of the first and of the last training batch."
    return section("Runs", "runs", table("Runs", head, rows), paragraph(note, "note"))


def _state(run: ReportedRun) -> Element:
    made, wanted = run.meta_updates, run.config.num_batches
    if made is None:
        return element("td", "not recorded")
    if run.is_unfinished:
        return element("td", element("strong", "unfinished"), f": {made:,} of {wanted:,}", class_="warning")
    return element("td", f"{made:,} of {wanted:,}")


def _training(run: ReportedRun) -> list[Element]:
    if run.metrics is None:
        return [number(None)] * 3
    steps = run.metrics["env_steps"][-1]
    returns = run.metrics[f"return_{last_step(run.metrics)}"]
    return [number(steps, f"{steps:,.0f}"), number(returns[0]), number(returns[-1])]


def learning(chart: Mapping[str, Any] | None) -> Element:
    """Return the part with the learning curves."""
    if chart is None:
        return section("Learning curves", "learning", paragraph("No metrics were kept.", "note"))
    return section("Learning curves", "learning", place_of_chart("learning"))


def place_of_chart(name: str) -> Element:
    """Return where the page's script draws the chart of that name."""
    without = paragraph("The chart needs JavaScript; the numbers stand in the tables without it.", "note")
    return element("div", without, class_="chart", data_chart=name)


def adaptation(runs: Runs, adapted: Sequence[Adapted]) -> Element:
    """Return the part with the returns after 0, 1, … adaptation steps, as a chart and in numbers."""
    if not any(found.results for found in adapted):
        note = "None was tested. 'maml-rl test --output' in the folder of a run tests its policy."
        return section("Adaptation", "adaptation", paragraph(note, "note"))
    succeeding = any(found.results and found.results.successes is not None for found in adapted)
    rows = [
        row
        for run, found in zip(runs, adapted, strict=True)
        for row in _adaptation_rows(run.label, found.results, succeeding)
    ]
    head = ["run", "steps", "step size", "mean return", "s.e.", "95 % interval", "IQM"]
    numbers = table("Returns by adaptation steps", head + ["success"] * succeeding, rows)
    tests = [paragraph(_test(run.label, found), "note") for run, found in zip(runs, adapted, strict=True)]
    about = (
        "Intervals are 95 % bootstrap intervals over tasks; s.e. is the standard error over tasks; "
        "IQM is the mean of the middle half of the tasks."
    )
    return section(
        "Adaptation", "adaptation", place_of_chart("adaptation"), numbers, paragraph(about, "note"), *tests
    )


def _adaptation_rows(label: str, results: AdaptationResults | None, succeeding: bool) -> list[list[Child]]:
    rows: list[list[Child]] = []
    for row in [] if results is None else results.summary():
        low, high = row.interval
        interval = f"{low:,.2f} … {high:,.2f}".replace("-", "−")
        cells: list[Child] = [
            label,
            number(row.gradient_steps, str(row.gradient_steps)),
            number(row.step_size, f"{row.step_size or 0:g}"),
            number(row.mean),
            number(row.standard_error),
            element("td", interval, class_="number"),
            number(row.interquartile_mean),
        ]
        if succeeding:
            cells.append(number(row.success, f"{row.success or 0:.1%}"))
        rows.append(cells)
    return rows


def _test(label: str, found: Adapted) -> str:
    if found.results is None:
        return f"{label}: not tested."
    _, tasks, episodes = found.results.returns.shape
    source = f"from {found.file}" if found.file else "tested for this report"
    return f"{label}: {tasks} tasks, {episodes} episodes each, test seed {found.results.seed}; {source}."


def tasks(runs: Runs, adapted: Sequence[Adapted]) -> Element | None:
    """Return the part with a row for each task; None if nothing was tested."""
    tested = [(run, found.results) for run, found in zip(runs, adapted, strict=True) if found.results]
    if not tested:
        return None
    most = max(len(results.returns) for _, results in tested)
    rounds = [" / ".join(dict.fromkeys(run.round_name(step) for run, _ in tested)) for step in range(most)]
    head = ["run", "no.", "task", *rounds, "gain"]
    rows = [row for run, results in tested for row in _task_rows(run.label, results, most)]
    note = (
        "Mean return over each task's episodes. Gain is the last of a row's returns less the first. "
        "The headings sort."
    )
    body = table("Returns by task", head, rows, "sortable")
    return section("Tasks", "tasks", paragraph(note, "note"), body)


def _task_rows(label: str, results: AdaptationResults, most: int) -> list[list[Child]]:
    means = results.returns.mean(2)
    return [
        [
            label,
            number(index, str(index)),
            element("td", printable(without_folders(describe(task)))),
            *(number(float(value)) for value in means[:, index]),
            *[number(None)] * (most - len(means)),
            number(float(means[-1, index] - means[0, index])),
        ]
        for index, task in enumerate(results.tasks)
    ]


def pictures(runs: Runs, adapted: Sequence[Adapted]) -> Element | None:
    """Return the part with paths and films; None if there are none."""
    parts = []
    for run, found in zip(runs, adapted, strict=True):
        heading = element("h3", run.label)
        if found.paths:
            parts += [heading, paths_panels(found.paths, run.label)]
        if found.video:
            parts += [element("h3", f"{run.label}, filmed"), _film(found.video, run.label)]
    return section("What it looks like", "pictures", *parts) if parts else None


def _film(address: str, label: str) -> Element:
    if address.startswith("data:image"):
        return element("img", src=address, alt=f"{label} before adaptation and after each step")
    return element("video", src=address, controls="", loop="", muted="", playsinline="", aria_label=label)


def config(runs: Runs) -> Element:
    """Return the part with the configs: first what differs between the runs, then all keys."""
    values = [without_folders(run.config.to_dict()) for run in runs]
    keys = list(dict.fromkeys(key for entries in values for key in entries))
    parts: list[Element] = []
    if len(runs) > 1:
        shared = set(differing_keys([run.config for run in runs]))
        # Keys that some methods lack differ too.
        different = [key for key in keys if key in shared or any(key not in entries for entries in values)]
        if different:
            parts.append(_config_table("What differs between the runs", runs, values, different))
        else:
            parts.append(paragraph("The runs have the same config.", "note"))
        parts.insert(0, element("h3", "What differs"))
    every = _config_table("All keys of the config", runs, values, keys)
    note = "Bold is what is not the default."
    parts.append(
        element(
            "details",
            element("summary", "All keys"),
            paragraph(note, "note"),
            every,
            open="" if len(runs) == 1 else None,
        )
    )
    return section("Config", "config", *parts)


def _config_table(
    label: str, runs: Runs, values: Sequence[Mapping[str, Any]], keys: Sequence[str]
) -> Element:
    rows = [
        [
            element("code", key),
            *(_value(run.config, entries, key) for run, entries in zip(runs, values, strict=True)),
        ]
        for key in keys
    ]
    return table(label, ["key", *(run.label for run in runs)], rows, "config")


def _value(config: Config, entries: Mapping[str, Any], key: str) -> Element:
    if key not in entries:
        return element("td", "–")
    field = type(config).model_fields[key.replace("-", "_")]
    text = printable(task_text(entries[key]))
    is_default = not field.is_required() and getattr(config, key.replace("-", "_")) == field.get_default()
    return element("td", element("code" if is_default else "b", text))


def origin(runs: Runs, made: Mapping[str, str]) -> Element:
    """Return the part with seeds and versions, of the runs and of the report.

    Args:
        made: when, and with which versions, the report was.
    """
    head = ("run", "seed", "maml_rl", "device", "workers", "began with", "config")
    rows: list[list[Child]] = [
        [
            run.label,
            *(
                printable(str(run.execution.get(key, "–")))
                for key in ("seed", "version", "device", "num-workers")
            ),
            printable(file_name(str(run.execution.get("config") or "")) or "–"),
            _download(run),
        ]
        for run in runs
    ]
    note = (
        "A run is repeated by 'maml-rl train --config FILE --seed SEED --output-folder FOLDER' with the file "
        "in the last column. The number of workers changes no result."
    )
    versions = ", ".join(f"{name} {version}" for name, version in made.items())
    return section(
        "Seeds and versions",
        "origin",
        table("Seeds and versions of the runs", head, rows),
        paragraph(note, "note"),
        paragraph(f"This report: {versions}.", "note"),
    )


def _download(run: ReportedRun) -> Element:
    text = json.dumps(without_folders(run.config.to_dict()), indent=2)
    address = f"data:application/json,{urllib.parse.quote(text)}"
    return element("td", element("a", "config.json", href=address, download="config.json"))
