"""Statistics of observations and returns that are part of a run's state."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from maml_rl._system.files import save_tensors
from maml_rl.config import Config
from maml_rl.episode import BatchEpisodes
from maml_rl.errors import UsageError
from maml_rl.metalearners import MetaState
from maml_rl.policies.normalized import OBSERVATION_MEAN, OBSERVATION_SCALE, REWARD_SCALE
from maml_rl.samplers import Recipe
from maml_rl.training import Run, RunSettings, train
from maml_rl.training.checkpoints import Progress
from maml_rl.training.running_statistics import Moments
from maml_rl.training.state import load_state, state_tensors
from tests.builders import same_bits

CONFIG = Config(
    env_name="2DNavigation-v0",
    env_kwargs={"max_episode_steps": 10},
    normalize_observations=True,
    normalize_rewards=True,
    normalize_advantages=False,
    fast_batch_size=4,
    meta_batch_size=3,
    tasks_per_item=2,
    num_batches=4,
    hidden_sizes=(8,),
)
SETTINGS = RunSettings(seed=1)


def states_of(config: Config, settings: RunSettings = SETTINGS) -> list[MetaState]:
    """The states after each meta-update."""
    with Run(config, settings) as run:
        return [iteration.state for iteration in train(run)]


def test_moments_are_those_of_all_rows():
    rng = np.random.default_rng(0)
    batches = [1e5 + rng.standard_normal((n, 3)) * [1e-3, 1.0, 0.0] for n in (5, 1, 40)]
    zeros = torch.zeros(3, dtype=torch.float64)
    moments = Moments(zeros[0], zeros, zeros)
    for rows in batches:
        moments = moments.with_rows(torch.from_numpy(rows))
    together = np.concatenate(batches)
    np.testing.assert_allclose(moments.mean, together.mean(0), rtol=1e-12)
    # The first is as good as constant in float32.
    np.testing.assert_allclose(moments.scale, [0.0, 1 / together[:, 1].std(), 0.0], rtol=1e-6)


def test_theta_holds_the_statistics_of_all_updates_before():
    seen: list[BatchEpisodes] = []
    with Run(CONFIG, SETTINGS) as run:
        sample_wait = run.sampler.sample_wait

        def noted(futures):
            rounds = sample_wait(futures)
            seen.extend(batch for episodes in rounds for batch in episodes)
            return rounds

        run.sampler.sample_wait = noted  # type: ignore[method-assign]
        *_, last = (iteration.state for iteration in train(run))
        parts = run.learner.layout.view(last.theta)
    observations = np.concatenate([b.observations[:n, k] for b in seen for k, n in enumerate(b.lengths)])
    returns = np.concatenate([b.returns[:n, k] for b in seen for k, n in enumerate(b.lengths)])
    np.testing.assert_allclose(parts[OBSERVATION_MEAN], observations.mean(0), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(parts[OBSERVATION_SCALE], 1 / observations.std(0), rtol=1e-4)
    np.testing.assert_allclose(parts[REWARD_SCALE], 1 / returns.std(), rtol=1e-4)


@pytest.mark.parametrize("scope", ["trial", "episode"])
def test_returns_of_rl2_are_those_of_whole_trials(scope: str):
    """A value of the rest of a trial is of another size than one of the rest of an episode."""
    sizes = {"meta_batch_size": 3, "fast_batch_size": 2, "tasks_per_item": 2, "num_steps": 2, "units": 4}
    own = {"bootstrap_over": scope, "normalize_rewards": True, "gamma": 0.9, "num_batches": 2}
    mdp = {"env_kwargs": {"num_states": 2, "max_episode_steps": 4}, **sizes, **own}
    config = Config(metalearner="rl2", env_name="TabularMDP-v0", **mdp)
    with Run(config, SETTINGS) as run:
        state = run.init()
        tasks = run.sampler.sample_tasks(config.meta_batch_size, iteration=0)
        rounds = run.sampler.sample_async(tasks, state.theta, Recipe.of(config), 0)
        after = run.update(state, rounds).state
        scale = run.learner.layout.view(after.theta)[REWARD_SCALE].item()
        episodes = [
            [b.rewards.double().numpy() for b in batches] for batches in run.sampler.sample_wait(rounds)
        ]
    returns: list[float] = []
    for task in range(3):
        for trial in range(2):
            of_rounds = [batches[task][:, trial] for batches in episodes]
            for rewards in [np.concatenate(of_rounds)] if scope == "trial" else of_rounds:
                returns += [sum(0.9**i * r for i, r in enumerate(rewards[t:])) for t in range(len(rewards))]
    assert scale == pytest.approx(1 / np.std(returns), rel=1e-5)


@pytest.mark.parametrize("metalearner", ["maml-trpo", "promp"])
def test_any_number_of_workers_and_a_resumed_run_give_the_same_bits(metalearner: str, tmp_path: Path):
    keys = CONFIG.model_dump(include=CONFIG.model_fields_set)
    config = Config(**{**keys, "metalearner": metalearner})
    whole, with_workers = states_of(config), states_of(config, replace(SETTINGS, num_workers=2))
    assert all(same_bits(a.theta, b.theta) for a, b in zip(whole, with_workers, strict=True))
    with Run(config, SETTINGS) as run:
        save_tensors(state_tensors(run.learner.layout, whole[0]), tmp_path / "first.th")
        state = load_state(tmp_path / "first.th", run.learner.layout, run.init())
        *_, last = (iteration.state for iteration in train(run, state, Progress(iteration=1)))
    assert same_bits(last.theta, whole[-1].theta)
    assert all(same_bits(x, last.memory[name]) for name, x in whole[-1].memory.items())


def test_advantages_come_from_scaled_rewards():
    advantages = []
    with Run(CONFIG, SETTINGS) as run:
        tasks, layout = run.sampler.sample_tasks(3, 0), run.learner.layout
        parts = layout.view(run.init().theta)
        for scale in (1.0, 4.0):
            theta = layout.join({**parts, REWARD_SCALE: torch.tensor([scale])})
            (episodes,) = run.sampler.sample(tasks, theta, replace(Recipe.of(CONFIG), scales=()), 0)
            advantages.append(torch.stack([batch.advantages for batch in episodes]))
            assert float(episodes[0].rewards.min()) > -2.0  # As the environment gave them.
    torch.testing.assert_close(4 * advantages[0], advantages[1])


def test_deviations_too_small_to_divide_by_count_as_none():
    rows = torch.tensor([[0.0], [1e-40]], dtype=torch.float64)
    zeros = torch.zeros(1, dtype=torch.float64)
    assert Moments(zeros[0], zeros, zeros).with_rows(rows).scale.float().tolist() == [0.0]


def test_another_choice_of_statistics_is_named(tmp_path: Path):
    with Run(CONFIG, SETTINGS) as run:
        state, layout = run.init(), run.learner.layout
        save_tensors(state_tensors(layout, state), tmp_path / "policy.th")
    with (
        Run(CONFIG.model_copy(update={"normalize_rewards": False}), SETTINGS) as run,
        pytest.raises(
            UsageError, match=r"other statistics: .*check normalize-observations and normalize-rewards"
        ),
    ):
        load_state(tmp_path / "policy.th", run.learner.layout, run.init())


def test_the_policy_of_another_method_is_named(tmp_path: Path):
    config = Config(env_name="2DNavigation-v0", metalearner="cavia")
    with Run(Config(env_name="2DNavigation-v0"), SETTINGS) as run:
        save_tensors(state_tensors(run.learner.layout, run.init()), tmp_path / "policy.th")
    with (
        Run(config, SETTINGS) as run,
        pytest.raises(UsageError, match=r"of another method, or .*check metalearner"),
    ):
        load_state(tmp_path / "policy.th", run.learner.layout, run.init())


def test_without_the_keys_nothing_is_remembered():
    config = CONFIG.model_copy(update={"normalize_observations": False, "normalize_rewards": False})
    with Run(config, SETTINGS) as run:
        assert not [name for name in run.learner.layout.shapes if name.startswith("meta.")]
        assert not run.init().memory
