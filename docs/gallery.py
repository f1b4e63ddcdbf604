"""The gallery of policies that ship: what its page shows of each, and their reports."""

import functools
from typing import Any

from mkdocs.structure.files import File, Files

from maml_rl.viz.report.adapting import Adapted, ReportSettings, adapt
from maml_rl.viz.report.page import report_page
from maml_rl.viz.report.runs import ReportedRun, read_runs
from maml_rl.zoo import shipped_policies

SETTINGS = ReportSettings(results="test.npz")
FOLDER = "gallery"
TEXTS = {
    "en": {
        "about": "{method} on `{env}`: {updates} meta-updates of {tasks} tasks, {episodes} episodes each.",
        "film": "an episode before adaptation and after a step, side by side",
        "columns": ("adaptation steps", "mean return", "95 % interval"),
        "tested": "{tasks} unseen tasks, {episodes} episodes each.",
        "report": "Its report",
    },
    "zh": {
        "about": "{method}，环境 `{env}`：{updates} 次元更新，每次 {tasks} 个任务，每个 {episodes} 个回合。",
        "film": "同一任务的一个回合：适应之前与一步之后",
        "columns": ("适应步数", "平均回报", "95 % 区间"),
        "tested": "{tasks} 个没见过的任务，每个 {episodes} 个回合。",
        "report": "它的报告",
    },
}


@functools.cache
def _shown() -> dict[str, tuple[ReportedRun, Adapted]]:
    """Return the policies that ship and how they adapt, by name."""
    runs = {name: read_runs([folder])[0] for name, folder in shipped_policies().items()}
    return {name: (run, adapt(run, SETTINGS)) for name, run in runs.items()}


@functools.cache
def _reports() -> dict[str, str]:
    return {name: report_page([run], [adapted]) for name, (run, adapted) in _shown().items()}


def add_reports(files: Files, config: Any) -> None:
    """Add the report of each policy to the site's files."""
    for name, page in _reports().items():
        files.append(File.generated(config, f"{_stem(name)}.html", content=page))


def gallery(language: str, files: Files) -> str:
    """Return what the page shows of each policy, as Markdown."""
    return "\n".join(_entry(name, TEXTS[language], files) for name in _shown())


def _entry(name: str, texts: dict[str, Any], files: Files) -> str:
    run, adapted = _shown()[name]
    config, results = run.config, adapted.results
    assert results is not None
    about = texts["about"].format(
        method=config.metalearner,
        env=config.env_name,
        updates=config.num_batches,
        tasks=config.meta_batch_size,
        episodes=config.fast_batch_size,
    )
    film = f"{_stem(name)}.mp4"
    rows = [texts["columns"], ("---",) * 3]
    for row in results.summary():
        low, high = row.interval
        rows.append((row.gradient_steps, f"{row.mean:.2f}", f"{low:.2f} … {high:.2f}"))
    table = (
        "\n".join(f"| {' | '.join(map(str, row))} |" for row in rows).replace("-", "−").replace("−−−", "---")
    )
    _, tasks, episodes = results.returns.shape
    parts = [
        f"## {name}",
        about,
        f"![{texts['film']}]({film})" if files.get_file_from_path(film) else "",
        table,
        texts["tested"].format(tasks=tasks, episodes=episodes),
        f"[{texts['report']}]({_stem(name)}.html){{target=_blank}} · `maml-rl://{name}`",
    ]
    return "\n\n".join(filter(None, parts)) + "\n"


def _stem(name: str) -> str:
    return f"{FOLDER}/{name.replace('/', '-')}"
