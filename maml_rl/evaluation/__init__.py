"""Tests of adaptation: returns and rates of success on unseen tasks after 0, 1, 2, … steps."""

from maml_rl.evaluation.adapting import (
    adapted_batches,
    are_seen,
    evaluate,
    evaluation_batches,
    evaluation_tasks,
    gather,
    sample_adaptation,
    step_scales,
)
from maml_rl.evaluation.results import AdaptationResults, AdaptedBatch, Summary
from maml_rl.evaluation.tables import write_csv, write_task_csv

__all__ = [
    "AdaptationResults",
    "AdaptedBatch",
    "Summary",
    "adapted_batches",
    "are_seen",
    "evaluate",
    "evaluation_batches",
    "evaluation_tasks",
    "gather",
    "sample_adaptation",
    "step_scales",
    "write_csv",
    "write_task_csv",
]
