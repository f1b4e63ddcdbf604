"""A policy that remembers: an encoder, a recurrent cell, and any feed-forward policy on top as its head."""

from collections import OrderedDict
from collections.abc import Callable, Collection, Mapping, Sequence
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import gymnasium as gym
import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Bool, Float
from numpy.typing import NDArray
from torch import Tensor, nn

from maml_rl.parameters import Params
from maml_rl.policies.activations import Nonlinearity, faster
from maml_rl.policies.autograd import AutogradLinearisation
from maml_rl.policies.base import Policy
from maml_rl.policies.cells import CELLS, WEIGHTS
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.policies.normalized import OBSERVATION_MEAN, normalized
from maml_rl.policies.spaces import action_features, action_size

HEAD, CELL, ENCODER, CRITIC = "head", "cell", "encoder", "critic"
"""First parts of the parameters' names."""


class Architecture(NamedTuple):
    """What lies below the head."""

    cell: str = "gru"
    """One of `maml_rl.policies.cells.CELLS`."""
    units: int = 64
    """Units of the cell, H."""
    encoder_sizes: Sequence[int] = ()
    """Units of each layer before the cell."""
    critic: Literal["recurrent", "separate"] | None = None
    """Whether values come out as well: a linear function of the cell's outputs, or of a second encoder's and
    cell's, of the same sizes."""
    nonlinearity: Nonlinearity = torch.tanh
    """After each layer of the encoder."""
    reward_scale: float = 1.0
    """Factor of the reward in an input."""
    memory_steps: int | None = None
    """Steps that the cell remembers at first; see `maml_rl.policies.cells.Cell.remember`."""


class Unrolled(NamedTuple):
    """A recurrent policy at every step of B sequences."""

    pi: ActionDistribution
    """Numbers ``[B, L, A]``; ``[B, 1, A]`` where all steps share them."""
    values: Float[Tensor, "B L"] | None
    """The critic's, if there is one."""
    states: Float[Tensor, "B M"]
    """The memory after the last step."""


