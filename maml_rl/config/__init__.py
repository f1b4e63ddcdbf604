"""The description of a training run: shared keys and the block of the chosen method, from YAML or JSON."""

from maml_rl.config.block import Block
from maml_rl.config.parsing import describe, load_config, parse_config, read_tasks
from maml_rl.config.shared import (
    RUN_KEYS,
    WORKER_TIMEOUT,
    Config,
    LearnerName,
    LoggerName,
    MeanOver,
    config_class,
)

__all__ = [
    "RUN_KEYS",
    "WORKER_TIMEOUT",
    "Block",
    "Config",
    "LearnerName",
    "LoggerName",
    "MeanOver",
    "config_class",
    "describe",
    "load_config",
    "parse_config",
    "read_tasks",
]
