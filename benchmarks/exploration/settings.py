"""What is measured: kinds of tasks, and how many episodes of each."""

from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Setting:
    """A kind of task, and the episodes that one may play of it."""

    config: str
    episodes: int
    arms: int = 0
    """Of a bandit; 0 for an MDP."""


SETTINGS = {
    f"k{k}-n{n}": Setting(f"bandit/bandit-k{k}-n{n}", n, k) for k in (5, 10, 50) for n in (10, 100, 500)
}
SETTINGS |= {f"mdp-n{n}": Setting("tabular-mdp", n) for n in (10, 25, 50, 100)}
