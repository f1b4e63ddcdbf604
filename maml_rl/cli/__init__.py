"""The command line. Options are parsed before anything heavy is imported."""

from maml_rl.cli.main import main

__all__ = ["main"]
