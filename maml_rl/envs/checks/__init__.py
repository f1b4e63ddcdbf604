"""Checks of task distributions: each is a function of a `Trial` that yields findings."""
