"""Tests of adaptation: returns and rates of success on unseen tasks after 0, 1, 2, … steps."""

from maml_rl.evaluation.adapting import evaluate, evaluation_tasks, sample_adaptation, step_scales
from maml_rl.evaluation.results import AdaptationResults, Summary, write_csv

__all__ = [
    "AdaptationResults",
    "Summary",
    "evaluate",
    "evaluation_tasks",
    "sample_adaptation",
    "step_scales",
    "write_csv",
]
