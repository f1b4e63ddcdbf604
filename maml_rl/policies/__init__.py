"""Stochastic policies that run on any parameters they are given."""

from maml_rl.policies.base import Policy
from maml_rl.policies.categorical_mlp import CategoricalMLPPolicy
from maml_rl.policies.module import ModulePolicy
from maml_rl.policies.normal_mlp import NormalMLPPolicy

__all__ = ["CategoricalMLPPolicy", "ModulePolicy", "NormalMLPPolicy", "Policy"]
