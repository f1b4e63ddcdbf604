"""Hints at what makes learning fail without a word."""

from collections.abc import Sequence
from typing import Any

import pytest
import torch

from maml_rl.config import Config
from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.training import train
from maml_rl.training.checkpoints import Progress
from maml_rl.training.hints import scale_hint
from maml_rl.training.run import Run, RunSettings

SCALE = "learning may fail: scale them in the environment or a wrapper, or set normalize-observations: true"


def run_of(kind: str, **values: Any) -> Run:
    sizes = {"num_batches": 2, "meta_batch_size": 2, "fast_batch_size": 3, "baseline": "none"}
    name = kind if "-v" in kind else f"tests.envs.peculiar:{kind}"
    return Run(Config(env_name=name, **{**sizes, **values}), RunSettings(1))


def batch_of(observations: torch.Tensor, lengths: Sequence[int]) -> BatchEpisodes:
    observations = observations.expand(max(lengths), len(lengths), -1).clone()
    for k, length in enumerate(lengths):
        observations[length:, k] = 0
    shape = observations.shape[:2]
    data = EpisodeData(observations, torch.zeros(*shape, 1), torch.zeros(shape), torch.tensor(lengths))
    return BatchEpisodes.from_data(data, gamma=0.9)


@pytest.mark.parametrize(
    ("numbers", "expected"),
    [
        ([1.0, -0.5], None),
        ([0.0, 0.0], None),
        ([1e-4, 0.0], "observations are small (numbers up to 0.0001)"),
        ([0.0, -0.02], None),
        ([90.0, -90.0], None),
        ([0.5, -110.0], "1 of 2 numbers of an observation are large (root mean square up to 1.1e+02)"),
        ([1e25, 2e4], "2 of 2 numbers of an observation are large (root mean square up to "),
    ],
)
def test_what_is_an_odd_scale(numbers: list[float], expected: str | None):
    with run_of("Line") as run:
        hint = scale_hint(run, [batch_of(torch.tensor(numbers), lengths) for lengths in ([4, 1], [2, 2, 3])])
    assert (hint is None) == (expected is None)
    assert hint is None or hint.startswith(str(expected))
    assert hint is None or hint.endswith(SCALE)


def hints_of(run: Run, caplog: pytest.LogCaptureFixture, done: Progress | None = None) -> list[str]:
    """What training warns of."""
    caplog.clear()
    with run:
        for _ in train(run, done=done):
            pass
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("kind", ["BigNumbers", "Images"])
def test_it_comes_once(kind: str, caplog: pytest.LogCaptureFixture):
    (hint,) = hints_of(run_of(kind), caplog)
    assert hint.startswith(f"environment 'tests.envs.peculiar:{kind}': ")
    assert hint.endswith(SCALE)
    assert hints_of(run_of(kind), caplog, Progress(1)) == []


def test_what_scales_images_itself_gets_none(caplog: pytest.LogCaptureFixture):
    images = run_of("Images", policy="cnn", policy_kwargs={"channels": [2]})
    assert hints_of(images, caplog) == []


@pytest.mark.parametrize("id", ["2DNavigation-v0", "TabularMDP-v0", "Bandit-K5-v0", "AntVel-v2"])
def test_what_ships_gets_none(id: str, caplog: pytest.LogCaptureFixture):
    kwargs = {} if id.startswith("Bandit") else {"max_episode_steps": 5}
    assert hints_of(run_of(id, env_kwargs=kwargs), caplog) == []


def test_normalised_observations_get_none(caplog: pytest.LogCaptureFixture):
    assert hints_of(run_of("BigNumbers", normalize_observations=True), caplog) == []


@pytest.mark.parametrize(
    ("episodes", "baseline", "hinted"),
    [(2, "linear", True), (3, "linear", False), (2, "linear-cv", False)],
)
def test_a_baseline_that_interpolates(
    episodes: int, baseline: str, hinted: bool, caplog: pytest.LogCaptureFixture
):
    values = {"env_kwargs": {"max_episode_steps": 3}, "fast_batch_size": episodes, "baseline": baseline}
    # Navigation's two numbers make 8 features.
    hints = hints_of(run_of("2DNavigation-v0", **values), caplog)
    expected = ["environment '2DNavigation-v0': the baseline has 8 features for 6 steps of a task, and so "]
    assert [hint[: len(line)] for hint, line in zip(hints, expected, strict=hinted)] == expected * hinted


def test_features_that_do_not_vary_explain_nothing(caplog: pytest.LogCaptureFixture):
    assert hints_of(run_of("Bandit-K5-v0", baseline="linear"), caplog) == []
