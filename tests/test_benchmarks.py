"""What the benchmarks compare with, and by which rules."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from benchmarks.exploration import bandits, mdps
from benchmarks.metalearners.__main__ import EXPERIMENTS
from benchmarks.paper import __main__ as paper
from benchmarks.paper import held_out, results
from benchmarks.paper.methods import TASKS
from benchmarks.paper.noise import alike
from benchmarks.paper.response import late_velocity
from benchmarks.paper.results import Curve
from benchmarks.paper.table import over_seeds, passed, scores
from benchmarks.running import ROOT
from maml_rl.config import load_config, read_tasks
from maml_rl.envs import make_env
from maml_rl.envs.tasks_file import checked_tasks
from maml_rl.episode import BatchEpisodes


def test_gittins_indices_are_the_published_ones():
    """Gittins 1989, table of the Bernoulli reward process, discount 0.9."""
    table = bandits.gittins_indices(40, 0.9)
    assert table[0, 0] == pytest.approx(0.7029, abs=1e-3)
    assert table[1, 0] == pytest.approx(0.8001, abs=1e-3)
    assert table[0, 1] == pytest.approx(0.5001, abs=1e-3)
    assert table[1, 1] == pytest.approx(0.6346, abs=1e-3)
    assert np.isnan(table[40, 1])


def test_the_optimum_is_that_of_dynamic_programming():
    """By hand for two arms and two pulls: the first pays 1/2, then 2/3 if it paid, and else the other 1/2."""
    assert bandits.optimum(2, 1) == 0.5
    assert bandits.optimum(2, 2) == pytest.approx(0.5 + (2 / 3 + 1 / 2) / 2)
    assert bandits.optimum(1, 3) == pytest.approx(1.5)
    assert bandits.optimum(5, 10) == pytest.approx(6.660, abs=5e-4)
    assert bandits.optimum(10, 10) == pytest.approx(6.714, abs=5e-4)
    assert bandits.optimum(50, 4) == bandits.optimum(4, 4)


def test_bandit_strategies_gain_what_was_published():
    """Duan et al. 2016, table 1, k = 5: 10 and 100 pulls."""
    rng = np.random.default_rng(0)
    means = rng.random((4000, 5))

    def total(index: bandits.Index, pulls: int) -> float:
        return float(bandits.total_rewards(index, means, pulls, rng).mean())

    assert total(bandits.uniformly, 100) == pytest.approx(49.9, abs=1.0)
    assert total(bandits.gittins(10), 10) == pytest.approx(6.6, abs=0.15)
    assert total(bandits.gittins(100), 100) == pytest.approx(78.3, abs=1.0)
    assert total(bandits.thompson, 100) == pytest.approx(74.7, abs=1.0)
    # Theirs, 78.0, must have been tuned: this is the index as Auer et al. have it.
    assert total(bandits.ucb1, 100) == pytest.approx(66.1, abs=1.0)


def test_mdp_strategies_gain_what_they_should():
    """Of 10 episodes of 10 steps; Duan et al. 2016, table 2, have 100.1 and, for a PSRL of theirs, 138.1."""
    rng = np.random.default_rng(0)
    transitions = rng.dirichlet(np.ones(10), (2000, 10, 5))
    rewards = rng.normal(1.0, 1.0, (2000, 10, 5))

    def total(plan: mdps.Plan) -> float:
        return float(mdps.total_rewards(plan, transitions, rewards, 10, 10, rng).mean())

    assert total(mdps.uniformly) == pytest.approx(100.1, abs=2.0)
    assert total(mdps.posterior_sampling) == pytest.approx(133.4, abs=1.5)
    assert total(mdps.greedily) == pytest.approx(150.6, abs=1.5)


def test_posterior_sampling_plans_for_what_was_seen():
    """After much experience of one MDP, draws from the posterior are that MDP, and its best policy comes."""
    rng = np.random.default_rng(3)
    transitions, rewards = rng.dirichlet(np.ones(3), (1, 3, 2)), rng.normal(size=(1, 3, 2))
    visits = 1e8
    seen = mdps.Experience(transitions * visits, rewards * visits)
    best = mdps.best_policy(transitions, rewards, 4)
    np.testing.assert_array_equal(mdps.posterior_sampling(seen, 4, rng), best)
    other = mdps.Experience(transitions * visits, -rewards * visits)
    assert (mdps.posterior_sampling(other, 4, rng) != best).any()


@pytest.mark.parametrize("seed", [9, 40, 57])  # The order of the plan in time matters in these.
def test_the_best_policy_is_found_by_enumeration_too(seed: int):
    rng = np.random.default_rng(seed)
    transitions, rewards = rng.dirichlet(np.ones(2), (1, 2, 2)), rng.normal(size=(1, 2, 2))
    plan = mdps.best_policy(transitions, rewards, 2)

    def value(actions: np.ndarray) -> float:
        """Of state 0, by enumeration: ``actions[t, s]``."""
        first = actions[0, 0]
        rest = [transitions[0, 0, first, s] * rewards[0, s, actions[1, s]] for s in range(2)]
        return float(rewards[0, 0, first] + sum(rest))

    every = [np.array(bits).reshape(2, 2) for bits in np.ndindex(2, 2, 2, 2)]
    assert value(plan[:, 0]) == pytest.approx(max(map(value, every)))


def test_an_oracle_keeps_the_tasks_own_arguments():
    options = paper.config_options("navigation", "oracle")
    assert options[:2] == ["--config", Path("configs/paper/navigation.yaml")]
    given: dict[Any, Any] = {options[i]: options[i + 1] for i in range(2, len(options), 2)}
    assert json.loads(given.pop("--env-kwargs")) == {"normalization_scale": 1.0, "observe_task": True}
    assert given == {"--num-steps": 0}
    assert paper.config_options("navigation", "maml")[2:] == []


@pytest.mark.parametrize(
    ("task", "method", "expected"),
    [
        ("cheetah-vel", "maml", [20, "--num-steps", 3, "--step-size-schedule", 1, 0.25, 0.25]),
        (
            "cheetah-dir",
            "pretrained",
            [
                20,
                "--fast-lr",
                0.2,
                "--gae-lambda",
                0.95,
                "--num-steps",
                3,
                "--step-size-schedule",
                1,
                0.5,
                0.5,
            ],
        ),
        (
            "ant-dir",
            "random",
            [40, "--fast-lr", 1.0, "--num-steps", 3, "--step-size-schedule", 1, 0.01, 0.01],
        ),
        ("ant-vel", "oracle", [20, "--num-steps", 0]),
    ],
)
def test_each_method_is_tested_by_the_papers_protocol(task: str, method: str, expected: list[object]):
    tasks = Path("benchmarks", "paper", task, "tasks.yaml")
    assert paper.test_options(task, method) == ["--tasks", tasks, "--fast-batch-size", *expected]


@pytest.mark.parametrize("task", TASKS)
def test_the_tasks_of_the_test_are_the_papers(task: str):
    config, _ = load_config(ROOT / "configs" / "paper" / f"{task}.yaml")
    with make_env(config.env_name, config.env_kwargs) as env:
        tasks = checked_tasks(env, read_tasks(held_out.tasks_file(task)), task)
    name, draw = held_out.DRAWS[task]
    np.testing.assert_array_equal([entry[name] for entry in tasks], draw())


@pytest.mark.parametrize(
    ("task", "seed", "high", "backward"), [("cheetah-dir", 1, 2.0, 22), ("ant-dir", 2, 3.0, 25)]
)
def test_goals_below_the_middle_are_backward(task: str, seed: int, high: float, backward: int):
    directions = held_out.DRAWS[task][1]()
    goals = np.random.RandomState(seed).uniform(0, high, 40)
    assert [d > 0 for d in directions] == [g > high / 2 for g in goals]
    assert (directions == -1).sum() == backward


def test_the_bar_is_a_standard_error_below_the_published_mean():
    bar = Curve((0.0, 10.0, 10.0, 10.0), (1.0, 2.0, 2.0, 2.0))
    assert passed(Curve((9.0, 8.0, 7.9, 30.0), (5.0,) * 4), bar) == [False, True, False, True]


def test_the_mean_of_the_seeds_has_the_error_of_that_mean():
    seeds = np.array([[1.0, 10.0], [2.0, 10.0], [6.0, 13.0]])
    found = over_seeds([Curve(tuple(row), (9.0, 9.0)) for row in seeds])
    np.testing.assert_allclose(found.means, [3.0, 11.0])
    np.testing.assert_allclose(found.standard_errors, seeds.std(0, ddof=1) / 3**0.5)


def test_scores_are_the_way_from_the_untrained_policy_to_the_oracle():
    """As of the published values of ant velocity: .94, .96 and .97 after one step and more."""
    curves = (results.published("ant-vel", method) for method in ("maml", "random", "oracle"))
    assert scores(*curves)[1:] == pytest.approx([0.94, 0.96, 0.97], abs=0.005)


def test_results_are_found_by_method_and_seed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(results, "HERE", tmp_path)
    for folder, mean in {"maml-10": 3.0, "maml-2": 1.0, "unfinished-maml-1": 5.0, "oracle-1": 7.0}.items():
        table = tmp_path / "ant-vel" / folder / "test.csv"
        table.parent.mkdir(parents=True)
        table.write_text(f"policy,mean_return,standard_error\npolicy,{mean},0.5\nrandom,0.0,0.0\n")
    assert list(results.ours("ant-vel", "maml").items()) == [
        (2, Curve((1.0,), (0.5,))),
        (10, Curve((3.0,), (0.5,))),
    ]
    assert results.ours("ant-vel", "pretrained") == {}


def test_gradients_are_alike_as_their_cosines_with_the_mean_of_the_others():
    batches = np.random.default_rng(0).normal(1.0, 1.0, (5, 3))
    cosines = []
    for i, batch in enumerate(batches):
        others = np.delete(batches, i, axis=0).mean(0)
        cosines.append(batch @ others / (np.linalg.norm(batch) * np.linalg.norm(others)))
    assert alike(torch.from_numpy(batches)) == pytest.approx(np.mean(cosines))


def test_velocity_is_that_of_the_second_half():
    """Two episodes of 9 steps at 1 and 3 m/s after other positions; the centre of mass is third from last."""
    episodes = BatchEpisodes(2)
    x = np.array([[7.0, 5.0, 9.0, 8.0, 0.0, 0.01, 0.02, 0.03, 0.04], [1, 2, 3, 4, 0, 0.03, 0.06, 0.09, 0.12]])
    for step in x.T:
        observations = np.zeros((2, 20), np.float32)
        observations[:, -3] = step
        episodes.append(observations, np.zeros((2, 6), np.float32), np.zeros(2), [0, 1])
    assert late_velocity(episodes) == pytest.approx(2.0, rel=1e-4)


def test_a_row_without_a_policy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(results, "HERE", tmp_path)
    for name in ("maml-1", "random-1"):
        (tmp_path / "ant-vel" / name).mkdir(parents=True)
    (tmp_path / "ant-vel" / "maml-1" / "policy.th").touch()
    assert results.trained_row("ant-vel", "maml-1") == tmp_path / "ant-vel" / "maml-1"
    with pytest.raises(SystemExit, match="random-1'; there are: maml-1"):
        results.trained_row("ant-vel", "random-1")


@pytest.mark.parametrize("name", EXPERIMENTS)
def test_every_experiment_has_a_config(name: str):
    option, path, *_ = EXPERIMENTS[name]
    assert option == "--config"
    load_config(ROOT / str(path))
