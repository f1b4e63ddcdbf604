"""Env steps per second of `Sampler.sample`, inner adaptation included."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median

from benchmarks.speed.measure import Row, against, take_turns
from benchmarks.speed.physics import OpenLoop
from maml_rl.config import Config, load_config
from maml_rl.episode import BatchEpisodes
from maml_rl.samplers import Recipe
from maml_rl.training import Run, RunSettings

CONFIGS = Path(__file__).parents[2] / "configs"
WORKERS = 2


def shipped(name: str, **env_kwargs: object) -> Config:
    """Return a shipped config, with other arguments for its environment."""
    config, _ = load_config(CONFIGS / f"{name}.yaml")
    return config.model_copy(update={"env_kwargs": {**config.env_kwargs, **env_kwargs}})


class Sampling:
    """Samples a config's meta-batch, both phases; counts the steps."""

    def __init__(self, run: Run):
        self._run, self._calls = run, 0
        self._theta, self._recipe = run.learner.init().theta, Recipe.of(run.config)
        self.tasks = run.sampler.sample_tasks(run.config.meta_batch_size, iteration=0)
        self.env_steps: list[int] = []

    def __call__(self) -> None:
        self.env_steps.append(num_steps(self.episodes()))

    def episodes(self) -> list[list[BatchEpisodes]]:
        """Return new ones at each call, ``[round][task]``."""
        rounds = self._run.sampler.sample(self.tasks, self._theta, self._recipe, self._calls)
        self._calls += 1
        return rounds


def num_steps(rounds: list[list[BatchEpisodes]]) -> int:
    return sum(batch.num_steps for episodes in rounds for batch in episodes)


@contextmanager
def sampling(config: Config) -> Iterator[Sampling]:
    with Run(config, RunSettings(seed=1, num_workers=WORKERS)) as run:
        yield Sampling(run)


def against_physics(number: str, config: Config, bar: float, note: str, repetitions: int) -> Row:
    """Compare with the open loop on as many threads as there are workers."""
    with sampling(config) as sample:
        open_loop = OpenLoop(config, sample.tasks, sample.episodes(), WORKERS)
        open_loop()
        pairs = against(sample, open_loop, repetitions)
    rates = [n / ours for n, (ours, _) in zip(sample.env_steps, pairs, strict=True)]
    limits = [open_loop.env_steps / physics for _, physics in pairs]
    return Row(
        number,
        f"{config.env_name}{note}: sampling over open-loop physics, env steps/s",
        "ratio",
        tuple(rate / limit for rate, limit in zip(rates, limits, strict=True)),
        bar,
        at_least=True,
        detail=f"{median(rates):,.0f} of {median(limits):,.0f} env steps/s",
    )


def alone(number: str, config: Config, bar: float, note: str = "") -> Row:
    with sampling(config) as sample:
        (times,) = take_turns(sample, repetitions=21)  # Milliseconds each.
        rates = [n / t for n, t in zip(sample.env_steps[1:], times, strict=True)]
    return Row(number, f"{config.env_name}{note}: sampling", "env steps/s", tuple(rates), bar, at_least=True)
