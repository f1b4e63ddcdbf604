"""What an environment takes, as it is measured and told."""

import pytest

from maml_rl.config import Config
from maml_rl.envs import cost
from maml_rl.envs.cost import EnvCost, cost_of

LINE = "tests.envs.peculiar:Line"


def test_whole_episodes_are_counted():
    measured = cost_of(LINE)
    assert not measured.cut
    assert measured.steps == 8
    assert 0 < measured.step < 0.1
    assert 0 < measured.reset < 0.1


def test_an_episode_that_takes_too_long_is_cut(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(cost, "LONGEST", 1e-9)
    measured = cost_of(LINE)
    assert measured.cut
    assert measured.steps == 1


@pytest.mark.parametrize(("cut", "least"), [(False, ""), (True, "at least ")])
def test_an_iteration_has_its_steps_and_resets(cut: bool, least: str):
    config = Config(env_name=LINE, meta_batch_size=4, fast_batch_size=5, tasks_per_item=2, env_copies=8)
    measured = EnvCost(megabytes=2.0, step=0.01, reset=0.1, steps=1.0, cut=cut)
    assert str(measured).endswith(f"10000 µs a step, 100000 µs a reset; episodes of {least}1 step")
    # 4 tasks of 5 episodes, twice.
    expected = f"an iteration: {least}40 steps, 4.4 s of one worker; 8 copies a worker, 16 MB"
    assert measured.of_iteration(config) == expected
