"""The base class of groups of config keys."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from maml_rl.errors import LARGEST_COUNT

Positive = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]


def kebab(name: str) -> str:
    """Return a field's name as files spell it."""
    return name.replace("_", "-")


def one_line(description: str | None) -> str:
    """Return a key's description without the line breaks of its source."""
    return " ".join((description or "").split())


class Block(BaseModel):
    """A group of keys. The docstring below a field is its help."""

    model_config = ConfigDict(
        alias_generator=kebab,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        defer_build=True,  # Until something is validated, for a quick --help.
    )

    @classmethod
    def chosen_over(cls, base: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
        """Return the entries of a config that is ``base``, but for what was chosen in its place."""
        return base | chosen
