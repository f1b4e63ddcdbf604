"""A run's state as named tensors: theta's parts by their own names, the rest behind a prefix.

A policy's file holds theta alone, and so is a state dict of the policy wherever theta is its parameters.
"""

from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from maml_rl._system.files import Tensors, load_tensors
from maml_rl.errors import UsageError
from maml_rl.metalearners.base import MetaState
from maml_rl.parameters import Layout
from maml_rl.policies.normalized import OBSERVATION_MEAN, OBSERVATION_SCALE, REWARD_SCALE

MEMORY, ADDED = "optim.", "meta."
"""Prefixes of what a method remembers besides theta, and of parts of theta that are not the policy's own."""
ANOTHER_ARCHITECTURE = ("is a policy of another architecture", "env-name, hidden-sizes and policy-kwargs")
OTHER_STATISTICS = ("is a policy with other statistics", "normalize-observations and normalize-rewards")
OTHER_PARTS = ("is a policy of another method, or of one of other sizes", "metalearner and what sizes it has")
MEMORIES_DIFFER = ("does not hold what the method remembers", "metalearner and num-steps")
"""The fault of a file, and the keys to look at."""
STATISTICS = (OBSERVATION_MEAN, OBSERVATION_SCALE, REWARD_SCALE)
"""The parts of theta that are statistics."""


def theta_tensors(layout: Layout, theta: Float[Tensor, "P"]) -> Tensors:
    """Return copies of the parts of theta, on the CPU."""
    return {name: part.detach().cpu().clone() for name, part in layout.view(theta).items()}


def state_tensors(layout: Layout, state: MetaState) -> Tensors:
    """Return copies of all that the state holds, on the CPU."""
    memory = {f"{MEMORY}{name}": tensor.detach().cpu().clone() for name, tensor in state.memory.items()}
    return theta_tensors(layout, state.theta) | memory


def load_theta(path: Path, layout: Layout) -> Float[Tensor, "P"]:
    """Read theta from a policy's file or a checkpoint.

    Raises:
        UsageError: the file is missing, is not a state dict, or is one of another architecture.
    """
    found = {name: x for name, x in load_tensors(path).items() if not name.startswith(MEMORY)}
    expected = {name: tuple(shape) for name, shape in layout.shapes.items()}
    _check_shapes(path, found, expected, ANOTHER_ARCHITECTURE)
    return layout.join(found).float()


def load_state(path: Path, layout: Layout, like: MetaState) -> MetaState:
    """Read a checkpoint.

    Args:
        like: a state of the same method, for the names and shapes of its memory.

    Raises:
        UsageError: as `load_theta`; also where it remembers other things than ``like``.
    """
    expected = {f"{MEMORY}{name}": tuple(tensor.shape) for name, tensor in like.memory.items()}
    memory = {name: x for name, x in load_tensors(path).items() if name.startswith(MEMORY)}
    theta = load_theta(path, layout)
    _check_shapes(path, memory, expected, MEMORIES_DIFFER)
    return MetaState(theta, {name.removeprefix(MEMORY): tensor for name, tensor in memory.items()})


def _check_shapes(
    path: Path, tensors: Tensors, expected: dict[str, tuple[int, ...]], complaint: tuple[str, str]
) -> None:
    found = {name: tuple(x.shape) for name, x in tensors.items()}
    if found != expected:
        names = [n for n in (*expected, *found) if expected.get(n) != found.get(n)]
        first = names[0]
        if first.startswith(ADDED):
            complaint = OTHER_STATISTICS if first in STATISTICS else OTHER_PARTS
        what, check = complaint
        raise UsageError(
            f"'{path}' {what}: {first} is {found.get(first, 'missing')}, "
            f"expected {expected.get(first, 'none')}; check {check} of the config"
        )
