"""The last layers of a policy, as the graph of its outputs tells them."""

from collections.abc import Iterable, Mapping

from torch import Tensor
from torch.autograd.graph import Node, get_gradient_edge


def last_layers(outputs: Iterable[Tensor], params: Mapping[str, Tensor]) -> tuple[str, ...]:
    """Return the names of the parameters nearest to the outputs, and of the rest of their layers.

    Args:
        outputs: with a graph, in which whatever the parameters act on requires gradients.
        params: by name; what is in front of the last dot is the layer's.
    """
    names = {id(param): name for name, param in params.items()}
    met: set[str] = set()
    seen: set[Node] = set()  # Ways back may meet again, and part again, many times.
    fronts = [[get_gradient_edge(output).node] for output in outputs if output.requires_grad]
    while fronts:
        front = fronts.pop()
        found = [name for node in front if (name := _parameter(node, names)) is not None]
        met.update(found)
        further = [] if found else [node for node in front if node not in seen]
        seen.update(further)
        fronts.extend(map(_behind, further))
    layers = {name.rpartition(".")[0] for name in met} - {""}
    return tuple(name for name in params if name in met or name.rpartition(".")[0] in layers)


def _parameter(node: Node, names: Mapping[int, str]) -> str | None:
    """Return the name of the parameter that a node is a function of, if it is one of nothing else."""
    while len(behind := _behind(node)) == 1:
        node = behind[0]
    variable = getattr(node, "variable", None)
    return None if variable is None else names.get(id(variable))


def _behind(node: Node) -> list[Node]:
    return [other for other, _ in node.next_functions if other is not None]
