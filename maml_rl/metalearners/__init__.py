"""Meta-learners: they take episodes, or futures of them, and know nothing of processes."""

from maml_rl.metalearners.base import GradientBasedMetaLearner, StepResult
from maml_rl.metalearners.maml_trpo import MAMLTRPO

__all__ = ["MAMLTRPO", "GradientBasedMetaLearner", "StepResult"]
