import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.baseline import LinearFeatureBaseline
from maml_rl.config import Config
from maml_rl.envs import make_env
from maml_rl.episode import BatchEpisodes, EpisodeData
from maml_rl.samplers import InProcessSampler
from maml_rl.training.run import initial_policy
from tests.oracles import advantages as advantage_oracle
from tests.oracles import baseline as oracle

GAMMA = 0.95


def recorded(
    observations: NDArray[np.float64], rewards: NDArray[np.float64], lengths: list[int]
) -> EpisodeData:
    """Float32 and padded with zeros, as samplers record."""
    real = np.arange(len(rewards))[:, None] < np.array(lengths)
    return EpisodeData(
        torch.tensor(observations * real[..., None], dtype=torch.float32),
        torch.zeros(*rewards.shape, 1),
        torch.tensor(rewards * real, dtype=torch.float32),
        torch.tensor(lengths),
    )


def random_data(lengths: list[int], size: int, seed: int = 0) -> EpisodeData:
    rng = np.random.default_rng(seed)
    shape = (max(lengths), len(lengths))
    return recorded(rng.standard_normal((*shape, size)), rng.standard_normal(shape), lengths)


def half_cheetah_like(steps: int = 100, num_episodes: int = 5) -> EpisodeData:
    """Seventeen numbers of very different spread, three of them nearly constant; slow dynamics."""
    rng = np.random.default_rng(3)
    scales = np.geomspace(1e-5, 5, 17)
    noise = rng.standard_normal((steps, num_episodes, 17)).cumsum(0) / steps**0.5
    observations = scales * noise + np.where(np.arange(17) < 3, 0.6, 0.0)
    rewards = observations[..., 15] - 0.1 * observations[..., 16] ** 2 + 0.1 * noise[..., 0]
    return recorded(observations, rewards, [steps] * num_episodes)


def episodes_of(data: EpisodeData) -> list[NDArray[np.float64]]:
    return [data.observations[:length, k].double().numpy() for k, length in enumerate(data.lengths.tolist())]


def returns_of(data: EpisodeData) -> list[NDArray[np.float64]]:
    lengths = data.lengths.tolist()
    padded = advantage_oracle.discounted_returns(data.rewards.double().numpy(), lengths, GAMMA)
    return [padded[:length, k] for k, length in enumerate(lengths)]


def real_steps(padded: Tensor, data: EpisodeData) -> NDArray[np.float64]:
    return np.concatenate([padded[:length, k].numpy() for k, length in enumerate(data.lengths.tolist())])


def reference_values(data: EpisodeData) -> NDArray[np.float64]:
    weights = oracle.fit(episodes_of(data), returns_of(data))
    return oracle.design_matrix(episodes_of(data)) @ weights


def fitted_values(data: EpisodeData) -> NDArray[np.float64]:
    baseline = LinearFeatureBaseline(data.observations.shape[-1])
    baseline.fit_data(data, GAMMA)
    return real_steps(baseline.values(data), data)


