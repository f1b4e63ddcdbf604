"""Baselines besides the one of 2020, and what holds for all."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from maml_rl.advantages import discounted_returns
from maml_rl.baseline import BASELINES, Baseline, LinearFeatureBaseline, make_baseline
from maml_rl.baseline.linear_cv import FOLDS, HOPELESS, RIDGE_ALONE, RIDGES
from maml_rl.config import Config
from maml_rl.episode import EpisodeData
from maml_rl.errors import UsageError
from maml_rl.samplers import Recipe
from maml_rl.training.run import Run, RunSettings
from tests.oracles import cross_validation
from tests.test_baseline import GAMMA, episodes_of, random_data, real_steps, recorded, returns_of


def fitted(name: str, data: EpisodeData) -> Baseline:
    baseline = make_baseline(name, data.observations.shape[-1])
    baseline.fit_data(data, GAMMA)
    return baseline


def side_by_side(tasks: list[EpisodeData]) -> EpisodeData:
    columns = zip(*(task[:4] for task in tasks), strict=True)
    observations, actions, rewards, lengths = map(torch.stack, columns)
    return EpisodeData(observations, actions, rewards, lengths)


def informative(episodes: int, seed: int, size: int = 100) -> EpisodeData:
    """Observations of which two numbers tell the rewards, and the others nothing."""
    rng = np.random.default_rng(seed)
    observations = rng.standard_normal((20, episodes, size))
    rewards = (
        observations[..., 0] - 0.5 * observations[..., 1] ** 2 + 0.1 * rng.standard_normal((20, episodes))
    )
    return recorded(observations, rewards, [20] * episodes)


@pytest.mark.parametrize("tasks", [1, 3])
def test_more_features_than_steps_cost_what_the_steps_cost(tasks: int):
    data = [random_data([9, 5, 7], size=40, seed=seed) for seed in range(tasks)]
    baseline = LinearFeatureBaseline(40, reg_coeff=0.5)
    baseline.fit_data(data[0] if tasks == 1 else side_by_side(data), GAMMA)
    values = baseline.values(data[0] if tasks == 1 else side_by_side(data))
    for task, value in zip(data, values.reshape(tasks, 9, 3), strict=True):
        expected = cross_validation.values_of_unit_features(episodes_of(task), returns_of(task), ridge=0.5)
        np.testing.assert_allclose(real_steps(value, task), expected, rtol=1e-7, atol=1e-9)


def pixels_of_moving_dots(width: int, seed: int = 0) -> EpisodeData:
    """Bright images with one dark pixel; the first ones are alike. Rewards are 1, and noise."""
    rng = np.random.default_rng(seed)
    observations = np.full((10, 20, width), 200.0)
    for t in range(1, 10):
        observations[t, np.arange(20), rng.integers(width, size=20)] = 0.0
    return recorded(observations, 1 + 0.1 * rng.standard_normal((10, 20)), [10] * 20)


@pytest.mark.parametrize("name", ["linear", "linear-cv"])
def test_bright_pixels_do_not_hide_time(name: str):
    data = pixels_of_moving_dots(300)
    values = fitted(name, data).values(data)
    means = discounted_returns(data.rewards.double(), GAMMA).mean(1)
    np.testing.assert_allclose(values.mean(1), means, atol=0.15)
    np.testing.assert_allclose(values[0], means[0].expand(20), atol=0.15)  # The same image, and so the mean.


def test_images_need_no_gram_matrix_of_their_pixels():
    # As wide as 64 x 64 x 3 pixels, whose Gram matrix has 4.8 GB.
    pixels = torch.rand(4, 2, 64 * 64 * 3, generator=torch.Generator().manual_seed(0))
    data = EpisodeData(pixels, torch.zeros(4, 2, 1), torch.ones(4, 2), torch.tensor([4, 3]))
    for name in ("linear", "linear-cv"):
        values = fitted(name, data).values(data)
        np.testing.assert_allclose(values[0], discounted_returns(torch.ones(4, 1), GAMMA)[0, 0], rtol=0.3)


def one_factor(episodes: int, size: int) -> EpisodeData:
    """Numbers that all but tell one number; what they have of their own tells the rewards."""
    rng = np.random.default_rng(2)
    own = rng.standard_normal((20, episodes, size))
    observations = rng.standard_normal((20, episodes, 1)) + 0.02 * own
    return recorded(observations, own[..., 0] + 0.02 * own[..., 1], [20] * episodes)


def random_walks(episodes: int, size: int) -> EpisodeData:
    """Numbers that drift, of which three tell the rewards."""
    rng = np.random.default_rng(3)
    observations = rng.standard_normal((50, episodes, size)).cumsum(0)
    rewards = observations[..., :3].sum(-1) + 0.1 * rng.standard_normal((50, episodes))
    return recorded(observations, rewards, [50] * episodes)


@pytest.mark.parametrize(
    "data",
    [
        random_data([30, 12, 25, 7, 9, 16], 3, seed=4),
        random_data([9, 5, 7], 40, seed=4),
        random_data([6, 2], 2, seed=4),
        random_data([8, 8], 40, seed=5),
        random_data([4, 4, 4], 30, seed=6),
        random_data([5, 60, 5], 40, seed=7),
        one_factor(7, 60),
        one_factor(3, 60),
        random_walks(5, 80),
    ],
    ids=["", "wide", "two", "8 8", "4 4 4", "5 60 5", "one factor", "few of one factor", "walks"],
)
def test_the_cross_validated_fit_equals_the_oracles(data: EpisodeData):
    """Also with nearly collinear features, where approximate solvers choose wrong ridges."""
    groups = min(FOLDS, len(data.lengths))
    expected, _ = cross_validation.values(episodes_of(data), returns_of(data), RIDGES, groups, HOPELESS)
    values = fitted("linear-cv", data).values(data)
    error = np.abs(real_steps(values, data) - expected).max()
    left = np.concatenate(returns_of(data)) - expected
    assert error <= 1e-5 * np.abs(left).max()


def test_one_episode_has_the_ridge_that_is_named():
    data = random_data([30], 3, seed=4)
    expected, _ = cross_validation.values(episodes_of(data), returns_of(data), [RIDGE_ALONE], 1, HOPELESS)
    values = fitted("linear-cv", data).values(data)
    np.testing.assert_allclose(real_steps(values, data), expected, rtol=1e-6, atol=1e-6)


def test_more_features_than_steps_are_not_interpolated():
    data = informative(5, seed=1)
    truth = fitted("linear", informative(200, seed=2))  # Features of no use have next to no weight there.
    residuals = {
        name: real_steps(
            discounted_returns(data.rewards.double(), GAMMA) - fitted(name, data).values(data), data
        )
        for name in ("linear", "linear-cv")
    }
    wanted = real_steps(discounted_returns(data.rewards.double(), GAMMA) - truth.values(data), data)
    correlations = {name: np.corrcoef(x, wanted)[0, 1] for name, x in residuals.items()}
    assert np.abs(residuals["linear"]).max() < 1e-3
    assert correlations["linear-cv"] > correlations["linear"] + 0.1, correlations


@pytest.mark.parametrize("name", BASELINES)
def test_tasks_side_by_side_are_fitted_each_by_itself(name: str):
    tasks = [random_data([8, 3, 6], 2, seed) for seed in range(3)]
    last = torch.randn(3, 3, 2, generator=torch.Generator().manual_seed(0))
    together = side_by_side(tasks)._replace(last_observations=last)
    baseline = fitted(name, together)
    values, last_values = baseline.values(together), baseline.last_values(together)
    assert values.dtype == last_values.dtype == torch.float64
    for n, task in enumerate(tasks):
        alone = fitted(name, task)
        torch.testing.assert_close(values[n], alone.values(task), rtol=1e-9, atol=1e-9)
        expected = alone.last_values(task._replace(last_observations=last[n]))
        torch.testing.assert_close(last_values[n], expected, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("name", BASELINES)
def test_the_last_value_is_the_value_of_a_step_more(name: str):
    data = random_data([6, 6], 2)
    shorter = EpisodeData(
        data.observations[:5], data.actions[:5], data.rewards[:5], data.lengths - 1, data.observations[5]
    )
    baseline = fitted(name, shorter)
    torch.testing.assert_close(baseline.last_values(shorter), baseline.values(data)[5])


@pytest.mark.parametrize("name", BASELINES)
def test_nothing_behind_an_episodes_end_has_a_say(name: str):
    data = random_data([8, 3], 2)
    before = real_steps(fitted(name, data).values(data), data)
    longer = data._replace(
        observations=torch.cat([data.observations, torch.full((2, 2, 2), 9.0)]),
        rewards=torch.cat([data.rewards, torch.zeros(2, 2)]),
        actions=torch.zeros(10, 2, 1),
    )
    np.testing.assert_allclose(real_steps(fitted(name, longer).values(longer), data), before, rtol=1e-6)


@pytest.mark.parametrize("name", ["linear-cv", "network"])
@pytest.mark.parametrize("scale", [1e-9, 1e9])
def test_values_scale_with_rewards(name: str, scale: float):
    data = random_data([12, 9, 10], 2)
    scaled = data._replace(rewards=data.rewards * scale)
    values, expected = fitted(name, scaled).values(scaled) / scale, fitted(name, data).values(data)
    np.testing.assert_allclose(real_steps(values, data), real_steps(expected, data), rtol=0.02, atol=0.02)


@pytest.mark.parametrize("name", ["linear-cv", "network"])
@pytest.mark.parametrize(
    ("observations", "rewards", "lengths"),
    [
        (torch.zeros(1, 1, 2), torch.ones(1, 1), [1]),
        (torch.zeros(4, 2, 2), torch.ones(4, 2), [4, 0]),
        (torch.full((5, 3, 2), 7.0), torch.zeros(5, 3), [5, 1, 2]),
        (torch.rand(6, 1, 2, generator=torch.Generator().manual_seed(0)), torch.ones(6, 1), [6]),
    ],
    ids=["one step", "an empty episode", "nothing varies", "one episode"],
)
def test_little_data_gives_finite_values(
    name: str, observations: Tensor, rewards: Tensor, lengths: list[int]
):
    data = EpisodeData(observations, rewards[..., None], rewards, torch.tensor(lengths))
    values = real_steps(fitted(name, data).values(data), data)
    returns = real_steps(discounted_returns(rewards.double(), GAMMA), data)
    assert np.abs(values - returns).max() <= np.ptp(returns) + 1e-9


@pytest.mark.parametrize("name", ["linear", "linear-cv", "network"])
@pytest.mark.parametrize("size", [2, 60], ids=["", "wide"])
def test_what_is_not_finite_is_refused(name: str, size: int):
    data = random_data([6, 4], size)
    data.observations[1, 0] = torch.inf
    with pytest.raises(FloatingPointError, match="observations or rewards are NaN or infinite"):
        fitted(name, data)


def test_the_network_fits_what_features_cannot():
    rng = np.random.default_rng(0)
    observations = rng.standard_normal((10, 40, 1))
    data = recorded(observations, np.sin(4 * observations[..., 0]), [10] * 40)
    data = data._replace(rewards=torch.where(torch.arange(10)[:, None] == 0, data.rewards, 0.0))
    returns = data.rewards[0].double()
    error = {n: float((fitted(n, data).values(data)[0] - returns).square().mean()) for n in BASELINES}
    assert error["network"] < 0.5 * error["linear-cv"]


def test_the_network_does_not_fit_noise():
    data, truth = informative(20, seed=3, size=20), fitted("linear", informative(400, seed=4, size=20))
    returns = discounted_returns(data.rewards.double(), GAMMA)
    wanted = real_steps(returns - truth.values(data), data)
    left = {name: real_steps(returns - fitted(name, data).values(data), data) for name in BASELINES}
    correlations = {name: float(np.corrcoef(x, wanted)[0, 1]) for name, x in left.items()}
    assert correlations["network"] > correlations["none"] - 0.02, correlations


def test_observations_of_another_size_are_refused():
    for name in ("linear", "linear-cv", "network"):
        with pytest.raises(ValueError, match="size 3, got 2"):
            make_baseline(name, 3).fit_data(random_data([4, 3], size=2), GAMMA)


def test_no_baseline_is_a_value_of_nothing():
    data = random_data([5, 4], 2)
    assert not fitted("none", data).values(data).any()


class Constant:
    """A baseline of one's own."""

    def __init__(self, input_size: int):
        self.mean = torch.tensor(torch.nan)

    def fit_data(self, data: EpisodeData, gamma: float) -> None:
        self.mean = data.rewards.double().mean()

    def values(self, data: EpisodeData) -> Tensor:
        return self.mean.expand(data.rewards.shape)

    def last_values(self, data: EpisodeData) -> Tensor:
        return self.mean.expand(data.lengths.shape)


