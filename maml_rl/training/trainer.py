"""The training loop."""

import time
from collections.abc import Iterator

from maml_rl.episode import BatchEpisodes, get_returns
from maml_rl.intervals import standard_error
from maml_rl.memory import hand_back_free_memory, keep_freed_memory
from maml_rl.metalearners import MAMLTRPO, StepResult
from maml_rl.samplers.futures import EpisodesFuture
from maml_rl.training.checkpoints import Progress
from maml_rl.training.metrics import Iteration, Metrics
from maml_rl.training.run import Run


def train(run: Run, done: Progress | None = None) -> Iterator[Iteration]:
    """Meta-train ``run.policy``; yield the numbers of each meta-update right after it.

    Args:
        done: what the policy has behind it already; nothing unless given.

    Raises:
        FloatingPointError: numbers went wrong; the message names the iteration.
        WorkerError: a sampler worker failed.
    """
    config = run.config
    metalearner = MAMLTRPO(
        run.policy,
        config.fast_lr,
        config.first_order,
        run.device,
        rebuild=run.settings.rebuild_graphs,
    )
    done = done or Progress()
    keep_freed_memory()
    env_steps = done.env_steps
    for iteration in range(done.iteration, config.num_batches):
        try:
            rounds, metrics, timings = _iterate(run, metalearner, iteration)
        except FloatingPointError as error:
            raise FloatingPointError(f"meta-update {iteration + 1}: {error}") from None
        steps = sum(batch.num_steps for episodes in rounds for batch in episodes)
        env_steps += steps
        hand_back_free_memory()
        yield Iteration(
            {"iteration": iteration + 1, "env_steps": env_steps, **_returns(rounds), **metrics},
            {"steps_per_second": steps / timings["seconds_sampling"], **timings},
        )


def _iterate(
    run: Run, metalearner: MAMLTRPO, iteration: int
) -> tuple[list[list[BatchEpisodes]], Metrics, Metrics]:
    """Make one meta-update; return the episodes after 0, 1, … inner steps, its metrics and timings."""
    config, sampler = run.config, run.sampler
    adapting, restarts = sampler.seconds_adapting, sampler.restarts
    started = time.perf_counter()
    tasks = sampler.sample_tasks(config.meta_batch_size, iteration=iteration)
    futures = sampler.sample_async(
        tasks,
        num_steps=config.num_steps,
        fast_lr=config.fast_lr,
        iteration=iteration,
        **config.advantages(),
    )
    arrivals = _arrival_times(futures[1])
    result = metalearner.step(
        *futures,
        max_kl=config.max_kl,
        cg_iters=config.cg_iters,
        cg_damping=config.cg_damping,
        ls_max_steps=config.ls_max_steps,
        ls_backtrack_ratio=config.ls_backtrack_ratio,
    )
    updated = time.perf_counter()
    train_episodes, valid_episodes = sampler.sample_wait(futures)
    timings = {
        "seconds_sampling": max(arrivals) - started,
        "seconds_adapting": sampler.seconds_adapting - adapting,
        "seconds_waiting": metalearner.seconds_waiting,
        "seconds_updating": updated - max(arrivals),
        "worker_restarts": sampler.restarts - restarts,
    }
    return [*train_episodes, valid_episodes], _scalars(result), timings


def _arrival_times(futures: list[EpisodesFuture]) -> list[float]:
    """Return a list to which each future will add the time of its resolution."""
    times: list[float] = []
    for future in futures:
        future.add_done_callback(lambda _: times.append(time.perf_counter()))
    return times


def _returns(rounds: list[list[BatchEpisodes]]) -> dict[str, float]:
    """Return mean and standard error over tasks of the return after 0, 1, … inner steps."""
    per_task = [get_returns(episodes).mean(-1) for episodes in rounds]
    means = {f"return_{step}": float(x.mean()) for step, x in enumerate(per_task)}
    errors = {f"stderr_{step}": float(standard_error(x)) for step, x in enumerate(per_task)}
    return means | errors


def _scalars(result: StepResult) -> Metrics:
    return {
        "loss_before": float(result["loss_before"].mean()),
        "loss_after": float(result["loss_after"].mean()),
        "kl": result["kl"],
        "accepted": result["accepted"],
        "backtracks": result["backtracks"],
        "cg_residual": result["cg_residual"],
        "grad_norm": result["grad_norm"],
        "inner_grad_norm": result["inner_grad_norm"],
        "entropy": result["entropy"],
    }
