"""Samplers: tasks and theta in, futures of episodes out."""

from maml_rl.lazy import lazy_names
from maml_rl.samplers.plan import Recipe
from maml_rl.samplers.sampler import Sampler

__all__ = ["InProcessSampler", "MultiTaskSampler", "Recipe", "Sampler"]

# The samplers of 2020, whose module builds on this package.
__getattr__ = lazy_names(
    __name__,
    {"InProcessSampler": "maml_rl.compat.samplers", "MultiTaskSampler": "maml_rl.compat.samplers"},
)
