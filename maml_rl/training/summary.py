"""A run in words, from its folder."""

from pathlib import Path

import numpy as np

from maml_rl.config import load_config
from maml_rl.metalearners.columns import ACCEPTED
from maml_rl.training.checkpoints import BEST, numbered
from maml_rl.training.folder import CHECKPOINTS, CONFIG, METRICS, TIMINGS
from maml_rl.training.tables import Columns, read_columns

Section = dict[str, str]


def summarise(folder: Path) -> dict[str, Section]:
    """Return titled sections of named values.

    Raises:
        UsageError: the folder holds no run, or one without a meta-update yet.
    """
    config, execution = load_config(folder / CONFIG)
    returns = [f"return_{step}" for step in (0, config.num_steps)]
    metrics = read_columns(folder / METRICS, ("iteration", "env_steps", *returns))
    timed = (folder / TIMINGS).exists()  # Runs that ship are without.
    best = [BEST] if (folder / CHECKPOINTS / f"{BEST}.json").exists() else []
    checkpoints = [*(path.stem for path in numbered(folder / CHECKPOINTS)), *best]
    settings = {**config.to_dict(), **execution}
    return {
        "config": {key: str(value) for key, value in settings.items()},
        "progress": {
            "meta-updates": f"{metrics['iteration'][-1]:.0f} of {config.num_batches}",
            "env steps": f"{metrics['env_steps'][-1]:,.0f}",
            **({"rejected steps": f"{(metrics[ACCEPTED] == 0).sum()}"} if ACCEPTED in metrics else {}),
            "checkpoints": ", ".join(checkpoints) or "none",
        },
        "returns of training batches": _returns(metrics, config.num_steps),
        **({"wall time": _times(folder / TIMINGS)} if timed else {}),
    }


def _returns(metrics: Columns, num_steps: int) -> Section:
    after = metrics[f"return_{num_steps}"]
    best = int(np.argmax(after))

    def at(row: int) -> str:
        return f"{metrics['return_0'][row]:.2f} before, {after[row]:.2f} after adaptation"

    return {
        "first": at(0),
        "last": at(-1),
        "best": f"{at(best)}, at meta-update {metrics['iteration'][best]:.0f}",
    }


def _times(path: Path) -> Section:
    timings = read_columns(path, ("iteration", "seconds_sampling", "seconds_updating"))
    sampling, updating = timings["seconds_sampling"].sum(), timings["seconds_updating"].sum()
    total = sampling + updating
    median = float(np.median(timings["seconds_sampling"] + timings["seconds_updating"]))
    return {
        "together": f"{total:,.0f} s in {len(timings['iteration'])} meta-updates",
        "sampling": f"{sampling:,.0f} s, {sampling / total:.0%}",
        "updating": f"{updating:,.0f} s, {updating / total:.0%}",
        "an iteration": f"{median:.2f} s (median)",
    }
