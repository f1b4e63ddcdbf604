"""The methods: their names, their own keys, and where they are. Nothing heavy is imported."""

import json
from dataclasses import dataclass
from typing import Any

from maml_rl._system.own_code import load_named
from maml_rl.config.block import Block, kebab, one_line
from maml_rl.errors import UsageError, did_you_mean, shown

DEFAULT_METHOD = "maml-trpo"
"""The method of configs that name none, as those of 2020."""


@dataclass(frozen=True)
class Method:
    """The places of a method's keys and of its class, ``package.module:Class`` each.

    Args:
        keys: a `Block`.
        learner: a `maml_rl.metalearners.MetaLearner`.
    """

    keys: str
    learner: str

    @property
    def block(self) -> type[Block]:
        """The keys, as a class of the config."""
        block: type[Block] = _load(self.keys)
        return block

    def load(self) -> Any:
        """Import the learner's class."""
        return _load(self.learner)

    def described_keys(self) -> list[tuple[str, str, str]]:
        """Return the method's own keys: as files spell them, their defaults, and what they are."""
        return [
            (kebab(name), json.dumps(field.get_default()), one_line(field.description))
            for name, field in self.block.model_fields.items()
        ]

    @property
    def sentence(self) -> str:
        """The method in a sentence."""
        return (self.block.__doc__ or "").partition("\n")[0]


PLACES = {
    "maml-trpo": ("maml_trpo:MAMLTRPOKeys", "maml_trpo:TrustRegionMAML"),
    "fomaml-trpo": ("fomaml_trpo:FOMAMLTRPOKeys", "fomaml_trpo:FirstOrderMAML"),
    "promp": ("promp:ProMPKeys", "promp:ProMP"),
    "maml-ppo": ("maml_ppo:MAMLPPOKeys", "maml_ppo:ClippedMAML"),
    "e-maml": ("e_maml:EMAMLKeys", "e_maml:EMAML"),
    "anil": ("anil:ANILKeys", "anil:ANIL"),
    "meta-sgd": ("meta_sgd:MetaSGDKeys", "meta_sgd:MetaSGD"),
    "cavia": ("cavia:CAVIAKeys", "cavia:CAVIA"),
    "reptile": ("reptile:ReptileKeys", "reptile:Reptile"),
    "rl2": ("rl2:RL2Keys", "rl2:RL2"),
}
"""The keys in `maml_rl.config.keys`, and the class in `maml_rl.metalearners`, of each method that ships."""

METHODS = {
    name: Method(f"maml_rl.config.keys.{keys}", f"maml_rl.metalearners.{learner}")
    for name, (keys, learner) in PLACES.items()
}


def method_named(name: str) -> Method:
    """Return one of `METHODS`, or a class of one's own, ``package.module:Class``, with its ``Settings``.

    Raises:
        UsageError: there is no such method.
    """
    if name in METHODS:
        return METHODS[name]
    if ":" not in name:
        raise UsageError(f"metalearner {shown(name)}: no such method{did_you_mean(name, METHODS)}")
    learner = _load(name)
    block = getattr(learner, "Settings", None)
    if not (isinstance(block, type) and issubclass(block, Block)):
        raise UsageError(
            f"metalearner {name!r}: expected a class with its keys in 'Settings', a maml_rl.config.Block"
        )
    return Method(f"{name}.Settings", name)


def methods_with(key: str) -> list[str]:
    """Return the names of the methods that have ``key``, spelled with underscores."""
    return [name for name, method in METHODS.items() if key in method.block.model_fields]


def _load(path: str) -> Any:
    return load_named(path, f"metalearner '{path}'")
