"""Measure everything, or the rows that are named: ``python -m benchmarks.speed [NUMBER ...]``."""

import argparse
from collections.abc import Callable

from benchmarks.speed import growth, iterating, policies, proximal, remembering, report, sampling, updating
from benchmarks.speed.measure import Row
from benchmarks.speed.sampling import shipped
from maml_rl.config import Config


def ant(tasks: int, **env_kwargs: object) -> Config:
    """Return the shipped config with fewer tasks, an item for each worker: its physics takes long."""
    changes = {"meta_batch_size": tasks, "tasks_per_item": tasks // sampling.WORKERS}
    return shipped("maml/ant-vel", **env_kwargs).model_copy(update=changes)


def humanoid(**env_kwargs: object) -> Config:
    """Return the shipped config without a baseline, whose fits take half as long as the physics."""
    return shipped("promp/humanoid-dir-2d", **env_kwargs).model_copy(update={"baseline": "none"})


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
        "1": lambda: sampling.against_physics("1", shipped("maml/halfcheetah-vel"), bar=0.85),
        "2a": lambda: sampling.against_physics(
            "2a", ant(20, contact_forces=False), 0.92, ", no contact forces", repetitions=9
        ),
        "2b": lambda: sampling.against_physics("2b", ant(10), 0.75, ", contact forces"),
        "2c": lambda: sampling.against_physics("2c", shipped("promp/humanoid-dir-2d"), bar=0.85),
        "2d": lambda: sampling.against_physics("2d", shipped("promp/walker2d-dir"), bar=0.85),
        "2e": lambda: sampling.against_physics(
            "2e", shipped("promp/hopper-rand-params"), bar=0.85, repetitions=21
        ),
        "2f": lambda: sampling.against_physics("2f", humanoid(), 0.85, ", no baseline", repetitions=11),
        "2g": lambda: sampling.against_physics(
            "2g", humanoid(contact_forces=False), 0.85, ", no baseline, no contact forces"
        ),
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
