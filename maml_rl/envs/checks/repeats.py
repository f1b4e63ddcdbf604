"""Checks that an episode follows from its task, seed and actions, wherever it runs."""

import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from functools import partial
from typing import Any

import numpy as np
import torch
from gymnasium.envs.registration import EnvSpec

from maml_rl._system.elsewhere import in_another_process
from maml_rl._system.own_code import failure
from maml_rl.envs.checks.trial import TASKS, Finding, Trial, excerpt, parted, text_of
from maml_rl.envs.contract import draw_tasks, set_task
from maml_rl.envs.playback import SEED, Between, Step, episode, unseeded_episode
from maml_rl.envs.registry import make_env
from maml_rl.envs.task_env import Task
from maml_rl.envs.task_space import EnvTaskSpace


def repeats(trial: Trial) -> Iterator[Finding]:
    """Compare an episode in a used environment and in a fresh one."""
    for task in trial.tasks[:2]:
        first, again = trial.episode(task), trial.episode(task)
        trial.renew()
        elsewhere = trial.episode(task)
        found = parted(
            (first, again),
            "the same task, seed and actions gave two episodes one after the other",
            "something outlives reset(seed=…), or is drawn from a generator that it does not seed",
        ) or parted(
            (first, elsewhere),
            "the same task, seed and actions gave another episode in a copy of the environment",
            "a task must say all that differs, and nothing may be drawn when it is made",
        )
        yield from found
        if found:
            return


def shares(trial: Trial) -> Iterator[Finding]:
    """Step two copies in turn, and compare with one alone, where a process is to hold more than one."""
    if trial.copies.are_native or trial.copies.most == 1:
        return
    alone = trial.episode(trial.tasks[0])
    with closing(trial.copies.another()) as other:
        set_task(other, trial.tasks[1])
        between = Between(other, trial.actions[::-1])
        together = episode(trial.env, trial.tasks[0], trial.actions, between.step)
    yield from parted(
        (alone, together),
        "an episode came out otherwise while a copy of the environment was stepped in between",
        "copies share something; with --env-copies 1 a process holds one, and episodes take turns",
    )


def travels(trial: Trial) -> Iterator[Finding]:
    """Compare tasks and an episode with those of another process."""
    here = trial.episode(trial.tasks[0])
    copies = trial.copies
    run = partial(_tasks_and_episode, copies.spec, copies.env_kwargs, trial.tasks[0], trial.actions)
    try:
        tasks, there = in_another_process(run)
    except (Exception, SystemExit) as error:  # Whatever somebody's environment raises.
        said = f"in another process it fails: {failure(error)}; num-workers 0 samples in this one"
        yield Finding(True, said)
        return
    if tasks != (expected := text_of(trial.drawn)):
        yield Finding(
            True,
            f"sample_tasks after reset(seed={SEED}) drew {excerpt(expected)}, and in another process "
            f"{excerpt(tasks)}: draw from self.np_random alone, not at the import, nor in the order of a set",
        )
        return
    yield from parted(
        (here, there),
        "the same task, seed and actions gave another episode in another process",
        "what a script sets after the import does not travel to workers; env-kwargs and tasks do",
    )


def _tasks_and_episode(
    spec: EnvSpec, env_kwargs: Mapping[str, Any], task: Task, actions: Sequence[Any]
) -> tuple[str, list[Step]]:
    """Draw tasks, and run an episode of ``task``, in a new environment."""
    with closing(make_env(spec, env_kwargs)) as env:
        return text_of(EnvTaskSpace(env).sample(SEED, TASKS)), episode(env, task, actions)


def generators(trial: Trial) -> Iterator[Finding]:
    """Look whether the global random generators are used."""
    before = _generator_states()
    trial.env.reset(seed=SEED)
    draw_tasks(trial.env, 1)
    unseeded_episode(trial.env, trial.tasks[0], trial.actions, lambda: None)
    for name, state in _generator_states().items():
        if state != before[name]:
            yield Finding(
                False,
                f"it draws from the global generator of {name}: maml_rl seeds that before each round, "
                "but self.np_random is the environment's own",
            )


def _generator_states() -> dict[str, Any]:
    numpy = np.random.get_state(legacy=True)  # noqa: NPY002
    return {
        "Python": random.getstate(),
        "NumPy": (numpy[1].tobytes(), *numpy[2:]),  # type: ignore[index]
        "torch": torch.get_rng_state().numpy().tobytes(),
    }
