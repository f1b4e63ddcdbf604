"""The base class of groups of config keys."""

from typing import Annotated, Any, get_args

from pydantic import BaseModel, ConfigDict, Field, field_validator

from maml_rl.errors import LARGEST_COUNT

Positive = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]


def kebab(name: str) -> str:
    """Return a field's name as files spell it."""
    return name.replace("_", "-")


def one_line(description: str | None) -> str:
    """Return a key's description without the line breaks of its source."""
    return " ".join((description or "").split())


def _kinds(annotation: Any) -> set[Any]:
    """Return the types that an annotation is made of."""
    parts = get_args(annotation)
    return set().union(*map(_kinds, parts)) if parts else {annotation}


def _has_flag(value: Any) -> bool:
    if isinstance(value, list | tuple):
        return any(map(_has_flag, value))
    return isinstance(value, bool)


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

    @field_validator("*", mode="before")
    @classmethod
    def _check_flags(cls, value: Any, info: Any) -> Any:
        """Check that no number is given as true or false, which Python takes for 1 and 0."""
        kinds = _kinds(cls.model_fields[info.field_name].annotation)
        if not kinds & {bool, Any} and _has_flag(value):
            raise ValueError("input should not be true or false")
        return value

    @classmethod
    def chosen_over(cls, base: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
        """Return the entries of a config that is ``base``, but for what was chosen in its place."""
        return base | chosen
