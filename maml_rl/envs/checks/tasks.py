"""Checks of the tasks that are drawn, and of what they change."""

import pickle
from collections.abc import Iterator

from maml_rl._system.own_code import failure
from maml_rl.envs.checks.trial import MORE_TASKS, TASKS, Finding, Trial, excerpt, text_of
from maml_rl.envs.contract import method_of
from maml_rl.envs.playback import SEED, difference
from maml_rl.envs.task_space import Split
from maml_rl.errors import shown

SPLITS: tuple[Split, ...] = ("train", "test")
PLAIN = "tasks are plain data: numbers, texts, arrays, and lists, dicts and dataclasses of such"


def notes(trial: Trial) -> Iterator[Finding]:
    """Yield what there is to say of how tasks are set, where the environment does not do that itself."""
    tell = method_of(trial.env, "task_notes")
    yield from (Finding(False, note) for note in (tell() if tell else ()))


def plain(trial: Trial) -> Iterator[Finding]:
    """Look whether tasks are plain data, which can be sent and told apart, and stay what they are."""
    task = trial.tasks[0]
    before = text_of([task])
    try:
        travelled = text_of([pickle.loads(pickle.dumps(task))])
    except (Exception, SystemExit) as error:  # Whatever somebody's class raises.
        yield Finding(True, f"a task cannot be sent to a worker: {failure(error)}: {PLAIN}")
        return
    if travelled != before:
        yield Finding(True, f"a task and its copy do not look the same: {excerpt(before)}: {PLAIN}")
        return
    trial.episode(task)
    if text_of([task]) != before:
        yield Finding(
            True,
            "the environment alters the task that it is given, "
            f"{excerpt(before)} to {excerpt(text_of([task]))}: copy it in reset_task",
        )


def draws(trial: Trial) -> Iterator[Finding]:
    """Compare tasks drawn with one seed: in fresh copies, again, and after other tasks and their episodes."""
    for split in SPLITS if method_of(trial.env, "sample_test_tasks") else SPLITS[:1]:
        found = list(_draws(trial, split))
        yield from found
        if found:
            return
    if not trial.differ(trial.tasks):
        yield Finding(
            False,
            f"sample_tasks({MORE_TASKS}) drew one task alone: {shown(trial.tasks[0])}: if there are more, "
            "does it fill one object again and again?",
        )


def _draws(trial: Trial, split: Split) -> Iterator[Finding]:
    """Compare those of a split."""

    def draw() -> str:
        return text_of(trial.copies.sample(SEED, TASKS, split))

    trial.renew()
    expected = draw()
    drawn = [("once more", draw())]
    for task in trial.tasks[:2]:
        trial.episode(task)
        drawn.append(("after another task and its episode", draw()))
    trial.renew()
    drawn.append(("in a copy of the environment", draw()))
    name = "sample_test_tasks" if split == "test" else "sample_tasks"
    for when, text in drawn:
        if text != expected:
            yield Finding(
                True,
                f"{name} after reset(seed={SEED}) drew {excerpt(expected)} and then, {when}, "
                f"{excerpt(text)}: draw from self.np_random alone, whatever task is set",
            )
            return


def differs(trial: Trial) -> Iterator[Finding]:
    """Compare the episodes of several tasks."""
    episodes = [trial.episode(task) for task in trial.tasks]
    if trial.differ(trial.tasks) and not any(difference(episodes[0], other) for other in episodes[1:]):
        yield Finding(
            False,
            f"{TASKS} tasks gave the same episode, {len(episodes[0]) - 1} steps long: "
            "does reset_task have an effect, and at the next reset?",
        )
