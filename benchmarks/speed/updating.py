"""Time of a meta-update over that of the plain reference, on the same episodes."""

import os
from collections.abc import Callable
from statistics import median

import torch

from benchmarks.speed.measure import Row, against
from benchmarks.speed.plain import plain_step
from benchmarks.speed.sampling import Sampling, shipped
from maml_rl.episode import BatchEpisodes
from maml_rl.metalearners import MetaLearner
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.training import Run, RunSettings

TOLERANCE = 1e-4
"""Relative difference of the updated parameters that counts as the same result."""


def meta_update(learner: MetaLearner, rounds: list[list[BatchEpisodes]]) -> Callable[[], torch.Tensor]:
    """Return a function that makes the same meta-update again and again, and returns where it led."""
    state = learner.init()
    return lambda: learner.update(state, rounds).state.theta


def against_plain(number: str, num_steps: int, bar: float) -> Row:
    """Compare on half-cheetah episodes: 40 tasks, 2,000 steps each before and after every inner step."""
    config = shipped("maml/halfcheetah-vel").model_copy(update={"num_steps": num_steps})
    with Run(config, RunSettings(seed=1, num_workers=2)) as run:
        rounds, learner = Sampling(run).episodes(), run.learner
    assert isinstance(learner, TrustRegionMAML)
    ours, theta = meta_update(learner, rounds), learner.init().theta

    def plain() -> torch.Tensor:
        policy, fast_lr = learner.adaptation.policy, learner.settings.fast_lr
        return plain_step(policy, theta, rounds, fast_lr, learner.optimizer).theta

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    a, b = ours(), plain()
    difference = ((a - b).norm() / b.norm()).item()
    of_step = ((a - b).norm() / (b - theta).norm()).item()
    if difference > TOLERANCE:
        raise AssertionError(f"the meta-updates differ by {difference:.1e}, more than {TOLERANCE}")
    pairs = against(ours, plain)
    return Row(
        number,
        f"meta-update over the plain reference, seconds; inner steps: {num_steps}",
        "ratio",
        tuple(fast / slow for fast, slow in pairs),
        bar,
        at_least=False,
        detail=f"{median(fast for fast, _ in pairs):.2f} of {median(slow for _, slow in pairs):.2f} s; "
        f"parameters differ by {difference:.0e}, {of_step:.0e} of the step",
    )
