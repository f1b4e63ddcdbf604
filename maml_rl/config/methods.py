"""The methods: their names, their own keys, and where they are. Nothing heavy is imported."""

import importlib
import json
from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from maml_rl.config.block import Block, Positive, kebab
from maml_rl.errors import UsageError, did_you_mean

DEFAULT_METHOD = "maml-trpo"
"""The method of configs that name none, as those of 2020."""


class GradientStepKeys(Block):
    """Keys of methods whose tasks adapt by gradient steps."""

    fast_lr: Annotated[float, Field(gt=0)] = 0.1
    """Step size of the inner gradient steps (alpha)."""
    first_order: bool = False
    """Drop the second derivatives of the inner step (first-order MAML)."""


class MAMLTRPOKeys(GradientStepKeys):
    """MAML with a trust region: second-order TRPO on the return after adaptation (Finn et al. 2017)."""

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


class ProMPKeys(GradientStepKeys):
    """ProMP: clipped Adam steps and a penalty on the change before adaptation (Rothfuss et al. 2019)."""

    learning_rate: Annotated[float, Field(gt=0)] = 1e-3
    """Learning rate of Adam, which moves theta."""
    adam_steps: Positive = 5
    """Steps of Adam per meta-update, each with a gradient of its own."""
    clip: Annotated[float, Field(gt=0, lt=1)] = 0.3
    """Distance from 1 at which ratios of probabilities are clipped after adaptation."""
    inner_kl: Annotated[float, Field(ge=0)] = 5e-4
    """Coefficient of KL(old || new) before each inner step; the first one if there is a target."""
    inner_kl_target: Annotated[float, Field(gt=0)] | None = None
    """KL, in nats, towards which the coefficient is halved or doubled after each update; none keeps it."""


@dataclass(frozen=True)
class Method:
    """A method's keys and where its class is.

    Args:
        block: the keys.
        learner: ``package.module:Class``.
    """

    block: type[Block]
    learner: str

    def load(self) -> Any:
        """Import the class, a `maml_rl.metalearners.MetaLearner`."""
        return _load(self.learner)

    def described_keys(self) -> list[tuple[str, str, str]]:
        """Return the method's own keys: as files spell them, their defaults, and what they are."""
        return [
            (kebab(name), json.dumps(field.get_default()), field.description or "")
            for name, field in self.block.model_fields.items()
        ]

    @property
    def sentence(self) -> str:
        """The method in a sentence."""
        return (self.block.__doc__ or "").partition("\n")[0]


METHODS = {
    "maml-trpo": Method(MAMLTRPOKeys, "maml_rl.metalearners.maml_trpo:TrustRegionMAML"),
    "promp": Method(ProMPKeys, "maml_rl.metalearners.promp:ProMP"),
}


def method_named(name: str) -> Method:
    """Return one of `METHODS`, or a class of one's own, ``package.module:Class``, with its ``Settings``.

    Raises:
        UsageError: there is no such method.
    """
    if name in METHODS:
        return METHODS[name]
    if ":" not in name:
        raise UsageError(f"metalearner {name!r}: no such method{did_you_mean(name, METHODS)}")
    learner = _load(name)
    block = getattr(learner, "Settings", None)
    if not (isinstance(block, type) and issubclass(block, Block)):
        raise UsageError(
            f"metalearner {name!r}: expected a class with its keys in 'Settings', a maml_rl.config.Block"
        )
    return Method(block, name)


def methods_with(key: str) -> list[str]:
    """Return the names of the methods that have ``key``, spelled with underscores."""
    return [name for name, method in METHODS.items() if key in method.block.model_fields]


def _load(path: str) -> Any:
    module, _, name = path.rpartition(":")
    try:
        return getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError, TypeError, ValueError) as error:
        raise UsageError(f"metalearner {path!r}: {error}") from None
