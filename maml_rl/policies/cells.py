"""Recurrent cells as functions of their weights: a step at a time, or a whole sequence."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import ClassVar

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

WEIGHTS = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
"""Names of a cell's weights, as `torch.nn.GRUCell` has them."""


class Cell(ABC):
    """A recurrent cell of H units. Its state is one vector of S numbers, the first H of which it puts out."""

    gates: ClassVar[int]
    """Blocks of H rows in each recurrent weight."""
    vectors: ClassVar[int] = 1
    """Vectors of H numbers in a state: S = ``vectors`` H."""

    @abstractmethod
    def step(
        self, x: Float[Tensor, "B I"], state: Float[Tensor, "B S"], weights: Sequence[Tensor]
    ) -> Float[Tensor, "B S"]:
        """Return the state after one step."""

    @abstractmethod
    def run(
        self, x: Float[Tensor, "L B I"], state: Float[Tensor, "B S"], weights: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "L B H"], Float[Tensor, "B S"]]:
        """Return the outputs of each of L steps, and the state after the last."""

    def shapes(self, inputs: int, units: int) -> list[tuple[int, ...]]:
        """Return the shapes of `WEIGHTS` for ``inputs`` numbers of an input."""
        rows = self.gates * units
        return [(rows, inputs), (rows, units), (rows,), (rows,)]

    @torch.no_grad()
    def initialise(self, module: nn.Module) -> None:
        """Draw orthogonal recurrent weights and Xavier-uniform input weights, gate by gate; biases are 0."""
        for name, draw in (("weight_hh", nn.init.orthogonal_), ("weight_ih", nn.init.xavier_uniform_)):
            for gate in _by_gate(module, name):
                draw(gate)
        for name in ("bias_ih", "bias_hh"):
            module.get_parameter(name).zero_()

    @abstractmethod
    def remember(self, module: nn.Module, steps: int) -> None:
        """Draw biases with which each unit keeps its content for 2 to ``steps`` steps, differently long.

        Source: Tallec & Ollivier 2018, section 2, "chrono initialization".
        """


class GRU(Cell):
    """A gated recurrent unit (Cho et al. 2014), as `torch.nn.GRU` has it."""

    gates = 3

    def step(
        self, x: Float[Tensor, "B I"], state: Float[Tensor, "B S"], weights: Sequence[Tensor]
    ) -> Float[Tensor, "B S"]:
        """Return the state after one step."""
        return torch.gru_cell(x, state, *weights)

    def run(
        self, x: Float[Tensor, "L B I"], state: Float[Tensor, "B S"], weights: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "L B H"], Float[Tensor, "B S"]]:
        """Return the outputs of each step, and the last state."""
        outputs, last = torch.gru(
            x, state[None].contiguous(), list(weights), True, 1, 0.0, True, False, False
        )
        return outputs, last[0]

    @torch.no_grad()
    def remember(self, module: nn.Module, steps: int) -> None:
        """Draw the bias of the update gate, which is the second."""
        update = _by_gate(module, "bias_ih")[1]
        update.copy_(_drawn_log_steps(update, steps))


class GatedGRU(GRU):
    """A GRU that puts out its state h' through a gate of the input x: ``2 sigmoid(W x + b) h'``.

    So an input chooses, of all that is remembered, what bears on it: on the mean rewards of many states, say,
    those of the present one. Without a product of input and state that is hard to learn. W and b are the last
    block of the input's weights.
    """

    vectors = 2

    def shapes(self, inputs: int, units: int) -> list[tuple[int, ...]]:
        """Return the GRU's shapes, those of the input's weights with a block more."""
        (rows, _), of_state, _, bias = super().shapes(inputs, units)
        return [(rows + units, inputs), of_state, (rows + units,), bias]

    def step(
        self, x: Float[Tensor, "B I"], state: Float[Tensor, "B S"], weights: Sequence[Tensor]
    ) -> Float[Tensor, "B S"]:
        """Return the state after one step: outputs, then the GRU's own."""
        gate, of_gru = self._gate(x, weights)
        h = super().step(x, state.chunk(2, dim=-1)[1], of_gru)
        return torch.cat([gate * h, h], dim=-1)

    def run(
        self, x: Float[Tensor, "L B I"], state: Float[Tensor, "B S"], weights: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "L B H"], Float[Tensor, "B S"]]:
        """Return the outputs of each step, and the last state."""
        gate, of_gru = self._gate(x, weights)
        h, last = super().run(x, state.chunk(2, dim=-1)[1], of_gru)
        outputs = gate * h
        return outputs, torch.cat([outputs[-1], last], dim=-1)

    @staticmethod
    def _gate(x: Float[Tensor, "*B I"], weights: Sequence[Tensor]) -> tuple[Tensor, list[Tensor]]:
        """Return how much of each unit is put out, and the weights of the GRU."""
        weight_ih, weight_hh, bias_ih, bias_hh = weights
        rows = len(weight_hh)
        gate = 2 * torch.sigmoid(F.linear(x, weight_ih[rows:], bias_ih[rows:]))
        return gate, [weight_ih[:rows], weight_hh, bias_ih[:rows], bias_hh]


class LSTM(Cell):
    """A long short-term memory (Hochreiter & Schmidhuber 1997), as `torch.nn.LSTM` has it.

    Forget gates begin with a bias of 1 (Jozefowicz et al. 2015).
    """

    gates, vectors = 4, 2

    def step(
        self, x: Float[Tensor, "B I"], state: Float[Tensor, "B S"], weights: Sequence[Tensor]
    ) -> Float[Tensor, "B S"]:
        """Return the state after one step: outputs, then the cell's own."""
        return torch.cat(torch.lstm_cell(x, state.chunk(2, dim=-1), *weights), dim=-1)

    def run(
        self, x: Float[Tensor, "L B I"], state: Float[Tensor, "B S"], weights: Sequence[Tensor]
    ) -> tuple[Float[Tensor, "L B H"], Float[Tensor, "B S"]]:
        """Return the outputs of each step, and the last state."""
        first = [part[None].contiguous() for part in state.chunk(2, dim=-1)]
        outputs, *last = torch.lstm(x, first, list(weights), True, 1, 0.0, True, False, False)
        return outputs, torch.cat([part[0] for part in last], dim=-1)

    @torch.no_grad()
    def initialise(self, module: nn.Module) -> None:
        """Draw the weights; input, forget, cell and output gates are in this order."""
        super().initialise(module)
        _by_gate(module, "bias_ih")[1].fill_(1.0)

    @torch.no_grad()
    def remember(self, module: nn.Module, steps: int) -> None:
        """Draw the bias of the forget gate, and its opposite for the input gate."""
        take, keep, *_ = _by_gate(module, "bias_ih")
        keep.copy_(_drawn_log_steps(keep, steps))
        take.copy_(-keep)


def _by_gate(module: nn.Module, name: str) -> tuple[Tensor, ...]:
    """Return the blocks of H rows of one of a cell's weights."""
    weight, units = module.get_parameter(name), module.get_parameter("weight_hh").shape[1]
    return weight.chunk(len(weight) // units)


def _drawn_log_steps(like: Tensor, steps: int) -> Tensor:
    """Return logarithms of numbers between 1 and ``steps - 1``, drawn uniformly."""
    return torch.empty_like(like).uniform_(1, max(steps - 1, 1)).log()


CELLS: dict[str, Cell] = {"gru": GRU(), "gated-gru": GatedGRU(), "lstm": LSTM()}
"""The cells by name."""
