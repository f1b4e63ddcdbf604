"""Checks of the tasks that are drawn, and of what they change."""

from collections.abc import Iterator

from maml_rl.envs.checks.trial import TASKS, Finding, Trial, text_of
from maml_rl.envs.contract import method_of
from maml_rl.envs.playback import SEED, difference
from maml_rl.errors import shown


def notes(trial: Trial) -> Iterator[Finding]:
    """Yield what there is to say of how tasks are set, where the environment does not do that itself."""
    tell = method_of(trial.env, "task_notes")
    yield from (Finding(False, note) for note in (tell() if tell else ()))


def draws(trial: Trial) -> Iterator[Finding]:
    """Compare tasks drawn with one seed: in fresh copies, again, and after other tasks and their episodes."""

    def draw() -> str:
        return text_of(trial.copies.sample(SEED, TASKS))

    trial.renew()
    drawn = [("in a copy of the environment", draw()), ("once more", draw())]
    for task in trial.tasks[:2]:
        trial.episode(task)
        drawn.append(("after another task and its episode", draw()))
    expected = text_of(trial.tasks)
    for when, text in drawn:
        if text != expected:
            yield Finding(
                True,
                f"sample_tasks after reset(seed={SEED}) drew {expected[:100]} and then, {when}, "
                f"{text[:100]}: draw from self.np_random alone, whatever task is set",
            )
            return
    if text_of(trial.tasks[:1] * TASKS) == text_of(trial.tasks):
        task = shown(trial.tasks[0])
        yield Finding(False, f"sample_tasks({TASKS}) drew the same task {TASKS} times: {task}")


def differs(trial: Trial) -> Iterator[Finding]:
    """Compare the episodes of several tasks."""
    episodes = [trial.episode(task) for task in trial.tasks]
    if text_of(trial.tasks[:1]) != text_of(trial.tasks[1:2]) and not any(
        difference(episodes[0], other) for other in episodes[1:]
    ):
        yield Finding(
            False,
            f"{TASKS} tasks gave the same episode, {len(episodes[0]) - 1} steps long: "
            "does reset_task have an effect, and at the next reset?",
        )
