"""One point of the growth curve: seconds per iteration and peak memory with so many tasks.

python -m benchmarks.speed.growth TASKS [--rebuild]
"""

import argparse
import json
from pathlib import Path
from statistics import median

from benchmarks.speed.measure import REPETITIONS, take_turns
from benchmarks.speed.sampling import WORKERS, shipped
from maml_rl.training import Run, RunSettings, train

EPISODES = 10
"""Per task: half of the shipped ones, for the sake of time."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("tasks", type=int)
    parser.add_argument("--rebuild", action="store_true")
    arguments = parser.parse_args()
    config = shipped("2d-navigation").model_copy(
        update={
            "meta_batch_size": arguments.tasks,
            "fast_batch_size": EPISODES,
            "num_batches": 100,
            "tasks_per_item": 5,
        }
    )
    settings = RunSettings(seed=1, num_workers=WORKERS, rebuild_graphs=arguments.rebuild)
    with Run(config, settings) as run:
        iterations = train(run)
        (times,) = take_turns(lambda: next(iterations), repetitions=1 if arguments.rebuild else REPETITIONS)
    print(json.dumps({"seconds": median(times), "megabytes": peak_megabytes()}))


def peak_megabytes() -> float:
    """Return the most memory that this process held (Linux; ``ru_maxrss`` would count the parent's too)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


if __name__ == "__main__":
    main()
