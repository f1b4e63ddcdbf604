"""The simulations that a process keeps, and the episodes that run in them."""

from collections import OrderedDict
from collections.abc import Iterable
from functools import cache

from maml_rl._system.memory import hand_back_free_memory
from maml_rl.envs.metaworld.simulation import Simulation


class Pool:
    """Simulations by the environment's name, made when they are needed; the last used ones are kept.

    Args:
        reward_version: ``v1`` or ``v2``.
        most: to be kept. Those of the batch that runs are there, however many they are.
    """

    def __init__(self, reward_version: str, most: int):
        self._reward_version, self._most = reward_version, most
        self._made: OrderedDict[str, Simulation] = OrderedDict()

    def __len__(self) -> int:
        return len(self._made)

    def __getitem__(self, name: str) -> Simulation:
        """Return the simulation of an environment."""
        if name not in self._made:
            self._made[name] = Simulation(name, self._reward_version)
            hand_back_free_memory()  # Compiling a model takes more than the model does.
        return self._made[name]

    def use(self, names: Iterable[str]) -> None:
        """Prepare for a batch of these environments: others go where they are too many."""
        needed = dict.fromkeys(names)
        for name in needed:
            if name in self._made:
                self._made.move_to_end(name)
        others = [name for name in self._made if name not in needed]
        room = max(self._most - len(needed), 0)
        for name in others[: len(others) - room]:
            self._made.pop(name).close()


@cache
def pool(reward_version: str, most: int) -> Pool:
    """Return the process's pool."""
    return Pool(reward_version, most)
