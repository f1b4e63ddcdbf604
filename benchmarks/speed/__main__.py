"""Measure everything, or the rows that are named: ``python -m benchmarks.speed [NUMBER ...]``."""

import argparse
from collections.abc import Callable
from functools import partial

from benchmarks.speed import growth, iterating, policies, proximal, remembering, report, sampling, updating
from benchmarks.speed.measure import REPETITIONS, Row
from benchmarks.speed.sampling import shipped
from maml_rl.config import Config


def fewer(name: str, tasks: int, **env_kwargs: object) -> Config:
    """Return a shipped config with fewer tasks, an item for each worker: its physics takes long."""
    changes = {"meta_batch_size": tasks, "tasks_per_item": tasks // sampling.WORKERS}
    return shipped(name, **env_kwargs).model_copy(update=changes)


def humanoid(name: str, baseline: str = "none", **env_kwargs: object) -> Config:
    """Return the shipped config with another baseline: fits of its own take half as long as the physics."""
    return shipped(name, **env_kwargs).model_copy(update={"baseline": baseline})


def robots() -> dict[str, Callable[[], Row]]:
    """Return the measurements of sampling the robots, by number."""
    no_baseline = ", no baseline"
    cases: dict[str, tuple[Config, float, str, int]] = {
        "1": (shipped("maml/halfcheetah-vel"), 0.85, "", REPETITIONS),
        "2a": (fewer("maml/ant-vel", 20, contact_forces=False), 0.92, ", no contact forces", 9),
        "2b": (fewer("maml/ant-vel", 10), 0.75, ", contact forces", REPETITIONS),
        "2c": (shipped("promp/humanoid-dir-2d"), 0.85, "", REPETITIONS),
        "2d": (shipped("promp/walker2d-dir"), 0.85, "", REPETITIONS),
        "2e": (shipped("promp/hopper-rand-params"), 0.85, "", 21),
        "2f": (humanoid("promp/humanoid-dir-2d"), 0.85, no_baseline, 21),
        "2g": (
            humanoid("promp/humanoid-dir-2d", contact_forces=False),
            0.85,
            f"{no_baseline}, no contact forces",
            REPETITIONS,
        ),
        "2h": (humanoid("promp/humanoid-dir"), 0.85, no_baseline, 41),
        "2i": (fewer("promp/ant-goal", 10), 0.85, "", REPETITIONS),
        "2j": (fewer("promp/ant-dir-2d", 10), 0.85, "", REPETITIONS),
        "2k": (shipped("promp/swimmer-vel"), 0.85, "", REPETITIONS),
        "2l": (shipped("promp/walker2d-vel"), 0.85, "", REPETITIONS),
        "2m": (shipped("promp/walker2d-rand-params"), 0.85, "", REPETITIONS),
        "2n": (humanoid("promp/humanoid-dir-2d", "linear"), 0.85, ", linear baseline", REPETITIONS),
    }
    return {number: partial(sampling.against_physics, number, *case) for number, case in cases.items()}


def many_mdp_episodes() -> Config:
    """Return the shipped config with as many episodes of each task as the bandits have pulls."""
    return shipped("maml/tabular-mdp").model_copy(update={"fast_batch_size": 500})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "numbers", nargs="*", metavar="NUMBER", help="rows of the table; all if none is named"
    )
    numbers = parser.parse_args().numbers
    points: list[dict[str, float]] = []

    def growing() -> list[Row]:
        rows, measured = growth.growth("8", bar=0.15)
        points.extend(measured)
        return rows

    measurements: dict[str, Callable[[], Row | list[Row]]] = {
        **robots(),
        "3": lambda: sampling.alone("3", shipped("maml/2d-navigation"), bar=1e6),
        "4a": lambda: sampling.alone("4a", shipped("maml/tabular-mdp"), bar=5e5),
        "4b": lambda: sampling.alone(
            "4b", shipped("maml/bandit/bandit-k50-n500"), bar=5e5, note=", 500 pulls"
        ),
        "4c": lambda: sampling.alone("4c", many_mdp_episodes(), bar=5e5, note=", 500 episodes"),
        "5": lambda: updating.against_plain("5", num_steps=1, bar=0.40),
        "6": lambda: updating.against_plain("6", num_steps=2, bar=0.45),
        "7": lambda: iterating.against_parts("7", bar=1.25),
        "8": growing,
        "9": lambda: iterating.help_time("9", bar=0.5),
        "10": lambda: iterating.first_iteration("10", bar=8.0),
        "11": lambda: policies.generic_over_closed_form("11", bar=2.5),
        "12": lambda: proximal.against_double_backward("12", bar=1.38),
        "13": lambda: remembering.recurrent_over_feed_forward("13", bar=0.2),
        "14": lambda: iterating.ray_over_processes("14", bar=1.10),
    }
    if unknown := set(numbers) - set(measurements):
        parser.error(f"unknown: {', '.join(sorted(unknown))}; expected some of {', '.join(measurements)}")
    rows: list[Row] = []
    for number in numbers or measurements:
        answer = measurements[number]()
        measured = answer if isinstance(answer, list) else [answer]
        for row in measured:
            print(f"{row.number}: {row.value:.3g} {row.unit}", flush=True)
        rows += measured
    report.show(rows)
    report.write(rows, points)


if __name__ == "__main__":
    main()
