"""Methods of meta-learning: they take episodes, or futures of them, and know nothing of processes."""

from maml_rl.lazy import Moved, lazy_names
from maml_rl.metalearners.base import MetaLearner, MetaState, MetaUpdate

__all__ = ["MAMLTRPO", "MetaLearner", "MetaState", "MetaUpdate", "StepResult"]

# The meta-learner of 2020, whose module builds on this package.
__getattr__ = lazy_names(
    __name__,
    {"MAMLTRPO": "maml_rl.compat.maml_trpo", "StepResult": "maml_rl.compat.maml_trpo"},
    moved={"GradientBasedMetaLearner": Moved("maml_rl.metalearners.base.GradientMetaLearner", since="0.2")},
)
