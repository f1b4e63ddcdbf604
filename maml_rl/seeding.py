"""Random streams: one per purpose, each a function of the seed and of what it is for.

Nothing in this package draws from a global generator; for environments that do, those are seeded before each
round. Two draws are independent because their streams have different keys, and a draw repeats because its key
does: no generator's state has to be carried between processes or saved in a checkpoint.
"""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum

import numpy as np


class Purpose(IntEnum):
    """The purpose of a random stream. The numbers are part of every run's identity: never renumber them."""

    TASKS = 0
    ACTIONS = 1
    ENVIRONMENT = 2
    INITIAL_PARAMETERS = 3
    GLOBAL_GENERATORS = 4


FIRST_EVALUATION = 2**31
"""Meta-iteration number of the first evaluation batch: no training run gets there, so that evaluation
tasks are unseen ones even where training had the same seed."""


def seed_sequence(
    seed: int, purpose: Purpose, *, iteration: int = 0, task: int = 0, step: int = 0
) -> np.random.SeedSequence:
    """Return the seed sequence of ``purpose`` at (meta-iteration, task index, adaptation step)."""
    return np.random.SeedSequence(seed, spawn_key=(iteration, task, step, int(purpose)))


def integer_seed(sequence: np.random.SeedSequence) -> int:
    """Return 31 bits of ``sequence``, for interfaces that take an integer seed."""
    return int(sequence.generate_state(1)[0] >> 1)


def draw_seed() -> int:
    """Return a fresh seed from the operating system, for runs that were given none."""
    return integer_seed(np.random.SeedSequence())


def seed_global_generators(sequence: np.random.SeedSequence) -> None:
    """Seed the generators of Python, NumPy and torch."""
    import torch  # Here for the sake of a quick --help.

    python, numpy, pytorch = (int(x) for x in sequence.generate_state(3))
    random.seed(python)
    np.random.seed(numpy)  # noqa: NPY002
    torch.default_generator.manual_seed(pytorch)


@contextmanager
def global_generators_kept() -> Iterator[None]:
    """Have the global generators go on behind the block as if nothing had drawn from them or seeded them."""
    import torch  # As above.

    python, pytorch = random.getstate(), torch.get_rng_state()
    numpy = np.random.get_state()  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)  # noqa: NPY002
        torch.set_rng_state(pytorch)
