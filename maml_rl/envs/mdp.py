"""The 2020 place of `TabularMDPEnv`."""

from maml_rl.envs.tabular_mdp import TabularMDPEnv

__all__ = ["TabularMDPEnv"]
