"""Attributes of an environment as what its tasks set."""

import copy
from collections.abc import Collection, Mapping
from typing import Any

import gymnasium as gym

from maml_rl._system.own_code import failure
from maml_rl.envs.attributes.constructor import Constructor, is_plain, same
from maml_rl.envs.attributes.places import Place, find_place
from maml_rl.errors import UsageError, shown


class AttributeSettings:
    """Sets attributes of an environment, and what follows from them.

    What follows are the numbers that the constructor computes from them (`Constructor`), and in a model of
    MuJoCo's what `mujoco.mj_setConst` computes.

    Args:
        env: the environment itself, as it was made.
        names: of the attributes, or paths to them (`find_place`).
        what: the environment is, for messages.

    Raises:
        UsageError: there is no such attribute, it cannot be set, or it is nothing that a task can hold.
    """

    def __init__(self, env: Any, names: Collection[str], what: str):
        self._env, self._what = env, what
        self._places = {name: find_place(env, name, what) for name in names}
        self.own: Mapping[str, Any] = {name: self._own(name) for name in names}
        self._values: Mapping[str, Any] = self.own
        self._constructor = Constructor(env)
        self._direct = [name for name in names if name.isidentifier()]
        self._computed: set[str] = set()
        self._problem = ""
        self._original = self._constructed_alike() if self._direct else {}

    def apply(self, values: Mapping[str, Any]) -> None:
        """Set the attributes.

        Raises:
            UsageError: the constructor does not take such values, or one is not as it was set.
        """
        for name, value in self._following(values).items():
            if not same(getattr(self._env, name, None), value):
                setattr(self._env, name, copy.deepcopy(value))
        of_models: dict[int, list[Any]] = {}
        for name, place in self._places.items():
            if not same(place.get(), values[name]):
                place.set(values[name])
                if (model := getattr(place, "model", None)) is not None:
                    of_models.setdefault(id(model), []).append(place)
        for places in of_models.values():
            from maml_rl.envs.attributes.mujoco_model import settle  # MuJoCo takes a second to import.

            settle(places)
        self._values = values
        self._check("another entry sets it too, or the environment alters it")

    def check(self) -> None:
        """Check that the attributes are as `apply` left them.

        Raises:
            UsageError: the environment's reset has set one of them itself.
        """
        self._check("its reset() sets it itself")

    def _check(self, why: str) -> None:
        for name, place in self._places.items():
            if not same(found := place.get(), self._values[name]):
                said = f"was set to {shown(self._values[name], 60)}, and is {shown(found, 60)}: {why}"
                raise UsageError(f"task-space: '{name}' of {self._what} {said}")

    def notes(self, values: Mapping[str, Any]) -> list[str]:
        """Return what does not follow from the attributes, though it may have to."""
        direct = {name: values[name] for name in self._direct}
        if self._problem or not direct:
            return [self._problem] if self._problem else []
        original, made = self._constructor.attributes({}), self._made(direct)
        spaces = [k for k, v in made.items() if isinstance(v, gym.Space) and not same(v, original.get(k))]
        names = " or ".join(map(repr, direct))
        return [
            f"its {name} follows from {names}, but is the same for all tasks: {original[name]}"
            for name in spaces
            if name in original
        ]

    def _own(self, name: str) -> Any:
        place: Place = self._places[name]
        value = place.get()
        if not is_plain(value):
            raise UsageError(
                f"task-space: '{name}' of {self._what} is {shown(value, 60)}: expected a number, text, or an "
                "array or list of numbers"
            )
        try:
            place.set(value)
        except (AttributeError, TypeError) as error:
            raise UsageError(
                f"task-space: '{name}' of {self._what} cannot be set: {failure(error)}"
            ) from None
        return value

    def _constructed_alike(self) -> dict[str, Any]:
        """Return the attributes in which an environment that is constructed again is like this one."""
        try:
            again = self._constructor.attributes({})
        except (Exception, SystemExit) as error:  # It is anybody's.
            names = " or ".join(map(repr, self._direct))
            self._problem = (
                f"a task sets {names} and nothing that the constructor computes from that: "
                f"it cannot be called a second time to see what that is: {failure(error)}"
            )
            return {}
        return {
            name: value
            for name, value in again.items()
            if is_plain(value) and same(value, getattr(self._env, "__dict__", {}).get(name))
        }

    def _following(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Return the other attributes that a task changes, or an earlier one has changed."""
        direct = {name: values[name] for name in self._direct}
        if not self._original:
            return {}
        if all(same(value, self.own[name]) for name, value in direct.items()):
            changed = {}
        else:
            made, original = self._made(direct), self._original
            changed = {k: v for k, v in made.items() if k in original and not same(v, original[k])}
        self._computed |= changed.keys() - direct.keys()
        return {name: changed.get(name, self._original[name]) for name in self._computed}

    def _made(self, direct: Mapping[str, Any]) -> dict[str, Any]:
        try:
            return self._constructor.attributes(direct)
        except (Exception, SystemExit) as error:  # It is anybody's.
            said = f"the constructor of {self._what} fails with {shown(dict(direct))}: {failure(error)}"
            raise UsageError(f"task-space: {said}") from error
