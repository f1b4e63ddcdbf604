"""2020 names: `get_returns`."""

from maml_rl.episode import get_returns

__all__ = ["get_returns"]
