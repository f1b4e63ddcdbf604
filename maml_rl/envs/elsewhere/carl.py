"""CARL's context environments: a task is a context."""

from collections.abc import Iterable, Mapping
from typing import Any

import gymnasium as gym

Context = Mapping[str, Any]


class OneContext:
    """A selector of contexts, as CARL has them, that always selects the same one."""

    def __init__(self, context: Context):
        self._context = dict(context)
        self.context_id: int | None = None

    def select(self) -> dict[str, Any]:
        """Return the context."""
        self.context_id = 0
        return dict(self._context)


class ContextSettings:
    """Sets features of a CARL environment's context.

    Args:
        env: has a ``CARLEnv`` among its wrappers.
    """

    def __init__(self, env: gym.Env[Any, Any]):
        self._carl = carl_env(env)
        self.own: Context = self._carl.get_default_context()
        self._applied: Context | None = None

    @property
    def contexts(self) -> list[Context]:
        """The contexts that the environment was made with."""
        return [dict(context) for context in self._carl.contexts.values()]

    def apply(self, values: Context) -> None:
        """Have the next reset select this context."""
        if values != self._applied:  # CARL updates an environment when another context is selected.
            self._carl.context_selector = OneContext({**self.own, **values})
            self._applied = dict(values)

    def check(self) -> None:
        """Do nothing: CARL applies the context itself."""

    def notes(self, values: Context) -> Iterable[str]:
        """Return whether the policy sees the context."""
        if self._carl.obs_context_features:
            yield (
                f"the policy sees {', '.join(self._carl.obs_context_features)} of the context: "
                "{obs_context_features: [], obs_context_as_dict: false} among the env-kwargs hides that"
            )


def carl_env(env: gym.Env[Any, Any]) -> Any:
    """Return the ``CARLEnv`` among the wrappers of an environment; None if there is none."""
    layer: Any = env
    while layer is not None:
        if all(hasattr(layer, name) for name in ("contexts", "context_selector", "get_default_context")):
            return layer
        layer = getattr(layer, "env", None)
    return None
