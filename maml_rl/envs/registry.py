"""Make environments by id, and say plainly what is there when that fails."""

import copy
import dataclasses
import inspect
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, NamedTuple, cast

import gymnasium as gym
from gymnasium.envs.registration import EnvSpec, load_env_creator
from gymnasium.vector import VectorEnv

from maml_rl._system.kept import process_settings_kept
from maml_rl._system.own_code import described, failure, import_named
from maml_rl.envs.adapter import GymTaskVectorEnv
from maml_rl.envs.contract import method_of
from maml_rl.envs.elsewhere.old_gym import OldGym, is_old_gym
from maml_rl.envs.elsewhere.vector import Batch, FirstCopy, takes_tasks
from maml_rl.envs.observed_task import ObserveTask, ObserveTaskVector
from maml_rl.envs.plain_spaces import with_plain_spaces
from maml_rl.envs.quiet_close import QuietClose
from maml_rl.envs.task_env import TaskVectorEnv
from maml_rl.envs.with_tasks import with_tasks
from maml_rl.errors import LARGEST_COUNT, UsageError, did_you_mean, out_of_memory, shown

FLAGS = ("observe_task", "clip_actions")
"""Arguments of any environment that are not its own: see `ObserveTask` and `with_plain_spaces`. There also is
``task_space``, see `with_tasks`."""


def find_spec(env_name: str) -> EnvSpec:
    """Return what ``env_name`` names: a registered id, ``module:id``, or ``package.module:EnvClass``.

    The module is imported. Beside a class ``FooEnv``, a `TaskVectorEnv` called ``FooVectorEnv`` is its
    batched version. The class may be one of another library, see `maml_rl.envs.elsewhere`.

    Raises:
        UsageError: there is none.
    """
    what = f"environment '{env_name}'"
    module_name, _, name = env_name.rpartition(":")
    if "/" in module_name or module_name.startswith("."):
        dotted = module_name.removesuffix(".py").strip("./").replace("/", ".")
        raise UsageError(f"{what}: expected a module, as in '{dotted}:{name}', not a file")
    try:
        with process_settings_kept():
            module = import_named(module_name, what) if module_name else None
    except UsageError as error:
        hint = f"; did you mean '{name}'?" if name in gym.registry else ""
        raise UsageError(f"{error}{hint}") from error
    entry = getattr(module, name, None)
    if isinstance(entry, type):
        if issubclass(entry, VectorEnv):
            if not takes_tasks(entry):
                raise UsageError(
                    f"{what}: a VectorEnv needs reset_task(tasks), which takes one for each copy"
                )
            first: Any = FirstCopy(entry)
            return EnvSpec(name, entry_point=first, vector_entry_point=_batch_of_tasks(entry))
        if is_old_gym(entry):
            return EnvSpec(name, entry_point=cast(Any, OldGym(entry)))
        if not issubclass(entry, gym.Env):
            bases = ", ".join(f"{base.__module__}.{base.__qualname__}" for base in entry.__bases__)
            raise UsageError(f"{what}: expected a gymnasium.Env; the class derives from {bases}")
        batched = _batch_of_tasks(getattr(module, f"{name.removesuffix('Env')}VectorEnv", None))
        return EnvSpec(name, entry_point=cast(Any, entry), vector_entry_point=batched)
    try:
        return _with_batch_of_tasks(gym.spec(name))
    except gym.error.Error as error:
        if module is not None:
            raise UsageError(
                f"{what}: {described(module)} has no class '{name}', and registers no such id"
            ) from None
        problem = str(error).partition(" Did you mean")[0].rstrip(".")
        ours = [spec.id for spec in filter(is_shipped, gym.registry.values())]
        hint = did_you_mean(name, ours, "; 'maml-rl envs' lists those that ship")
        raise UsageError(f"{what}: {problem}{hint}") from None