class RecurrentPolicy(Policy):
    """A policy ``pi(a | x, h)`` of an input x and a state h, with ``h' = cell(encoder(x), h)``.

    An input of I numbers is the observation, and what came of the step before: action, reward, and whether an
    episode ended with it (Duan et al. 2016, section 2.2). The head looks at h', so that an action depends on
    the newest input. As a `Policy`, what it observes is input and state, one behind the other; all tasks have
    the same parameters.

    Args:
        observation_size: numbers of an observation, O.
        head: a policy whose observations are the cell's H outputs.
        statistics: further parts of theta, which outer steps leave as they are: those of observations, which
            are normalised by them, and the scale of rewards.
    """

    def __init__(
        self,
        observation_size: int,
        action_space: gym.Space[Any],
        head: Policy,
        architecture: Architecture,
        statistics: Mapping[str, Tensor] | None = None,
    ):
        self.architecture, self.cell = architecture, CELLS[architecture.cell]
        self.state_size = self.cell.vectors * architecture.units
        self.observation_size = observation_size
        self.news_size = action_size(action_space) + 2
        self.inputs_size = observation_size + self.news_size
        super().__init__(self.inputs_size + self.state_size, head.output_size)
        self._action_space = action_space
        self.nonlinearity, self.head = faster(architecture.nonlinearity), head
        self.network = self._new_network()
        self.critic = nn.Linear(architecture.units, 1) if architecture.critic else None
        self.critic_network = self._new_network() if architecture.critic == "separate" else None
        self.memory_size = self.state_size * (1 if self.critic_network is None else 2)
        """Numbers that `unroll` remembers, M: the cell's S, and behind them those of a critic's own cell."""
        for part in filter(None, [self.network, self.critic, self.critic_network]):
            for layer in part.modules():
                if isinstance(layer, nn.Linear):
                    nn.init.xavier_uniform_(layer.weight)
                    nn.init.zeros_(layer.bias)
        self._statistics = dict(statistics or {})
        for i, x in enumerate(self._statistics.values()):
            self.register_buffer(f"statistic{i}", x)

    def own_params(self) -> "OrderedDict[str, Tensor]":
        """Return the parameters: encoder, cell, critic, head, and the statistics behind them."""
        parts: OrderedDict[str, Tensor] = OrderedDict()
        modules = (("", self.network), (f"{CRITIC}.", self.critic), (f"{CRITIC}.", self.critic_network))
        for prefix, module in modules:
            if module is not None:
                parts |= {f"{prefix}{key}": x for key, x in module.named_parameters()}
        parts |= {f"{HEAD}.{key}": x for key, x in self.head.own_params().items()}
        return parts | {name: self.get_buffer(f"statistic{i}") for i, name in enumerate(self._statistics)}

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the parameters by the names of `own_params`, which files of policies have."""
        return OrderedDict((name, x.detach()) for name, x in self.own_params().items())

    def load_state_dict(self, state_dict: Mapping[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Load such parameters.

        Raises:
            RuntimeError: names or shapes are others.
        """
        own = self.own_params()
        shapes, given = ({(name, x.shape) for name, x in parts.items()} for parts in (own, state_dict))
        if shapes != given:
            names = ", ".join(sorted({name for name, _ in shapes ^ given}))
            raise RuntimeError(f"the state dict is of another policy; names or shapes differ: {names}")
        with torch.no_grad():
            for name, x in own.items():
                x.copy_(state_dict[name])

    @property
    def moving(self) -> Collection[str]:
        """Names of all parts but the statistics, and what the head says does not move."""
        of_head = {f"{HEAD}.{name}" for name in self.head.moving}
        others = self._statistics.keys()
        return {n for n in self.layout.shapes if n in of_head or not (n.startswith(HEAD) or n in others)}

    def initial_states(self, *shape: int) -> Float[Tensor, "*shape M"]:
        """Return what `unroll` begins with: 0."""
        return torch.zeros(*shape, self.memory_size)

    def news(
        self, actions: Tensor, rewards: Float[Tensor, "*B"], ended: Bool[Tensor, "*B"]
    ) -> Float[Tensor, "*B I"]:
        """Return the part of an input that tells of the step before; at a trial's first step it is 0.

        Args:
            actions: ``[*B, ...]``.
        """
        features = action_features(self._action_space, actions)
        reward = self.architecture.reward_scale * rewards
        return torch.cat([features, reward[..., None], ended[..., None].float()], dim=-1)

    def stepper(
        self, params: Params
    ) -> Callable[[Float[Tensor, "B I"], Float[Tensor, "B S"]], tuple[ActionDistribution, Tensor]]:
        """Return what maps an input and a state to the distribution of actions and the next state."""
        weights = [params[f"{CELL}.{name}"] for name in WEIGHTS]
        act = self.head.at(_below(HEAD, params))

        def step(x: Tensor, state: Tensor) -> tuple[ActionDistribution, Tensor]:
            state = self.cell.step(self._encode(x, params), state, weights)
            return act(state[:, : self.architecture.units]), state

        return step

    def unroll(
        self, params: Params, inputs: Float[Tensor, "B L I"], states: Float[Tensor, "B M"]
    ) -> Unrolled:
        """Run B sequences, each from what it remembers."""
        features, last = self._run(params, inputs, states[:, : self.state_size])
        pi = self.head.at(_below(HEAD, params))(features)
        numbers = (x.expand(len(inputs), 1, -1) if x.dim() == 1 else x for x in pi)
        values = None
        if self.critic_network is not None:
            of_critic = {**params, **_below(CRITIC, params)}
            features, seen = self._run(of_critic, inputs, states[:, self.state_size :])
            last = torch.cat([last, seen], dim=-1)
        if self.critic is not None:
            values = F.linear(features, params[f"{CRITIC}.weight"], params[f"{CRITIC}.bias"])[..., 0]
        return Unrolled(type(pi)(*numbers), values, last)

    def at(self, params: Params) -> Callable[[Float[Tensor, "*B O"]], ActionDistribution]:
        """Return the policy under ``params`` as a function of input and state, one behind the other."""
        if params[f"{CELL}.bias_ih"].dim() > 1:
            raise ValueError("a recurrent policy has the same parameters for all tasks: pass those of one")
        step = self.stepper(params)

        def outputs(observations: Float[Tensor, "*B O"]) -> ActionDistribution:
            rows = observations.reshape(-1, observations.shape[-1])
            pi, _ = step(rows[:, : self.inputs_size], rows[:, self.inputs_size :])
            lead = observations.shape[:-1]
            return type(pi)(*(x if x.dim() == 1 else x.view(*lead, -1) for x in pi))

        return outputs

    def linearise(
        self, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]
    ) -> AutogradLinearisation:
        """Return the derivatives of one step, at one set of parameters, N = 1."""

        def run(parts: Params) -> ActionDistribution:
            pi = self.outputs(observations, {name: x[0] for name, x in parts.items()})
            return type(pi)(*(x.view(1, 1, -1) if x.dim() == 1 else x for x in pi))

        return AutogradLinearisation(run, self.layout, params, self.moving)

    def linearise_sequences(
        self, inputs: Float[Tensor, "B L I"], states: Float[Tensor, "B M"], params: Float[Tensor, "P"]
    ) -> AutogradLinearisation:
        """Return the derivatives of `unroll`'s distributions through time, the states counting as given."""

        def run(parts: Params) -> ActionDistribution:
            return self.unroll({name: x[0] for name, x in parts.items()}, inputs, states).pi

        return AutogradLinearisation(run, self.layout, params[None], self.moving)

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw what the head draws."""
        return self.head.noise(rng, shape)

    def _new_network(self) -> nn.ModuleDict:
        """Return an encoder and a cell; the layers of the encoder are not drawn yet."""
        units = self.architecture.units
        sizes = [self.inputs_size, *self.architecture.encoder_sizes]
        layers = {f"layer{i}": nn.Linear(*pair) for i, pair in enumerate(pairwise(sizes), start=1)}
        recurrence = _weights(self.cell.shapes(sizes[-1], units))
        self.cell.initialise(recurrence)
        if self.architecture.memory_steps is not None:
            self.cell.remember(recurrence, self.architecture.memory_steps)
        return nn.ModuleDict({ENCODER: nn.ModuleDict(layers), CELL: recurrence})

    def _run(
        self, params: Params, inputs: Float[Tensor, "B L I"], states: Float[Tensor, "B S"]
    ) -> tuple[Float[Tensor, "B L H"], Float[Tensor, "B S"]]:
        """Return the cell's outputs at each step, and its last state."""
        weights = [params[f"{CELL}.{name}"] for name in WEIGHTS]
        x = self._encode(inputs, params).transpose(0, 1).contiguous()
        outputs, last = self.cell.run(x, states, weights)
        return outputs.transpose(0, 1), last

    def _encode(self, x: Float[Tensor, "*B I"], params: Params) -> Float[Tensor, "*B E"]:
        if OBSERVATION_MEAN in self._statistics:
            size = len(params[OBSERVATION_MEAN])
            x = torch.cat([normalized(x[..., :size], params), x[..., size:]], dim=-1)
        for number in range(1, 1 + len(self.architecture.encoder_sizes)):
            name = f"{ENCODER}.layer{number}"
            weight, bias = params[f"{name}.weight"], params[f"{name}.bias"]
            x = self.nonlinearity(F.linear(x, weight, bias))
        return x


def _weights(shapes: Sequence[tuple[int, ...]]) -> nn.Module:
    """Return a module that holds a cell's weights."""
    module = nn.Module()
    for name, shape in zip(WEIGHTS, shapes, strict=True):
        module.register_parameter(name, nn.Parameter(torch.empty(shape)))
    return module


def _below(part: str, params: Params) -> dict[str, Tensor]:
    """Return the parameters whose names begin with ``part``, without it."""
    return {name.removeprefix(f"{part}."): x for name, x in params.items() if name.startswith(f"{part}.")}
