"""The inner loop: how a task's parameters follow from theta and the task's own episodes."""

from maml_rl.adaptation.base import Adaptation, AdaptationStep, DifferentiableAdaptation
from maml_rl.adaptation.gradient_step import GradientStep
from maml_rl.adaptation.scaled_step import PartialStep, ScaledGradientStep
from maml_rl.adaptation.unrolled import Unrolled

__all__ = [
    "Adaptation",
    "AdaptationStep",
    "DifferentiableAdaptation",
    "GradientStep",
    "PartialStep",
    "ScaledGradientStep",
    "Unrolled",
]
