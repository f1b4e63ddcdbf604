"""Samplers: tasks in, futures of train and valid episodes out."""

from maml_rl.samplers.base import Sampler
from maml_rl.samplers.in_process import InProcessSampler
from maml_rl.samplers.multi_task_sampler import MultiTaskSampler

__all__ = ["InProcessSampler", "MultiTaskSampler", "Sampler"]
