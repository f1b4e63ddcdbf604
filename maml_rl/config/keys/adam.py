"""Keys of methods whose outer step is Adam's."""

from typing import Annotated

from pydantic import Field

from maml_rl.config.block import Block, Positive


class ClippedKeys(Block):
    """Keys of methods that move theta by Adam, on a clipped objective."""

    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of Adam, which moves theta."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Distance from 1 at which ratios of probabilities are clipped after adaptation."""


class AdamKeys(ClippedKeys):
    """Keys of methods whose outer step is several of Adam's."""

    adam_steps: Positive = 5
    """Steps of Adam per meta-update, each with a gradient of its own."""
