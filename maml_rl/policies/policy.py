"""The 2020 place of `Policy`."""

from maml_rl.lazy import lazy_names
from maml_rl.policies.base import Policy

__all__ = ["Policy"]

__getattr__ = lazy_names(
    __name__,
    {},
    gone={"weight_init": "the perceptrons begin with Glorot's uniform weights and biases of 0 by themselves"},
)
