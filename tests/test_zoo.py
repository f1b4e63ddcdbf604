"""What ships: every config loads, those of ProMP train, and every policy runs."""

import math
from pathlib import Path

import pytest

from maml_rl.config import load_config
from maml_rl.errors import UsageError
from maml_rl.training import Run, RunSettings, train
from maml_rl.training.state import load_theta
from maml_rl.zoo import policy_folder, shipped_configs, shipped_policies


@pytest.mark.parametrize("path", shipped_configs(), ids=lambda path: f"{path.parent.name}/{path.stem}")
def test_configs_are_valid_for_their_environment(path: Path):
    config, run = load_config(path)
    assert run == {}
    with Run(config, RunSettings(seed=0)) as made:
        assert made.config is config


@pytest.mark.parametrize(
    "path", [path for path in shipped_configs() if path.parent.name == "promp"], ids=lambda path: path.stem
)
def test_promps_configs_train(path: Path):
    config, _ = load_config(path)
    # A few wide steps leave the middle of the four corners, where all rewards are 0.
    small = {"num_batches": 2, "meta_batch_size": 2, "fast_batch_size": 3, "init_std": 10.0}
    config = config.model_copy(update={**small, "env_kwargs": {**config.env_kwargs, "max_episode_steps": 6}})
    with Run(config, RunSettings(seed=0)) as run:
        start = run.learner.init().theta
        iterations = [(each.metrics, each.state.theta.clone()) for each in train(run)]
    assert len(iterations) == 2
    for metrics, _ in iterations:
        assert all(math.isfinite(number) for number in metrics.values())
    assert (iterations[-1][1] != start).any()


@pytest.mark.parametrize("name", shipped_policies())
def test_policies_fit_their_config(name: str):
    folder = policy_folder(Path(f"maml-rl://{name}"))
    assert folder is not None
    config, _ = load_config(folder / "config.json")
    with Run(config, RunSettings(seed=0)) as run:
        untrained = run.learner.init().theta
        theta = load_theta(folder / "policy.th", run.learner.layout)
        assert theta.shape == untrained.shape
        assert (theta != untrained).any()


def test_there_are_some():
    assert "paper/cheetah-dir" in shipped_policies()
    assert len(shipped_configs()) > 10


@pytest.mark.parametrize("path", ["policy.th", "paper/cheetah-dir", "", "/maml-rl:/x"])
def test_other_paths_are_paths(path: str):
    assert policy_folder(Path(path)) is None


def test_a_name_that_does_not_ship():
    with pytest.raises(UsageError, match=r"no policy 'paper/cheeta-dir' ships .* 'paper/cheetah-dir'"):
        policy_folder(Path("maml-rl://paper/cheeta-dir"))