def make_env(env: str | EnvSpec, env_kwargs: Mapping[str, Any] | None = None) -> gym.Env[Any, Any]:
    """Make one environment with its time limit, and check that it is a task distribution.

    Args:
        env_kwargs: of the environment, those of `FLAGS`, and ``task_space``.

    Returns:
        The environment, with spaces that policies know, see `maml_rl.envs.plain_spaces`.

    Raises:
        UsageError: the id does not exist, a keyword argument is not one of its own or has a value that
            it cannot have, the environment fails, or lacks ``sample_tasks`` or ``reset_task``, or no policy
            can be made for its spaces.
    """
    spec = find_spec(env) if isinstance(env, str) else env
    given = _split(env_kwargs)
    _check_kwargs(spec, {**given.own, **given.flags}, keyword_arguments(spec))
    with _making(spec, given.own):
        made: gym.Env[Any, Any] = gym.make(spec, **given.own)
    if not is_shipped(spec):
        made = QuietClose(made, spec.id)
    # The shipped ones end by themselves; a batched version says what the single one does.
    if "mujoco" in sys.modules and not is_shipped(spec) and spec.vector_entry_point is None:
        from maml_rl.envs.mujoco.blow_ups import EndWhereItBlowsUp  # MuJoCo takes a second to import.

        made = EndWhereItBlowsUp(made)
    try:
        tasks = with_tasks(made, given.task_space, spec.id)
        for method in ("sample_tasks", "reset_task"):
            if method_of(tasks, method) is None:
                raise UsageError(
                    f"environment '{spec.id}' has no method {method}(): a task distribution needs "
                    "sample_tasks(num_tasks), which returns dicts, and reset_task(task), which takes one; "
                    f"or give a task-space, such as '{{g: [5, 15]}}', of its attributes{_relatives(spec)}"
                )
        # A batched version takes actions as they are, and so shall the single one.
        plain = with_plain_spaces(tasks, given.flags.get("clip_actions", spec.vector_entry_point is None))
        return ObserveTask(plain) if given.flags.get("observe_task", False) else plain
    except UsageError:
        made.close()
        raise


def make_task_vector_env(
    env: str | EnvSpec, env_kwargs: Mapping[str, Any] | None, num_envs: int
) -> TaskVectorEnv:
    """Make ``num_envs`` environments that step as one: natively where there is a batched version.

    Raises:
        UsageError: as `make_env`; the batched version takes no task and nothing that is for rendering.
    """
    spec = find_spec(env) if isinstance(env, str) else env
    if spec.vector_entry_point is None:
        return GymTaskVectorEnv([make_env(spec, env_kwargs) for _ in range(num_envs)])
    given = _split(env_kwargs)
    _check_kwargs(spec, {**given.own, **given.flags}, shared_arguments(spec))
    with _making(spec, given.own):
        made = gym.make_vec(spec, num_envs=num_envs, **given.own)
    if not isinstance(made, TaskVectorEnv):
        raise UsageError(
            f"environment '{spec.id}': its vector_entry_point makes a {type(made).__name__}, "
            "expected a maml_rl.envs.TaskVectorEnv"
        )
    if not given.flags.get("observe_task", False):
        return made
    with closing(make_env(spec, given.own)) as single:
        return ObserveTaskVector(made, ObserveTask(single))


def _with_batch_of_tasks(spec: EnvSpec) -> EnvSpec:
    """Return a registration whose batched version has tasks; one without, as CartPole's, is left out."""
    creator = _creator(spec.vector_entry_point)
    batch = _batch_of_tasks(creator) if takes_tasks(creator) else None
    if batch is not creator:
        spec = copy.copy(spec)
        spec.vector_entry_point = batch
    return spec


def _batch_of_tasks(creator: Any) -> Any:
    """Return what makes a batch, for a class of Gymnasium's batches with what makes it one of tasks."""
    is_gymnasiums = isinstance(creator, type) and issubclass(creator, VectorEnv)
    if not is_gymnasiums or issubclass(creator, TaskVectorEnv) or not takes_tasks(creator):
        return creator
    return Batch(creator)


def _creator(entry_point: Any) -> Any:
    """Return what makes an environment; None if nothing does.

    Raises:
        UsageError: it cannot be imported.
    """
    if entry_point is None or callable(entry_point):
        return entry_point
    try:
        with process_settings_kept():
            return load_env_creator(entry_point)
    except (Exception, SystemExit) as error:  # It is a module of somebody's, which may do anything.
        raise UsageError(f"environment '{entry_point}': {failure(error)}") from error


def registered() -> list[EnvSpec]:
    """Return the environments that ship with maml_rl and need no other package, in alphabetical order."""
    shipped = filter(is_shipped, gym.registry.values())
    return sorted((spec for spec in shipped if spec.namespace is None), key=lambda spec: spec.id)


def is_shipped(spec: EnvSpec) -> bool:
    """Return whether an environment ships with maml_rl."""
    return str(spec.entry_point).startswith("maml_rl.")


