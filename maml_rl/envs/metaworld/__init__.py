"""Meta-World v3: the benchmark's tasks as plain data, and its environments many at a time.

Nothing here imports the package ``metaworld`` before an environment is made.
"""
