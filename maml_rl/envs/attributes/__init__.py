"""Tasks for environments that have none: values of their attributes, drawn from a ``task-space``."""
