"""Keys of rl2."""

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from maml_rl.config.block import Positive
from maml_rl.config.keys.adam import ClippedKeys
from maml_rl.config.keys.trust_region import TrustRegionKeys

Scope = Literal["trial", "episode"]
"""The whole trial, or an episode of it."""
WHOLE: TypeAdapter[int] = TypeAdapter(int, config=ConfigDict(defer_build=True))


def _whole(value: Any) -> int | None:
    """Return the whole number that a key's value is, however it is written; None if it is none."""
    try:
        return None if isinstance(value, bool) else WHOLE.validate_python(value)
    except ValidationError:
        return None


class RL2Keys(ClippedKeys, TrustRegionKeys):
    """RL²: a recurrent policy that remembers over the episodes of a trial (Duan et al. 2016)."""

    episodes_per_trial: Positive | None = None
    """Episodes of a trial, num-steps + 1: either key says it. fast-batch-size is trials per task."""
    cell: Literal["gru", "gated-gru", "lstm"] = "gru"
    """Recurrent cell; a gated GRU puts its state out through a gate of the input."""
    units: Positive = 64
    """Units of the cell."""
    memory_steps: Positive | None = None
    """Steps that an untrained cell keeps what it has seen, in its slowest unit (Tallec & Ollivier 2018);
    none leaves the gates' biases at 0, or an LSTM's forget gate at 1."""
    encoder_sizes: tuple[Positive, ...] = ()
    """Units of each layer before the cell."""
    hidden_sizes: tuple[Positive, ...] = ()
    """Units of each layer between the cell and the actions."""
    reward_scale: Annotated[float, Field(gt=0)] = 1.0
    """Factor of the last reward where it is an input."""
    critic: Literal["linear", "recurrent", "separate"] = "linear"
    """Values of states: the baseline, fitted anew to each task; a second output of the policy's cell; or one
    of a second cell, the critic's own."""
    credit_over: Scope = "trial"
    """What advantages add up: all that follows in the trial, or in the episode."""
    bootstrap_over: Scope = "trial"
    """Values of states are of the rest of the trial, or of the episode, at whose end they count as 0."""
    outer: Literal["adam", "trust-region"] = "adam"
    """Outer step: passes of Adam on the clipped surrogate (PPO), or a trust region (TRPO)."""
    epochs: Positive = 5
    """Passes of Adam over the trials, per meta-update."""
    minibatches: Positive = 1
    """Steps of Adam in a pass, each on as many trials."""
    kl_stop: Annotated[float, Field(gt=0)] | None = None
    """Mean KL(old || new), in nats, behind which no further pass is begun; none goes through all."""
    max_grad_norm: Annotated[float, Field(gt=0)] | None = None
    """Norm to which gradients are shortened before a step of Adam; none takes them as they are."""
    entropy_coefficient: Annotated[float, Field(ge=0)] = 0.0
    """Coefficient of the entropy, which is added to what is maximised."""
    value_coefficient: Annotated[float, Field(ge=0)] = 0.5
    """Coefficient of the recurrent critic's squared error."""
    chunk: Positive | None = None
    """Steps through which gradients run back; whole trials if not given."""
    overlap: Annotated[int, Field(ge=0)] = 0
    """Steps of a chunk that belong to the one before, and only warm its state up."""

    @classmethod
    def chosen_over(cls, base: dict[str, Any], chosen: dict[str, Any]) -> dict[str, Any]:
        """Leave out the base's num-steps if episodes-per-trial was chosen."""
        if chosen.get("episodes-per-trial") is not None:
            base = {key: value for key, value in base.items() if key != "num-steps"}
        return base | chosen

    @model_validator(mode="before")
    @classmethod
    def _count_episodes(cls, values: Any) -> Any:
        """Say by num-steps how many episodes a trial has."""
        if not isinstance(values, dict):
            return values
        spelled = {key.replace("_", "-"): value for key, value in values.items()}
        episodes = _whole(spelled.get("episodes-per-trial"))
        if episodes is None or episodes < 1:
            return values  # For the field to judge.
        steps = _whole(spelled.setdefault("num-steps", episodes - 1))
        if steps is not None and steps != episodes - 1:
            raise ValueError(f"num-steps {steps} makes {steps + 1} episodes per trial, not {episodes}")
        return spelled | {"episodes-per-trial": None}

    @model_validator(mode="after")
    def _check_together(self) -> "RL2Keys":
        """Check keys that go together."""
        if self.overlap and self.chunk is None:
            raise ValueError(f"overlap {self.overlap} is of chunks: set chunk, or leave overlap at 0")
        if self.chunk is not None and self.overlap >= self.chunk:
            raise ValueError(f"overlap {self.overlap} leaves nothing of chunk {self.chunk}")
        if self.outer == "trust-region" and self.critic != "linear":
            raise ValueError("outer trust-region does not train a critic: set critic to linear")
        return self
