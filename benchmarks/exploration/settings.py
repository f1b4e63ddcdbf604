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

    @property
    def rl2(self) -> str:
        """The config of RL², which counts episodes itself."""
        return (
            f"rl2/bandit-k{self.arms}-n{self.episodes}" if self.arms else f"rl2/tabular-mdp-n{self.episodes}"
        )

    @property
    def optimum_is_known(self) -> bool:
        """Whether the best strategy's expected total can be computed."""
        return self.arms > 0 and self.episodes <= 10


SETTINGS = {
    f"k{k}-n{n}": Setting(f"bandit/bandit-k{k}-n{n}", n, k) for k in (5, 10, 50) for n in (10, 100, 500)
}
SETTINGS |= {f"mdp-n{n}": Setting("tabular-mdp", n) for n in (10, 25, 50, 100)}
