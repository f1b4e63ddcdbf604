"""Where the time of an iteration goes: CPU seconds of HalfCheetahVel-v2, shipped config, one process.

python -m benchmarks.speed.breakdown
"""

import os
import time
from collections import defaultdict
from collections.abc import Callable
from typing import Any

import torch

import maml_rl.samplers.worker as worker
from benchmarks.speed.sampling import shipped
from maml_rl.adaptation import Unrolled
from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.envs.mujoco.vector_env import MujocoTaskVectorEnv
from maml_rl.envs.task_env import TaskVectorEnv
from maml_rl.metalearners.problem import TaskChunk
from maml_rl.policies.mlp import MLPPolicy
from maml_rl.training import Run, RunSettings, train


def stages(run: Run) -> dict[str, list[tuple[Any, str]]]:
    """Return what each stage calls: names of classes, of a module and of an object."""
    # The worker's own; the line search adapts too, by the learner's.
    adaptation = run.sampler._backend._worker._adaptation  # type: ignore[attr-defined]
    return {
        "physics": [(MujocoTaskVectorEnv, "_step_physics")],
        "environment, physics included": [(TaskVectorEnv, "step")],
        "policy": [(MLPPolicy, "at")],
        "baseline and advantages": [(LinearFeatureBaseline, "fit_data"), (worker, "compute_advantages")],
        "inner adaptation": [(adaptation, "step")],
        "sampling, all of it": [(worker.SamplerWorker, "create_episodes"), (adaptation, "step")],
        "update: linearisation": [(Unrolled, "__init__")],
        "update: gradient": [(TaskChunk, "_objective_at")],
        "update: Fisher products": [(TaskChunk, "fisher_product")],
        "update: line search": [(TaskChunk, "evaluate")],
    }


def measured(total: dict[str, float], stage: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Add what ``function`` takes to the stage's total, and what the function that it may return takes."""

    def wrapper(*args: Any, **kwargs: Any) -> Any:
        started = time.thread_time()
        result = function(*args, **kwargs)
        total[stage] += time.thread_time() - started
        return measured(total, stage, result) if callable(result) else result

    return wrapper


def main() -> None:
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    total: dict[str, float] = defaultdict(float)
    config = shipped("maml/halfcheetah-vel").model_copy(update={"num_batches": 2})
    with Run(config, RunSettings(seed=1)) as run:
        iterations = train(run)
        next(iterations)
        measuring = stages(run)
        for stage, functions in measuring.items():
            for owner, name in functions:
                setattr(owner, name, measured(total, stage, getattr(owner, name)))
        metrics = list(iterations)
    for stage in measuring:
        print(f"{stage:32s} {total[stage] / len(metrics):7.3f} s")


if __name__ == "__main__":
    main()
