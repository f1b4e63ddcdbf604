import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import get_ident

import pytest
import torch

from maml_rl.episode import BatchEpisodes
from maml_rl.metalearners import chunks
from maml_rl.metalearners.chunks import Chunk, Chunks, Rounds, chunk_threads
from tests.builders import THREE_TASKS, make_policy, random_tasks, to_batches
from tests.oracles.maml import Task

CPU = torch.device("cpu")


@pytest.fixture
def tasks() -> list[Task]:
    return random_tasks(make_policy("normal"), inner_steps=2, lengths=THREE_TASKS)


def tasks_of(chunk: Chunk) -> int:
    return chunk.rounds[-1].weights.shape[0]


def rounds_of(tasks: list[Task]) -> list[list[BatchEpisodes]]:
    train, valid = to_batches(tasks)
    return [*train, valid]


@pytest.mark.parametrize("limit", [1, 12, 10**6])
def test_chunks_cover_the_tasks_in_order(monkeypatch: pytest.MonkeyPatch, tasks: list[Task], limit: int):
    monkeypatch.setattr(chunks, "CPU_CHUNK_STEPS", limit)
    found = list(Chunks(rounds_of(tasks), CPU, 10))
    sizes = [valid.weights.shape[0] for _, (*_, valid) in found]
    assert sizes == {1: [1, 1, 1], 12: [1, 1, 1], 10**6: [3]}[limit]
    advantages = torch.cat([valid.advantages[:, 0] for _, (*_, valid) in found])
    assert advantages.tolist() == pytest.approx([t.valid[0].advantages[0].item() for t in tasks])
    for _, (*train, valid) in found:
        assert len(train) == 2
        assert [stack.weights.shape[0] for stack in train] == [valid.weights.shape[0]] * 2


def test_a_chunk_has_as_many_tasks_as_the_limit_holds(monkeypatch: pytest.MonkeyPatch, tasks: list[Task]):
    """The tasks have 7, 8 and 6 steps."""
    for limit, sizes in [(14, [1, 2]), (15, [2, 1]), (20, [2, 1]), (21, [3])]:
        monkeypatch.setattr(chunks, "CPU_CHUNK_STEPS", limit)
        assert [tasks_of(chunk) for chunk in Chunks(rounds_of(tasks), CPU, 10)] == sizes


@pytest.mark.parametrize("tasks_per_item", [1, 2, 3])
def test_a_chunk_is_of_one_work_item(tasks: list[Task], tasks_per_item: int):
    found = [(chunk.item, tasks_of(chunk)) for chunk in Chunks(rounds_of(tasks), CPU, tasks_per_item)]
    assert found == {1: [(0, 1), (1, 1), (2, 1)], 2: [(0, 2), (1, 1)], 3: [(0, 3)]}[tasks_per_item]


def test_a_chunk_comes_as_soon_as_its_episodes_do(monkeypatch: pytest.MonkeyPatch, tasks: list[Task]):
    monkeypatch.setattr(chunks, "CPU_CHUNK_STEPS", 1)
    whole = rounds_of(tasks)
    futures: list[list[Future[BatchEpisodes]]] = [[Future() for _ in tasks] for _ in whole]
    coming = iter(Chunks(futures, CPU, 10))
    for task in range(3):
        # One task ahead: a chunk is whole when the next task does not fit.
        for of_round, episodes in zip(futures, whole, strict=True):
            of_round[task].set_result(episodes[task])
        if task > 0:
            assert tasks_of(next(coming)) == 1
    assert len(list(coming)) == 1


def test_waiting_is_timed(tasks: list[Task]):
    whole = rounds_of(tasks)
    waiting = Chunks(whole, CPU, 10)
    assert waiting.seconds_waiting == 0.0
    list(waiting)

    def first_episodes() -> BatchEpisodes:
        time.sleep(0.2)
        return whole[0][0]

    with ThreadPoolExecutor(1) as executor:
        late = executor.submit(first_episodes)
        waited = Chunks([[late, *whole[0][1:]], *whole[1:]], CPU, 10)
        list(waited)
    assert 0.1 < waited.seconds_waiting < 60
    assert waiting.seconds_waiting < waited.seconds_waiting


@pytest.mark.parametrize("rounds", [[[]], [[], []]])
def test_no_tasks_are_refused(rounds: Rounds):
    with pytest.raises(ValueError, match="no tasks: an update needs episodes of at least one"):
        Chunks(rounds, CPU, 10)


@pytest.mark.parametrize("inner_step", [0, 1])
def test_mismatching_numbers_of_tasks_are_refused(tasks: list[Task], inner_step: int):
    rounds = rounds_of(tasks)
    rounds[inner_step].pop()
    with pytest.raises(ValueError, match=f"step {inner_step} are of 2 tasks, valid ones of 3"):
        Chunks(rounds, CPU, 10)


@pytest.fixture
def three_threads() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(3)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("three_threads")
def test_threads_answer_in_order_with_one_intra_op_thread_each():
    def answer(item: int) -> tuple[int, int, int]:
        time.sleep(0.05 * (3 - item))
        return item, get_ident(), torch.get_num_threads()

    with chunk_threads() as parallel_map:
        answers = parallel_map(answer, range(3))
    assert [item for item, _, _ in answers] == [0, 1, 2]
    assert len({thread for _, thread, _ in answers} - {get_ident()}) == 3
    assert [intra_op for _, _, intra_op in answers] == [1, 1, 1]
    assert torch.get_num_threads() == 3


@pytest.mark.usefixtures("three_threads")
def test_an_error_of_one_item_is_raised_and_the_number_of_threads_restored():
    with pytest.raises(ZeroDivisionError), chunk_threads() as parallel_map:
        parallel_map(lambda item: 1 / item, [1, 0])
    assert torch.get_num_threads() == 3
