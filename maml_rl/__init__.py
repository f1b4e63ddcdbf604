"""Meta-reinforcement learning: policies that adapt to a new task in a few steps."""

from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING

from maml_rl.lazy import lazy_names

try:
    __version__ = version("maml-rl")
except PackageNotFoundError:  # A source tree that nobody installed.
    __version__ = "0.0.0"

_PLACES = {
    "Adaptation": "maml_rl.adaptation",
    "BatchEpisodes": "maml_rl.episode",
    "Config": "maml_rl.config",
    "GradientMetaLearner": "maml_rl.metalearners.base",
    "GradientStep": "maml_rl.adaptation",
    "LinearFeatureBaseline": "maml_rl.baseline",
    "Loss": "maml_rl.losses",
    "MAMLTRPO": "maml_rl.compat.maml_trpo",
    "MetaLearner": "maml_rl.metalearners",
    "MultiTaskSampler": "maml_rl.compat.samplers",
    "Objective": "maml_rl.losses",
    "Policy": "maml_rl.policies",
    "Recipe": "maml_rl.samplers",
    "Run": "maml_rl.training",
    "RunSettings": "maml_rl.training",
    "Sampler": "maml_rl.samplers",
    "evaluate": "maml_rl.evaluation",
    "load_config": "maml_rl.config",
    "make_env": "maml_rl.envs",
    "train": "maml_rl.training",
}
"""The modules of the public names; each is imported when it is first asked for, as PyTorch takes seconds."""

__all__ = [
    "MAMLTRPO",
    "Adaptation",
    "BatchEpisodes",
    "Config",
    "GradientMetaLearner",
    "GradientStep",
    "LinearFeatureBaseline",
    "Loss",
    "MetaLearner",
    "MultiTaskSampler",
    "Objective",
    "Policy",
    "Recipe",
    "Run",
    "RunSettings",
    "Sampler",
    "__version__",
    "evaluate",
    "load_config",
    "make_env",
    "train",
]

if TYPE_CHECKING:  # For type checkers and editors, which do not run what follows.
    from maml_rl.adaptation import Adaptation, GradientStep
    from maml_rl.baseline import LinearFeatureBaseline
    from maml_rl.compat.maml_trpo import MAMLTRPO
    from maml_rl.compat.samplers import MultiTaskSampler
    from maml_rl.config import Config, load_config
    from maml_rl.envs import make_env
    from maml_rl.episode import BatchEpisodes
    from maml_rl.evaluation import evaluate
    from maml_rl.losses import Loss, Objective
    from maml_rl.metalearners import MetaLearner
    from maml_rl.metalearners.base import GradientMetaLearner
    from maml_rl.policies import Policy
    from maml_rl.samplers import Recipe, Sampler
    from maml_rl.training import Run, RunSettings, train
else:
    __getattr__ = lazy_names(__name__, _PLACES)


def __dir__() -> list[str]:
    return __all__
