"""How fast is it? Ratios to references that are measured in the same run: ``python -m benchmarks.speed``."""
