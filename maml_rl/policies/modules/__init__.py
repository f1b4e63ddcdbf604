"""Modules that ship with maml_rl as policies; see `maml_rl.policies.registry` for their names."""