def keyword_arguments(spec: EnvSpec) -> dict[str, Any] | None:
    """Return the keyword arguments that an environment takes, with their defaults; None if it takes any."""
    arguments = _arguments(spec.entry_point)
    if arguments is None:
        return None
    # gym.make takes the time limit for itself, make_env the rest.
    wrapped = {"observe_task": False} | ({"clip_actions": True} if spec.vector_entry_point is None else {})
    taken = {**arguments, **spec.kwargs, "max_episode_steps": spec.max_episode_steps, **wrapped}
    refused = getattr(_creator(spec.entry_point), "refused_arguments", ())
    return {name: default for name, default in taken.items() if name not in refused}


def shared_arguments(spec: EnvSpec) -> dict[str, Any] | None:
    """Return those that the batched version takes too, if there is one: what a config can give."""
    single, batched = keyword_arguments(spec), _arguments(spec.vector_entry_point)
    if single is None or batched is None:
        return single
    return {name: single[name] for name in single if name in {*batched, "observe_task"}}


def _arguments(entry_point: Any) -> dict[str, Any] | None:
    creator = _creator(entry_point)
    if creator is None:
        return None
    family = getattr(creator, "family", None)
    defaults = {field.name: field.default for field in dataclasses.fields(family)} if family else {}
    for parameter in inspect.signature(creator).parameters.values():
        if parameter.kind is parameter.VAR_KEYWORD:
            if family is None:
                return None
        else:
            defaults[parameter.name] = parameter.default
    return defaults


class _Given(NamedTuple):
    """Arguments by what takes them: the environment, and `make_env`."""

    own: dict[str, Any]
    flags: dict[str, bool]
    task_space: Any


def _split(env_kwargs: Mapping[str, Any] | None) -> _Given:
    """Return the arguments by what takes them; they may be spelled with dashes, as the keys of configs are.

    Raises:
        UsageError: one is there twice, one of `FLAGS` is neither true nor false, or ``max_episode_steps`` no
            number of steps.
    """
    kwargs = {str(name).replace("-", "_"): value for name, value in (env_kwargs or {}).items()}
    if len(kwargs) < len(env_kwargs or {}):
        raise UsageError(
            f"env-kwargs: one argument is there twice, in {', '.join(map(str, env_kwargs or {}))}"
        )
    flags = {name: kwargs.pop(name) for name in FLAGS if name in kwargs}
    for name, value in flags.items():
        if not isinstance(value, bool):
            raise UsageError(f"{name}: expected true or false, got {shown(value)}")
    steps = kwargs.get("max_episode_steps", 1)
    if steps is None:  # The registered limit, as gym.make understands it; gym.make_vec does not.
        del kwargs["max_episode_steps"]
    elif not isinstance(steps, int) or isinstance(steps, bool) or not 1 <= steps <= LARGEST_COUNT:
        raise UsageError(f"max_episode_steps: expected a whole number, 1 or more, got {shown(steps)}")
    task_space = kwargs.pop("task_space", None)
    return _Given(kwargs, flags, task_space)


def _check_kwargs(spec: EnvSpec, kwargs: Mapping[str, Any], accepted: Mapping[str, Any] | None) -> None:
    if accepted is None:
        return
    for name in kwargs:
        if name not in accepted:
            raise UsageError(
                f"environment '{spec.id}' takes no argument '{name}'; it takes: {', '.join(sorted(accepted))}"
            )
    for name, default in accepted.items():
        if default is inspect.Parameter.empty and name not in kwargs:
            raise UsageError(f"environment '{spec.id}' needs the argument '{name}': give it in env-kwargs")


def _relatives(spec: EnvSpec) -> str:
    """Return a hint at the task distributions of the same robot, for ids of Gymnasium's own."""
    robot = spec.name
    ours = [other.id for other in registered() if other.name.startswith(robot) and other.name != robot]
    return f"; of {robot} there are {', '.join(ours)}" if ours else ""


@contextmanager
def _making(spec: EnvSpec, kwargs: Mapping[str, Any]) -> Iterator[None]:
    """Say in a line why an environment, which may be anybody's, cannot be made; keep the process as it is."""
    try:
        with process_settings_kept():
            yield
    except UsageError:
        raise
    except (Exception, SystemExit) as error:
        if out_of_memory(error):
            raise
        with_what = f" with {shown(dict(kwargs))}" if kwargs else ""
        raise UsageError(f"environment '{spec.id}' cannot be made{with_what}: {failure(error)}") from error