class Unfitted:
    def __init__(self, input_size: int):
        pass


def test_a_baseline_of_ones_own_is_named_as_classes_are():
    baseline = make_baseline(f"{__name__}:Constant", 2)
    assert isinstance(baseline, Constant)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("liner", "no such baseline; did you mean 'linear'?"),
        (f"{__name__}:Unfitted", "expected an object with fit_data, values and last_values"),
        (f"{__name__}:fitted", "cannot be called with a size"),
        (f"{__name__}:Nothing", "has no attribute 'Nothing'"),
    ],
)
def test_what_is_no_baseline_costs_a_line(name: str, message: str):
    with pytest.raises(UsageError, match=r"baseline '.*") as error:
        make_baseline(name, 2)
    assert message in str(error.value)


@pytest.mark.parametrize("name", ["linear-cv", "network"])
def test_workers_fit_the_same_to_the_bit(name: str):
    sizes = {"fast_batch_size": 3, "meta_batch_size": 3, "tasks_per_item": 2, "hidden_sizes": (4,)}
    config = Config(env_name="2DNavigation-v0", baseline=name, **sizes)
    advantages = []
    for workers in (0, 2):
        with Run(config, RunSettings(seed=1, num_workers=workers)) as run:
            tasks, theta = run.sampler.sample_tasks(3, 0), run.learner.init().theta
            rounds = run.sampler.sample(tasks, theta, Recipe.of(config), 0)
            advantages.append(torch.stack([episodes.advantages for episodes in rounds[-1]]))
    assert torch.equal(*advantages)


def test_the_config_file_names_it(tmp_path: Path):
    config = Config(env_name="2DNavigation-v0", baseline="linear-cv")
    assert config.to_dict()["baseline"] == "linear-cv"
    assert Config(env_name="2DNavigation-v0").baseline == "linear"
