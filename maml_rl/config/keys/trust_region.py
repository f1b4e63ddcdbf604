"""Keys of methods whose outer step is a trust region's."""

from typing import Annotated

from pydantic import Field

from maml_rl.config.block import Block, Positive


class TrustRegionKeys(Block):
    """Keys of methods whose outer step is a trust region's."""

    max_kl: Annotated[float, Field(gt=0)] = 1e-2
    """Radius of the trust region: largest mean KL(old || new), in nats."""
    cg_iters: Positive = 10
    """Iterations of conjugate gradient."""
    cg_damping: Annotated[float, Field(ge=0)] = 1e-5
    """Multiple of the identity added to the Fisher matrix."""
    ls_max_steps: Positive = 15
    """Step lengths that the line search tries."""
    ls_backtrack_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Each try of the line search over the one before it."""
    fisher_fraction: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Part of each task's steps that the Fisher matrix is taken from; all else takes all of them."""
