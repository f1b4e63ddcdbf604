"""Meta-reinforcement learning: policies that adapt to a new task in a few gradient steps."""

__version__ = "0.1.0"
