"""The training loop."""

import logging
import time
from collections.abc import Iterator

import numpy as np

from maml_rl._system.memory import hand_back_free_memory, keep_freed_memory
from maml_rl.envs import Task
from maml_rl.episode import BatchEpisodes, get_returns, get_successes
from maml_rl.metalearners import MetaState, MetaUpdate
from maml_rl.samplers import Recipe
from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.statistics import standard_error
from maml_rl.training.by_environment import success_by_environment
from maml_rl.training.checkpoints import Progress
from maml_rl.training.hints import hints
from maml_rl.training.metrics import Iteration, Metrics, check_finite_metrics
from maml_rl.training.run import Run

logger = logging.getLogger(__name__)


def train(run: Run, state: MetaState | None = None, done: Progress | None = None) -> Iterator[Iteration]:
    """Meta-train; yield the numbers of each meta-update, and the state that it left, right after it.

    Args:
        state: where to go on from; the run's first state unless given.
        done: what that has behind it already; nothing unless given.

    Raises:
        FloatingPointError: numbers went wrong; the message names the iteration.
        WorkerError: a sampler worker failed.
    """
    state = run.init() if state is None else state
    done = done or Progress()
    keep_freed_memory()
    env_steps = done.env_steps
    for iteration in range(done.iteration, run.config.num_batches):
        try:
            tasks, rounds, update, timings = _iterate(run, state, iteration)
            by_name = success_by_environment(rounds, tasks, run.environments)
            numbers = {**_returns(rounds), **by_name, **update.metrics}
            check_finite_metrics(numbers)
        except FloatingPointError as error:
            raise FloatingPointError(f"meta-update {iteration + 1}: {error}") from None
        batches = [batch for episodes in rounds for batch in episodes]
        state = update.state
        if iteration == 0:
            for hint in hints(run, rounds[0]):
                logger.warning("environment '%s': %s", run.config.env_name, hint)
        steps = sum(batch.num_steps for batch in batches)
        env_steps += steps
        hand_back_free_memory()
        yield Iteration(
            {"iteration": iteration + 1, "env_steps": env_steps, **numbers},
            {"steps_per_second": steps / timings["seconds_sampling"], **timings},
            state,
        )


def _iterate(
    run: Run, state: MetaState, iteration: int
) -> tuple[list[Task], list[list[BatchEpisodes]], MetaUpdate, Metrics]:
    """Make one meta-update; return tasks, episodes after 0, 1, … inner steps, what it did, and timings."""
    sampler = run.sampler
    adapting, restarts = sampler.seconds_adapting, sampler.restarts
    started = time.perf_counter()
    tasks = sampler.sample_tasks(run.config.meta_batch_size, iteration)
    futures = sampler.sample_async(tasks, state.theta, Recipe.of(run.config), iteration)
    arrivals = _arrival_times(futures[-1])
    update = run.update(state, futures)
    updated = time.perf_counter()
    timings = {
        "seconds_sampling": max(arrivals) - started,
        "seconds_adapting": sampler.seconds_adapting - adapting,
        "seconds_waiting": update.seconds_waiting,
        "seconds_updating": updated - max(arrivals),
        "worker_restarts": sampler.restarts - restarts,
    }
    return tasks, sampler.sample_wait(futures), update, timings


def _arrival_times(futures: list[EpisodesFuture]) -> list[float]:
    """Return a list to which each future will add the time of its resolution."""
    times: list[float] = []
    for future in futures:
        future.add_done_callback(lambda _: times.append(time.perf_counter()))
    return times


@np.errstate(over="ignore", invalid="ignore")  # What is not finite is told by its name.
def _returns(rounds: list[list[BatchEpisodes]]) -> dict[str, float]:
    """Return mean and standard error over tasks of the return after 0, 1, … steps, and rates of success."""
    per_task = [get_returns(episodes).mean(-1) for episodes in rounds]
    means = {f"return_{step}": float(x.mean()) for step, x in enumerate(per_task)}
    errors = {f"stderr_{step}": float(standard_error(x)) for step, x in enumerate(per_task)}
    successes = get_successes([batch for episodes in rounds for batch in episodes])
    of_round = [] if successes is None else np.split(successes, len(rounds))
    rates = {f"success_{step}": float(x.mean()) for step, x in enumerate(of_round)}
    return means | errors | rates
