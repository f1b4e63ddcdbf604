"""Columns of metrics that several methods have."""

from collections.abc import Mapping
from typing import NamedTuple


class Column(NamedTuple):
    """A column of metrics: its unit and what it is."""

    unit: str
    text: str


ACCEPTED = "accepted"
"""The column of methods that may leave theta as it was."""
OBJECTIVE: Mapping[str, Column] = {
    "loss_before": Column("", "objective at θ, mean over N"),
    "loss_after": Column("", "objective at the parameters that the update left, mean over N"),
    "kl": Column("nats", "KL(old ‖ new) of the adapted policies, mean over steps and tasks"),
}
"""Columns of every method that moves theta by an objective."""
STATISTICS: Mapping[str, Column] = {
    "grad_norm": Column("", "norm of the meta-gradient g at θ"),
    "inner_grad_norm": Column("", "norm of the inner gradients, mean over inner steps and tasks"),
    "entropy": Column("nats", "entropy of the adapted policies' actions, mean over steps and tasks"),
}
"""Columns of every method whose tasks adapt by gradients."""
