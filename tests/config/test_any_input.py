"""Whatever users give, it is taken, or refused in one printable line, within a second."""

import json
import random
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from maml_rl.cli.options import config_from
from maml_rl.cli.parser import parse
from maml_rl.config import Config, config_class, load_config, parse_config, read_tasks
from maml_rl.config.block import kebab
from maml_rl.config.methods import METHODS
from maml_rl.envs import make_env, make_task_vector_env
from maml_rl.envs.like import like
from maml_rl.envs.registry import registered
from maml_rl.envs.task_space import EnvTaskSpace
from maml_rl.errors import UsageError, out_of_memory

KEYS = [name.replace("_", "-") for method in METHODS.values() for name in method.block.model_fields]
KEYS += [name.replace("_", "-") for name in Config.model_fields]
NUMBERS = [0, 1, -1, 2, 0.5, 1e-3, 1e308, -1.7e308, 10**30, -(10**30), 10**400, float("nan"), float("inf")]
WORDS = ["", "tanh", "mlp", "promp", "TabularMDP-v0", "a:b", ":", "..:x", "../x:y", "1e3", "\x1b[31m", "a\nb"]
WORDS += ["\u202e", "\x00", "é" * 300, "x" * 5000, "gymnasium:Env", "maml_rl.envs:TaskEnv", "maml-trpo:x"]


def anything(rng: random.Random, depth: int = 3) -> Any:
    kind = rng.randrange(6 if depth else 4)
    if kind == 4:
        return [anything(rng, depth - 1) for _ in range(rng.randrange(4))]
    if kind == 5:
        return {rng.choice(WORDS): anything(rng, depth - 1) for _ in range(rng.randrange(4))}
    return rng.choice(([None, True, False], NUMBERS, WORDS, NUMBERS)[kind])


def taken_or_refused(attempt: Callable[[], object], what: object) -> bool:
    """Return whether it was taken."""
    started = time.process_time()
    try:
        attempt()
        taken = True
    except UsageError as error:
        message = str(error)
        assert message, what
        assert message.isprintable(), what
        assert len(message) < 5000, what
        taken = False
    assert time.process_time() - started < 1, what
    return taken


@pytest.mark.parametrize("seed", range(3))
def test_configs(tmp_path: Path, seed: int):
    rng = random.Random(seed)
    taken = 0
    for number in range(300):
        entries = {"env-name": rng.choice(WORDS)} if rng.random() < 0.9 else {}
        for _ in range(rng.randrange(4)):
            entries[rng.choice(KEYS if rng.random() < 0.9 else WORDS)] = anything(rng)
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(entries))
        for lenient in (False, True):
            taken += taken_or_refused(lambda: load_config(path, lenient=lenient)[0].to_dict(), entries)  # noqa: B023
        taken_or_refused(lambda: parse_config(entries, "here"), entries)  # noqa: B023
    assert 50 < taken < 500


@pytest.mark.parametrize("seed", range(3))
def test_options(seed: int):
    rng = random.Random(seed)
    taken = 0
    for _ in range(30):
        method = rng.choice([*METHODS])
        words = ["train", "--env-name", "TabularMDP-v0", "--metalearner", method]
        keys = [kebab(name) for name in config_class(method).model_fields]
        for _ in range(rng.randrange(1, 3)):
            value = rng.choice([str(rng.choice(NUMBERS)), rng.choice(WORDS), json.dumps(anything(rng))])
            words += [f"--{rng.choice(keys)}", value]
        taken += taken_or_refused(lambda: config_from(parse(words).hyperparameters), words)  # noqa: B023
    assert 1 < taken < 18


NAMES = ["low", "high", "task", "k", "std", "num_states", "num_actions", "normalization_scale", "render_mode"]
NAMES += ["max_episode_steps", "observe_task", "contact_forces", "width", "height", "autoreset", "a\nb"]


PATHS = [
    "g",
    "l",
    "max_speed",
    "state",
    "spec",
    "metadata[render_fps]",
    "a.b",
    "g[0]",
    "__class__",
    "observation_space",
]


@pytest.mark.parametrize("seed", range(3))
def test_task_spaces(seed: int):
    make_env("Pendulum-v1", {"task_space": {"g": [5, 15]}}).reset()  # The first one imports more.
    rng = random.Random(seed)
    taken = 0
    for _ in range(100):
        bounds: Any = [rng.choice(NUMBERS), rng.choice(NUMBERS)]
        space: Any = {
            rng.choice(PATHS): rng.choice([bounds, {"scale": bounds}, {"choices": bounds}, anything(rng)])
        }
        if rng.random() < 0.2:
            space = anything(rng)
        if space is None:
            continue

        def attempt(space: Any = space) -> None:
            env = make_env("Pendulum-v1", {"task_space": space})
            for task in EnvTaskSpace(env).sample(0, 3):
                env.get_wrapper_attr("reset_task")(task)
                env.reset()

        taken += taken_or_refused(attempt, space)
    assert 2 < taken < 60


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.filterwarnings("ignore::RuntimeWarning", "ignore::UserWarning", "ignore::DeprecationWarning")
def test_arguments_of_environments(seed: int):
    rng = random.Random(seed)
    ours = [spec.id for spec in registered() if not spec.id.startswith(("Ant", "HalfCheetah"))]
    for _ in range(60):
        kwargs = {rng.choice(NAMES): anything(rng, 2) for _ in range(rng.randrange(3))}
        env = rng.choice(ours) if rng.random() < 0.9 else rng.choice(WORDS)
        for make in (make_env, lambda env, kwargs: make_task_vector_env(env, kwargs, 2)):
            try:
                taken_or_refused(lambda: make(env, kwargs).close(), (env, kwargs))  # noqa: B023
            except Exception as error:
                if not out_of_memory(error):
                    raise


EXAMPLES: list[dict[str, Any]] = [
    {"velocity": np.float64(1.0)},
    {"goal": np.zeros(2, np.float32), "name": "a"},
    {"arm": np.int32(0), "flags": np.zeros((2, 1), np.uint8)},
]


def changed(value: Any, rng: random.Random) -> Any:
    """Return most often what JSON has for the value."""
    return anything(rng, 2) if rng.random() < 0.2 else np.asarray(value).tolist()


@pytest.mark.parametrize("seed", range(3))
def test_files_of_tasks(tmp_path: Path, seed: int):
    rng = random.Random(seed)
    taken = 0
    for number in range(200):
        example = rng.choice(EXAMPLES)
        tasks: Any = [{key: changed(value, rng) for key, value in example.items()} for _ in range(2)]
        if rng.random() < 0.2:
            tasks = anything(rng)
        path = tmp_path / f"{number}.json"
        path.write_text(json.dumps(tasks))
        taken += taken_or_refused(
            lambda: [like([example], task, "task") for task in read_tasks(path)],  # noqa: B023
            (example, tasks),
        )
    assert 50 < taken < 150
