"""How good are the advantages of few episodes? Correlations with those over a baseline from many fresh ones.

    python -m benchmarks.baselines.advantages

For each task the same policy samples K episodes, whose advantages are computed over each baseline fitted to
these K, and over linear-cv fitted to `MANY` other episodes of the task. Policies are the
shipped ones. ``wide`` is no environment: of 300 numbers two tell the reward, in 20 steps. Prints a table, and
writes it to results/advantages.csv.
"""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch
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


def batches(name: str) -> Iterator[tuple[int, EpisodeData, EpisodeData]]:
    """Yield K, K episodes and `MANY` episodes of the same task and policy, for each task and K."""
    folder = shipped_policies()[f"paper/{name}"]
    config, _ = load_config(folder / "config.json")
    with Run(config, RunSettings(seed=11, num_workers=2)) as run:
        theta = load_theta(folder / "policy.th", run.learner.layout)
        tasks = run.sampler.sample_tasks(TASKS, 0)
        recipe = Recipe.of(config, ())
        (many,) = run.sampler.sample(tasks, theta, replace(recipe, episodes=MANY), 1)
        for episodes in FEW:
            (few,) = run.sampler.sample(tasks, theta, replace(recipe, episodes=episodes), 2)
            yield from ((episodes, x.data, y.data) for x, y in zip(few, many, strict=True))


def wide_batches() -> Iterator[tuple[int, EpisodeData, EpisodeData]]:
    """Yield the same of random observations, 300 numbers each."""
    rng = np.random.default_rng(11)

    def sample(episodes: int) -> EpisodeData:
        observations = rng.standard_normal((20, episodes, 300))
        noise = 0.3 * rng.standard_normal((20, episodes))
        rewards = observations[..., 0] - 0.5 * observations[..., 1] ** 2 + noise
        numbers = (torch.from_numpy(x).float() for x in (observations, noise, rewards))
        return EpisodeData(*numbers, torch.full((episodes,), 20))

    for _ in range(TASKS):
        many = sample(10 * MANY)
        yield from ((episodes, sample(episodes), many) for episodes in FEW)


def correlation(few: EpisodeData, advantages: Tensor, wanted: Tensor) -> float:
    """Return the correlation over steps, weighted as losses weight them."""
    weights = step_weights(few.lengths, few.rewards.shape[0])

    def product(x: Tensor, y: Tensor) -> Tensor:
        return (weights * x * y).sum()

    scale = (product(advantages, advantages) * product(wanted, wanted)).sqrt()
    return float(product(advantages, wanted) / scale)


def main() -> None:
    """Measure, print and keep."""
    lines = ["problem,episodes," + ",".join(BASELINES)]
    print(lines[0])
    sources = {name: batches(name) for name in ("navigation", "cheetah-vel", "ant-vel")}
    for problem, source in {**sources, "wide": wide_batches()}.items():
        found: dict[int, list[list[float]]] = {}
        for episodes, few, many in source:
            size = few.observations.shape[-1]
            judge = make_baseline("linear-cv", size)
            judge.fit_data(many, CREDIT.gamma)
            wanted = compute_advantages(few, judge, CREDIT)
            row = []
            for name in BASELINES:
                baseline = make_baseline(name, size)
                baseline.fit_data(few, CREDIT.gamma)
                row.append(correlation(few, compute_advantages(few, baseline, CREDIT), wanted))
            found.setdefault(episodes, []).append(row)
        for episodes, rows in found.items():
            means = ",".join(f"{mean:.2f}" for mean in np.mean(rows, axis=0))
            lines.append(f"{problem},{episodes},{means}")
            print(lines[-1], flush=True)
    (HERE / "results").mkdir(exist_ok=True)
    (HERE / "results" / "advantages.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
