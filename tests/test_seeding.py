import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from maml_rl.seeding import FIRST_EVALUATION, Purpose, draw_seed, integer_seed, seed_sequence
from tests.builders import repeatable

counts = st.integers(0, 2**32 - 1)


def numbers(*args: int, **path: int) -> list[int]:
    return np.random.default_rng(seed_sequence(*args, **path)).integers(2**62, size=4).tolist()  # type: ignore[arg-type]


@repeatable
@given(seed=st.integers(0, 2**64), iteration=counts, task=counts, step=counts)
def test_a_stream_is_a_function_of_its_path(seed: int, iteration: int, task: int, step: int):
    def draw() -> list[int]:
        return numbers(seed, Purpose.ACTIONS, iteration=iteration, task=task, step=step)

    assert draw() == draw()


def test_every_path_has_a_stream_of_its_own():
    paths = itertools.product((0, 1, 2**40), Purpose, (0, 1, 2, FIRST_EVALUATION), (0, 1, 2), (0, 1, 2))
    streams = [
        tuple(numbers(seed, purpose, iteration=iteration, task=task, step=step))
        for seed, purpose, iteration, task, step in paths
    ]
    assert len(set(streams)) == len(streams) == 3 * 5 * 4 * 3 * 3


def test_the_path_is_numpys_own_spawn_key():
    """The numbers are part of every run's identity: runs of earlier versions would no longer repeat."""
    ours = seed_sequence(7, Purpose.ENVIRONMENT, iteration=3, task=5, step=1)
    assert ours.entropy == 7
    assert ours.spawn_key == (3, 5, 1, 2)
    assert [purpose.value for purpose in Purpose] == [0, 1, 2, 3, 4]
    assert [purpose.name for purpose in Purpose] == [
        "TASKS",
        "ACTIONS",
        "ENVIRONMENT",
        "INITIAL_PARAMETERS",
        "GLOBAL_GENERATORS",
    ]


def test_what_is_not_named_is_zero():
    assert seed_sequence(7, Purpose.TASKS).spawn_key == (0, 0, 0, 0)


@repeatable
@given(st.integers(0, 2**64))
def test_integer_seeds_have_31_bits_and_repeat(seed: int):
    number = integer_seed(np.random.SeedSequence(seed))
    assert type(number) is int
    assert 0 <= number < 2**31
    assert number == integer_seed(np.random.SeedSequence(seed))


def test_integer_seeds_differ_and_use_all_their_bits():
    seeds = [integer_seed(np.random.SeedSequence(i)) for i in range(2000)]
    assert len(set(seeds)) == 2000
    for bit in range(31):
        assert 800 < sum(seed >> bit & 1 for seed in seeds) < 1200


def test_drawn_seeds_differ():
    assert len({draw_seed() for _ in range(20)}) == 20


def test_no_training_run_reaches_the_iterations_of_evaluation():
    assert FIRST_EVALUATION == 2**31
    seed_sequence(0, Purpose.TASKS, iteration=FIRST_EVALUATION + 10**6)  # Still a 32-bit word.