def test_fit_equals_least_squares():
    data = random_data([30, 12, 25, 7], size=3)
    baseline = LinearFeatureBaseline(3)
    baseline.fit(BatchEpisodes.from_data(data, GAMMA))
    weights = oracle.fit(episodes_of(data), returns_of(data))
    assert baseline.weight.shape == (baseline.feature_size,) == (10,)
    np.testing.assert_allclose(baseline.weight, weights, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(fitted_values(data), reference_values(data), rtol=1e-6, atol=1e-6)


def test_a_strong_ridge_shrinks_as_the_oracle_says():
    data = random_data([30, 12], size=3)
    baseline = LinearFeatureBaseline(3, reg_coeff=5.0)
    baseline.fit_data(data, GAMMA)
    weights = oracle.fit(episodes_of(data), returns_of(data), ridge=5.0)
    np.testing.assert_allclose(baseline.weight, weights, rtol=1e-8, atol=1e-10)


def test_calling_the_baseline_gives_values():
    data = random_data([9, 5], size=2)
    episodes = BatchEpisodes.from_data(data, GAMMA)
    baseline = LinearFeatureBaseline(2)
    baseline.fit(episodes)
    values = baseline(episodes)
    assert values.shape == (9, 2)
    np.testing.assert_allclose(real_steps(values, data), reference_values(data), rtol=1e-5, atol=1e-5)


def test_last_values_are_those_of_the_step_after_the_last():
    data = random_data([9, 5], size=2)
    last_observations = torch.tensor([[0.5, -1.0], [2.0, 0.25]])
    baseline = LinearFeatureBaseline(2)
    baseline.fit_data(data, GAMMA)
    expected = [
        oracle.features(last.double().numpy(), t) @ baseline.weight.numpy()
        for last, t in zip(last_observations, [9, 5], strict=True)
    ]
    values = baseline.last_values(data._replace(last_observations=last_observations))
    np.testing.assert_allclose(values, expected, rtol=1e-10)


def test_bootstrapping_needs_last_observations():
    data = random_data([4, 2], size=2)
    baseline = LinearFeatureBaseline(2)
    baseline.fit_data(data, GAMMA)
    with pytest.raises(ValueError, match="last observations"):
        BatchEpisodes.from_data(data, GAMMA).compute_advantages(baseline, bootstrap_truncated=True)


@pytest.mark.parametrize(("size", "num_tasks"), [(3, 3), (70, 20)], ids=["narrow", "wide as an ant's"])
def test_fitting_tasks_together_equals_fitting_each(size: int, num_tasks: int):
    tasks = [random_data([20, 11, 6], size, seed) for seed in range(num_tasks)]
    last = torch.randn(num_tasks, 3, size, generator=torch.Generator().manual_seed(0))
    columns = zip(*(task[:4] for task in tasks), strict=True)
    observations, actions, rewards, lengths = map(torch.stack, columns)
    together = EpisodeData(observations, actions, rewards, lengths, last_observations=last)
    baseline = LinearFeatureBaseline(size)
    baseline.fit_data(together, GAMMA)
    weights, values = baseline.weight, baseline.values(together)
    last_values = baseline.last_values(together)
    np.testing.assert_allclose(real_steps(values[-1], tasks[-1]), reference_values(tasks[-1]), atol=1e-4)
    for n, task in enumerate(tasks):
        baseline.fit_data(task, GAMMA)
        torch.testing.assert_close(weights[n], baseline.weight, rtol=1e-5, atol=1e-6)
        torch.testing.assert_close(values[n], baseline.values(task), rtol=1e-5, atol=1e-5)
        alone = baseline.last_values(task._replace(last_observations=last[n]))
        torch.testing.assert_close(last_values[n], alone, rtol=1e-5, atol=1e-4)


def test_nearly_collinear_features_explain_as_much_as_the_reference():
    data = half_cheetah_like()
    x = oracle.design_matrix(episodes_of(data))
    assert np.linalg.cond(x.T @ x) >= 1e9
    returns = np.concatenate(returns_of(data))
    reference = oracle.explained_variance(reference_values(data), returns)
    assert reference > 0.5
    assert oracle.explained_variance(fitted_values(data), returns) == pytest.approx(reference, abs=0.01)


def test_half_cheetah_episodes_are_explained_as_well_as_by_the_reference():
    kwargs = {"max_episode_steps": 100, "normalization_scale": 10.0}
    env = make_env("HalfCheetahVel-v2", kwargs)
    policy = initial_policy(Config(env_name="HalfCheetahVel-v2"), env, seed=0)
    baseline = LinearFeatureBaseline(policy.input_size)
    with InProcessSampler("HalfCheetahVel-v2", kwargs, 20, policy, baseline, env, seed=0) as sampler:
        _, (valid,) = sampler.sample(sampler.sample_tasks(1), num_steps=0, gamma=GAMMA)
    env.close()
    values, expected = fitted_values(valid.data), reference_values(valid.data)
    returns = np.concatenate(returns_of(valid.data))
    explained = oracle.explained_variance(values, returns)
    assert explained == pytest.approx(oracle.explained_variance(expected, returns), abs=0.01)
    assert explained > 0.3


def test_all_zero_observations_leave_a_function_of_time():
    rng = np.random.default_rng(0)
    data = recorded(np.zeros((20, 4, 3)), rng.standard_normal((20, 4)), [20, 20, 15, 8])
    np.testing.assert_allclose(fitted_values(data), reference_values(data), rtol=1e-5, atol=1e-5)


def test_constant_rewards_are_predicted():
    rng = np.random.default_rng(0)
    data = recorded(rng.standard_normal((50, 4, 2)), np.ones((50, 4)), [50] * 4)
    returns = np.concatenate(returns_of(data))
    values = fitted_values(data)
    np.testing.assert_allclose(values, reference_values(data), rtol=1e-5, atol=1e-4)
    assert oracle.explained_variance(values, returns) > 0.99


def test_a_singular_system_is_solved_with_more_ridge():
    data = recorded(np.zeros((3, 4, 2)), np.ones((3, 4)), [3] * 4)
    baseline = LinearFeatureBaseline(2, reg_coeff=0.0)
    with pytest.raises(FloatingPointError, match="cannot be fitted"):
        baseline.fit_data(data, GAMMA)
    baseline = LinearFeatureBaseline(2, reg_coeff=1e-12)
    baseline.fit_data(data, GAMMA)
    expected = [[1 + 0.95 + 0.95**2] * 4, [1 + 0.95] * 4, [1.0] * 4]
    np.testing.assert_allclose(baseline.values(data), expected, rtol=1e-6)


@pytest.mark.parametrize("wrong", [float("nan"), float("inf")])
@pytest.mark.parametrize("field", ["observations", "rewards"])
def test_non_finite_data_is_refused(wrong: float, field: str):
    data = random_data([6, 4], size=2)
    getattr(data, field)[1, 0] = wrong
    with pytest.raises(
        FloatingPointError, match="cannot be fitted: observations or rewards are NaN or infinite"
    ):
        LinearFeatureBaseline(2).fit_data(data, GAMMA)


def test_a_ridge_of_nothing_is_blamed_where_it_is_to_blame():
    data = random_data([4, 3], size=2)
    data.observations[:] = 0.0  # Makes their columns of the Gram matrix 0.
    with pytest.raises(FloatingPointError, match="cannot be fitted: reg_coeff is too small"):
        LinearFeatureBaseline(2, reg_coeff=0.0).fit_data(data, GAMMA)


def test_observations_of_another_size_are_refused():
    with pytest.raises(ValueError, match="size 3, got 2"):
        LinearFeatureBaseline(3).fit_data(random_data([4, 3], size=2), GAMMA)
