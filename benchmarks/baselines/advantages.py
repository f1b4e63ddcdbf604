"""How good are the advantages of few episodes? Correlations with those over a baseline from many fresh ones.

    python -m benchmarks.baselines.advantages [PROBLEM ...]

For each task the same policy samples K episodes, whose advantages are computed over each baseline fitted to
these K, and over linear-cv fitted to `MANY` other episodes of the task. Policies are the shipped ones, and
the humanoid's is untrained. ``wide`` is no environment: of 300 numbers two tell the reward, in 20 steps.
Prints a table, and writes it to results/advantages.csv.
"""

import argparse
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from benchmarks.baselines.__main__ import HERE
from maml_rl.advantages import Credit, step_weights
from maml_rl.baseline import BASELINES, make_baseline
from maml_rl.config import load_config
from maml_rl.episode import EpisodeData, compute_advantages
from maml_rl.samplers import Recipe
from maml_rl.training import Run, RunSettings
from maml_rl.training.state import load_theta
from maml_rl.zoo import shipped_policies

TASKS, MANY, FEW = 5, 200, (2, 5, 10, 20)
CREDIT = Credit(gamma=0.99)
CONFIGS = HERE.parents[1] / "configs" / "promp"
PROBLEMS = ("navigation", "cheetah-vel", "ant-vel", "humanoid-dir", "wide")


Batches = Iterator[tuple[EpisodeData, list[EpisodeData]]]
"""`MANY` episodes of a task, and K ones for each K of `FEW`."""


def batches(name: str) -> Batches:
    """Yield episodes of tasks of an environment."""
    folder = shipped_policies().get(f"paper/{name}")
    config, _ = load_config(folder / "config.json" if folder else CONFIGS / f"{name}.yaml")
    with Run(config, RunSettings(seed=11, num_workers=2)) as run:
        learner = run.learner
        theta = load_theta(folder / "policy.th", learner.layout) if folder else learner.init().theta
        tasks = run.sampler.sample_tasks(TASKS, 0)

        def sample(episodes: int, iteration: int) -> list[EpisodeData]:
            recipe = replace(Recipe.of(config, ()), episodes=episodes)
            (valid,) = run.sampler.sample(tasks, theta, recipe, iteration)
            return [batch.data for batch in valid]

        many = sample(MANY, 1)
        few = zip(*(sample(episodes, 2) for episodes in FEW), strict=True)
        yield from ((data, list(others)) for data, others in zip(many, few, strict=True))


def wide_batches() -> Batches:
    """Yield the same of random observations, 300 numbers each."""
    rng = np.random.default_rng(11)

    def sample(episodes: int) -> EpisodeData:
        observations = rng.standard_normal((20, episodes, 300))
        noise = 0.3 * rng.standard_normal((20, episodes))
        rewards = observations[..., 0] - 0.5 * observations[..., 1] ** 2 + noise
        states, actions, gains = (torch.from_numpy(x).float() for x in (observations, noise, rewards))
        return EpisodeData(states, actions, gains, torch.full((episodes,), 20))

    yield from ((sample(10 * MANY), [sample(episodes) for episodes in FEW]) for _ in range(TASKS))


def correlation(few: EpisodeData, advantages: Tensor, wanted: Tensor) -> float:
    """Return the correlation over steps, weighted as losses weight them."""
    weights = step_weights(few.lengths, few.rewards.shape[0])

    def product(x: Tensor, y: Tensor) -> Tensor:
        return (weights * x * y).sum()

    scale = (product(advantages, advantages) * product(wanted, wanted)).sqrt()
    return float(product(advantages, wanted) / scale)


def correlations(source: Batches) -> NDArray[np.float64]:
    """Return the mean correlation over tasks, ``[FEW, BASELINES]``."""
    found = []
    for many, fews in source:
        size = many.observations.shape[-1]
        judge = make_baseline("linear-cv", size)
        judge.fit_data(many, CREDIT.gamma)
        for few in fews:
            wanted = compute_advantages(few, judge, CREDIT)
            for name in BASELINES:
                baseline = make_baseline(name, size)
                baseline.fit_data(few, CREDIT.gamma)
                found.append(correlation(few, compute_advantages(few, baseline, CREDIT), wanted))
    return np.reshape(found, (-1, len(FEW), len(BASELINES))).mean(0)


def main() -> None:
    """Measure, print and keep."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("problems", nargs="*", metavar="PROBLEM", help=", ".join(PROBLEMS))
    file = HERE / "results" / "advantages.csv"
    file.parent.mkdir(exist_ok=True)
    head = ",".join(("problem", "episodes", *BASELINES))
    kept = file.read_text(encoding="utf-8").splitlines()[1:] if file.exists() else []
    for problem in parser.parse_args().problems or PROBLEMS:
        rows = correlations(wide_batches() if problem == "wide" else batches(problem))
        lines = [
            ",".join((problem, str(episodes), *(f"{x:.2f}" for x in row)))
            for episodes, row in zip(FEW, rows, strict=True)
        ]
        print("\n".join(lines), flush=True)
        kept = [line for line in kept if not line.startswith(f"{problem},")] + lines
        file.write_text("\n".join([head, *kept]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
