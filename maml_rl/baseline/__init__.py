"""State-value baselines of the advantages, fitted afresh to every batch of episodes; a file each."""

from maml_rl.baseline.base import Baseline
from maml_rl.baseline.linear import LinearFeatureBaseline
from maml_rl.baseline.registry import BASELINES, make_baseline

__all__ = ["BASELINES", "Baseline", "LinearFeatureBaseline", "make_baseline"]
