from pathlib import Path

import pytest

from maml_rl.cli.options import config_from
from maml_rl.cli.parser import parse
from maml_rl.errors import UsageError

TEST = ("--policy", "random")


def num_steps(*words: str) -> int:
    return config_from(parse(words).hyperparameters).num_steps


@pytest.mark.parametrize("command", [("train",), ("test", *TEST)])
def test_either_key_says_how_many_episodes_a_trial_has(command: tuple[str, ...], tmp_path: Path):
    bare = (*command, "--metalearner", "rl2", "--env-name", "Bandit-K5-v0")
    assert num_steps(*bare) == 1
    assert num_steps(*bare, "--episodes-per-trial", "10") == 9
    assert num_steps(*bare, "--num-steps", "3") == 3
    config = tmp_path / "config.yaml"
    config.write_text("env-name: Bandit-K5-v0\nmetalearner: rl2\nepisodes-per-trial: 10\n")
    with_file = (*command, "--config", str(config))
    assert num_steps(*with_file) == 9
    assert num_steps(*with_file, "--episodes-per-trial", "5") == 4
    assert num_steps(*with_file, "--num-steps", "3") == 3
    with pytest.raises(UsageError, match="num-steps 3 makes 4 episodes per trial, not 5"):
        num_steps(*with_file, "--num-steps", "3", "--episodes-per-trial", "5")
