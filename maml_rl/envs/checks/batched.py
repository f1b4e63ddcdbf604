"""A check that a batched version and the single environment are one."""

from collections.abc import Iterator, Sequence
from contextlib import closing

from maml_rl.envs.checks.trial import Finding, Trial
from maml_rl.envs.elsewhere.vector import Batch
from maml_rl.envs.plain_spaces import check_alike
from maml_rl.envs.playback import Step, batched_episodes, differences
from maml_rl.envs.registry import make_task_vector_env
from maml_rl.envs.task_env import Task

ROUNDING = 1e-4
"""Largest difference that counts as rounding, relative to numbers above 1."""
NEAR = 10
"""Time steps, from where episodes part, in which rounding stays that small, chaotic as physics may be."""


def batched(trial: Trial) -> Iterator[Finding]:
    """Compare episodes in the batched version, if there is one, and in the single environment.

    Batches of Gymnasium's own kind seed their copies differently from a single environment, and are compared
    with batches of one.

    Raises:
        UsageError: the spaces are not alike.
    """
    copies, tasks = trial.copies, trial.tasks
    if not copies.are_native:
        return
    of_gymnasium = isinstance(copies.spec.vector_entry_point, Batch)

    def side_by_side(tasks: Sequence[Task]) -> list[list[Step]]:
        with closing(make_task_vector_env(copies.spec, copies.env_kwargs, len(tasks))) as batch:
            check_alike(copies.spec.id, trial.env, batch)
            return batched_episodes(batch, tasks, trial.actions)

    together = side_by_side(tasks)
    other, advice = "the single environment", "make them compute the same"
    if of_gymnasium:
        other, advice = "a batch of one", "each copy keeps to its own task and seed"
    parted: list[tuple[float, int, int]] = []
    for number, (task, episode) in enumerate(zip(tasks, together, strict=True)):
        alone = side_by_side([task])[0] if of_gymnasium else trial.episode(task)
        found = list(differences(alone, episode))
        first = found[0].step if found else 0
        near = [where for where in found if where.step < first + NEAR]
        if large := [where for where in near if where.size > ROUNDING]:
            yield Finding(
                True,
                f"its batched version and {other} part in task {number}: {large[0]}: {advice}",
            )
            return
        if near:
            parted.append((max(where.size for where in near), number, first))
    if parted:
        size, number, first = max(parted)
        yield Finding(
            False,
            f"its batched version and {other} part by rounding from step {first} of "
            f"task {number} on, {size:.0e} within {NEAR} steps; what comes later was not compared",
        )
