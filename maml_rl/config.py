"""The one description of a training run: a validated set of hyperparameters, read from YAML or JSON."""

from collections import Counter
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from maml_rl.errors import UsageError, did_you_mean
from maml_rl.yaml_file import read_yaml

RUN_KEYS = frozenset({"config", "output-folder", "seed", "num-workers", "use-cuda", "device", "version"})
"""Keys that ``train`` adds to ``config.json``: they describe the run, not the algorithm."""

WORKER_TIMEOUT = 600.0
"""Seconds without an answer after which a sampler process counts as dead, unless told otherwise."""

MeanOver = Literal["episodes", "steps"]
"""What losses are means over: each episode's own steps and then episodes, or all steps alike."""

LoggerName = Literal["tensorboard", "wandb", "none"]
"""Where a run's numbers go besides its CSV files."""

Positive = Annotated[int, Field(ge=1)]


def _kebab(name: str) -> str:
    return name.replace("_", "-")


class Config(BaseModel):
    """Hyperparameters of MAML-TRPO. In files the keys are spelled with dashes: ``fast-lr``."""

    model_config = ConfigDict(
        alias_generator=_kebab,
        populate_by_name=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        use_attribute_docstrings=True,
        defer_build=True,  # Until something is validated, for a quick --help.
    )

    env_name: str
    """Id of the environment, registered with Gymnasium, or package.module:EnvClass."""
    env_kwargs: dict[str, Any] = {}
    """Keyword arguments of the environment, as YAML: '{low: 0.0, high: 2.0}'."""
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.99
    """Discount factor per time step."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Lambda of generalized advantage estimation."""
    bootstrap_truncated: bool = False
    """Value of the last observation follows an episode cut by the time limit (2020: always 0)."""
    mean_over: MeanOver = "episodes"
    """Losses are means over each episode's steps, then episodes (2020); or over all steps alike."""
    first_order: bool = False
    """Drop the second derivatives of the inner step (first-order MAML)."""
    hidden_sizes: tuple[Positive, ...] = (64, 64)
    """Units of each hidden layer."""
    nonlinearity: str = "tanh"
    """Activation after each hidden layer: any function of torch or torch.nn.functional."""
    init_std: Annotated[float, Field(gt=0)] = 1.0
    """Initial standard deviation of continuous actions, in the units of the action space."""
    init_gain: Annotated[float, Field(gt=0)] = 1.0
    """Factor of the last layer's initial weights; small, a new policy acts alike everywhere."""
    fast_batch_size: Positive = 20
    """Episodes per task (K), before and after each adaptation step."""
    num_steps: Annotated[int, Field(ge=0)] = 1
    """Inner gradient steps."""
    fast_lr: Annotated[float, Field(gt=0)] = 0.1
    """Step size of the inner gradient steps (alpha)."""
    num_batches: Positive = 500
    """Batches of tasks: one meta-update each in training."""
    meta_batch_size: Positive = 20
    """Tasks per batch (N)."""
    max_kl: Annotated[float, Field(gt=0)] = 1e-2
    """Radius of the trust region: largest mean KL(old || new), in nats."""
    cg_iters: Positive = 10
    """Iterations of conjugate gradient."""
    cg_damping: Annotated[float, Field(ge=0)] = 1e-5
    """Multiple of the identity added to the Fisher matrix."""
    ls_max_steps: Positive = 15
    """Step lengths that the line search tries."""
    ls_backtrack_ratio: Annotated[float, Field(gt=0, lt=1)] = 0.8
    """Each try of the line search over the one before it."""
    tasks_per_item: Positive = 10
    """Tasks that a worker rolls out together, as one batch of environments."""

    def to_dict(self) -> dict[str, Any]:
        """Return the config with its file spelling, ready for JSON or YAML."""
        return self.model_dump(by_alias=True, mode="json")

    def advantages(self) -> dict[str, Any]:
        """Return the keyword arguments of `Sampler.sample_async` for advantages, and means over them."""
        return self.model_dump(include={"gamma", "gae_lambda", "bootstrap_truncated", "mean_over"})


def parse_config(entries: dict[str, Any], source: str) -> Config:
    """Validate ``entries`` (dashed keys; those of a 2020 ``config.json`` too) that came from ``source``.

    Raises:
        UsageError: an unknown key, a missing one, one that is there twice, or a value out of range.
    """
    if twice := [key for key, times in Counter(_kebab(str(key)) for key in entries).items() if times > 1]:
        raise UsageError(f"{source}: '{twice[0]}' is given twice, with a dash and with an underscore")
    given = {_kebab(str(key)): value for key, value in entries.items()}
    options = {key: value for key, value in given.items() if key not in RUN_KEYS}
    if options.get("env-kwargs", ...) is None:  # YAML's "env-kwargs:" with nothing behind it
        del options["env-kwargs"]
    known = {_kebab(name) for name in Config.model_fields}
    for key in options.keys() - known:
        raise UsageError(f"{source}: unknown key '{key}'{did_you_mean(key, known)}")
    try:
        return Config.model_validate(options)
    except ValidationError as error:
        raise UsageError(f"{source}: {describe(error)}") from None


def describe(error: ValidationError) -> str:
    """Say in one line which keys are wrong, what was given and what is expected."""
    lines = []
    for problem in error.errors():
        key = ".".join(_kebab(str(part)) for part in problem["loc"])
        got = "" if problem["type"] == "missing" else f", got {problem['input']!r}"
        lines.append(f"'{key}': {problem['msg'].lower()}{got}")
    return "; ".join(lines)


def load_config(path: Path) -> tuple[Config, dict[str, Any]]:
    """Read a YAML or JSON config; return it and the run keys (``seed``, ``num-workers``, …) beside it.

    Raises:
        UsageError: the file is missing, unreadable, not a mapping, or not a valid config.
    """
    entries = read_yaml(path, "config")
    if not isinstance(entries, dict):
        raise UsageError(f"{path}: expected a mapping of options, such as 'env-name: 2DNavigation-v0'")
    run = {_kebab(str(k)): v for k, v in entries.items() if _kebab(str(k)) in RUN_KEYS}
    return parse_config(entries, str(path)), run
