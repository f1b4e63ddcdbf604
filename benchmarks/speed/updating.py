"""Time of a meta-update over that of the plain reference, on the same episodes."""

import os
from collections.abc import Callable
from statistics import median

import torch

from benchmarks.speed.measure import Row, against
from benchmarks.speed.plain import plain_step
from benchmarks.speed.sampling import Sampling, shipped
from maml_rl.config import Config
from maml_rl.episode import BatchEpisodes
from maml_rl.metalearners import MAMLTRPO
from maml_rl.optim.trust_region import TrustRegion
from maml_rl.policies.base import Policy
from maml_rl.training import Run, RunSettings

TOLERANCE = 1e-4
"""Relative difference of the updated parameters that counts as the same result."""


def region_of(config: Config) -> TrustRegion:
    return TrustRegion(
        config.max_kl, config.cg_iters, config.cg_damping, config.ls_max_steps, config.ls_backtrack_ratio
    )


def meta_update(
    policy: Policy, config: Config, train: list[list[BatchEpisodes]], valid: list[BatchEpisodes]
) -> Callable[[], torch.Tensor]:
    """Return a function that makes the same meta-update again and again, and returns where it led."""
    theta = policy.get_vector()
    learner = MAMLTRPO(policy, config.fast_lr)

    def update() -> torch.Tensor:
        policy.set_vector(theta)
        learner.step(train, valid, **vars(region_of(config)))
        updated = policy.get_vector()
        policy.set_vector(theta)
        return updated

    return update


def against_plain(number: str, num_steps: int, bar: float) -> Row:
    """Compare on half-cheetah episodes: 40 tasks, 2,000 steps each before and after every inner step."""
    config = shipped("halfcheetah-vel").model_copy(update={"num_steps": num_steps})
    with Run(config, RunSettings(seed=1, num_workers=2)) as run:
        episodes = Sampling(run).episodes()
        policy = run.policy
    ours = meta_update(policy, config, *episodes)

    def plain() -> torch.Tensor:
        return plain_step(policy, *episodes, config.fast_lr, region_of(config)).theta

    torch.set_num_threads(len(os.sched_getaffinity(0)))
    before, a, b = policy.get_vector(), ours(), plain()
    difference = ((a - b).norm() / b.norm()).item()
    of_step = ((a - b).norm() / (b - before).norm()).item()
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
