"""Hints at what makes learning fail without a word."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from maml_rl.baseline.base import real_steps
from maml_rl.baseline.features import Scaling, polynomials
from maml_rl.envs.registry import find_spec, is_shipped
from maml_rl.episode import BatchEpisodes
from maml_rl.training.run import Run

LARGE, SMALL = 100.0, 0.01
"""Root mean square of a number of observations, and the largest of all numbers, from which on they are odd.

Of thirteen environments of Gymnasium's, only humanoids have a root mean square above 15.
"""


def hints(run: Run, episodes: Sequence[BatchEpisodes]) -> Iterator[str]:
    """Yield what deserves a word about the first round's episodes, in a line each, if they are here."""
    if episodes[0].observations.is_meta:
        return
    yield from filter(None, (scale_hint(run, episodes), baseline_hint(run, episodes)))


def baseline_hint(run: Run, episodes: Sequence[BatchEpisodes]) -> str | None:
    """Return a hint if the baseline of 2020 interpolates, so that its advantages are noise."""
    if run.config.baseline != "linear" or not run.learner.adaptation.needs_advantages:
        return None
    seen = real_steps(episodes[0].data, gamma=0.0)
    features = polynomials(seen.observations, seen.times)
    steps, number = features.shape
    different = len(np.unique(features.cpu().numpy(), axis=0))
    if number <= steps or different <= steps / 2:
        return None
    design = Scaling.of(features)(features)
    # The rank of the steps' inner products: those of pixels would take minutes.
    if int(torch.linalg.matrix_rank(design @ design.mT, hermitian=True)) < different - 1:
        return None
    return (
        f"the baseline has {number} features for {steps} steps of a task, and so explains their returns "
        "whole, noise and all: set baseline: linear-cv"
    )


def scale_hint(run: Run, episodes: Sequence[BatchEpisodes]) -> str | None:
    """Return a hint if observations are of an odd scale; None where they are not, or are meant to be so.

    Environments that ship with maml_rl are as they were published. Policies other than the perceptron see
    images as they are, and scale them themselves; normalised observations have no scale.
    """
    space = run.env.observation_space
    are_images = space.dtype == np.uint8 and run.config.policy != "mlp"
    if run.config.normalize_observations or is_shipped(find_spec(run.config.env_name)) or are_images:
        return None
    # One episode of each task tells as much as all of them.
    first = [batch.observations[: batch.lengths[0], 0].flatten(1).cpu().numpy() for batch in episodes]
    numbers = np.abs(np.concatenate(first), dtype=np.float64)
    scales = np.sqrt(np.square(numbers).mean(0))
    large = scales[scales > LARGE]
    if large.size:
        number = f"{large.size} of {scales.size} numbers of an observation"
        what = f"{number} are large (root mean square up to {large.max():.2g})"
    elif 0 < (largest := numbers.max()) < SMALL:
        what = f"observations are small (numbers up to {largest:.2g})"
    else:
        return None
    return (
        f"{what}; about 1 is usual, and learning may fail: scale them in the environment or a wrapper, "
        "or set normalize-observations: true"
    )
