"""The one description of a training run: the keys that all methods share."""

from functools import cache, partial
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from maml_rl.config.block import Block, Positive
from maml_rl.config.methods import DEFAULT_METHOD, method_named

RUN_KEYS = frozenset({"config", "output-folder", "seed", "num-workers", "use-cuda", "device", "version"})
"""Keys that ``train`` adds to ``config.json``: they describe the run, not the algorithm."""

WORKER_TIMEOUT = 600.0
"""Seconds without an answer after which a sampler process counts as dead, unless told otherwise."""

MOST_STEPS = 10_000
"""More adaptation steps than anybody takes."""

MeanOver = Literal["episodes", "steps"]
"""The steps that a loss is a mean over: each episode's own and then episodes, or all alike."""

LoggerName = Literal["tensorboard", "wandb", "none"]
"""Loggers: places for a run's numbers besides its CSV files."""
LearnerName = Literal["local", "remote"]
"""Places where the tasks of a meta-update are: in the learner's process, or with the workers."""


class Config(Block):
    """Hyperparameters of a run. In files the keys are spelled with dashes: ``fast-batch-size``.

    ``Config(metalearner="promp", …)`` has that method's keys beside those here, and is validated as one.
    """

    if TYPE_CHECKING:  # Which keys there are depends on the method; pydantic checks them.

        def __init__(self, **values: Any): ...

    def __new__(cls, *args: Any, metalearner: str = DEFAULT_METHOD, **values: Any) -> "Config":
        """Return a config with the method's keys; pydantic's ``__init__`` fills it."""
        kind: Any = config_class(metalearner) if cls is Config else cls
        config: Config = super().__new__(kind)
        return config

    env_name: str
    """Id of the environment, registered with Gymnasium, or package.module:EnvClass."""
    env_kwargs: dict[str, Any] = {}
    """Keyword arguments of the environment, as YAML: '{low: 0.0, high: 2.0}'."""
    env_copies: Positive | None = None
    """Copies of the environment that a process holds at most; one per episode of a work item if not given."""
    task_space: dict[str, Any] = {}
    """Ranges of an environment's attributes, to draw tasks from, as YAML: '{g: [5, 15], l: [0.5, 1.5]}'."""
    tasks: list[Any] = []
    """Tasks to train on, where they are not to be drawn: a list, or a file that holds one."""
    test_tasks: list[Any] = []
    """Tasks for 'maml-rl test', where they are not to be drawn: a list, or a file that holds one."""
    metalearner: str = DEFAULT_METHOD
    """Method: one that 'maml-rl methods' lists, or package.module:Class."""
    gamma: Annotated[float, Field(ge=0, le=1)] = 0.99
    """Discount factor per time step."""
    gae_lambda: Annotated[float, Field(ge=0, le=1)] = 1.0
    """Lambda of generalized advantage estimation."""
    baseline: str = "linear"
    """Baseline of the advantages: linear (2020), linear-cv, network, none, or package.module:Class."""
    bootstrap_truncated: bool = False
    """Value of the last observation follows an episode cut by the time limit (2020: always 0)."""
    mean_over: MeanOver = "episodes"
    """Losses are means over each episode's steps, then episodes (2020); or over all steps alike."""
    normalize_observations: bool = False
    """The policy sees observations less their mean, over their deviation, in the run so far."""
    normalize_rewards: bool = False
    """Advantages come from rewards over the deviation of the discounted returns in the run so far."""
    normalize_advantages: bool = True
    """Advantages have mean 0 and deviation 1 in each batch of a task's episodes."""
    policy: str = "mlp"
    """Policy: one that 'maml-rl policies' lists, or package.module:Class, any torch.nn.Module."""
    policy_kwargs: dict[str, Any] = {}
    """Keyword arguments of a policy other than mlp, as YAML: '{channels: [16, 32]}'."""
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
    num_steps: Annotated[int, Field(ge=0, le=MOST_STEPS)] = 1
    """Adaptation steps, each after a batch of episodes."""
    num_batches: Positive = 500
    """Batches of tasks: one meta-update each in training."""
    meta_batch_size: Positive = 20
    """Tasks per batch (N)."""
    tasks_per_item: Positive = 10
    """Tasks that a worker rolls out together, as one batch of environments."""

    @property
    def env_arguments(self) -> dict[str, Any]:
        """The arguments that an environment is made with: its own, and what its tasks are drawn from."""
        tasks = self.task_space or self.tasks
        return {**self.env_kwargs, **({"task_space": tasks} if tasks else {})}

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Config, **self.model_dump()), ()  # The method's class has no name to find it by.

    def to_dict(self) -> dict[str, Any]:
        """Return the config with its file spelling, ready for JSON or YAML."""
        return self.model_dump(by_alias=True, mode="json")


@cache
def config_class(metalearner: str) -> type[Config]:
    """Return the config of the method called ``metalearner``: the shared keys and the method's own.

    Raises:
        UsageError: there is no such method.
    """
    block = method_named(metalearner).block
    namespace = {
        "__module__": __name__,
        "__doc__": block.__doc__,
        # The fields have theirs from their own classes; looking for more takes a tenth of a second.
        "model_config": {"use_attribute_docstrings": False},
    }
    metaclass: Any = type(Config)
    kind: type[Config] = metaclass("Config", (block, Config), namespace)
    return kind
