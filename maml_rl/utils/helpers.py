"""2020 names: `get_policy_for_env` and `get_input_size`."""

from maml_rl.policies.factory import get_input_size, get_policy_for_env

__all__ = ["get_input_size", "get_policy_for_env"]
