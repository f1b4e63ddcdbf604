"""Modules that scripts, tests and forks of 2020 import: they are there, or say what replaces them."""

from typing import Any

import pytest
import torch

import maml_rl.envs.tabular_mdp
import maml_rl.policies
from maml_rl.compat.samplers import MultiTaskSampler
from maml_rl.config import MeanOver
from maml_rl.episode import BatchEpisodes
from maml_rl.metalearners.base import GradientMetaLearner
from maml_rl.utils.reinforcement_learning import reinforce_loss
from tests.builders import batch, both_families, make_problem
from tests.oracles import maml as oracle


def imported(module: str, name: str) -> Any:
    namespace: dict[str, Any] = {}
    exec(f"from {module} import {name}", namespace)
    return namespace[name]


@pytest.mark.parametrize(
    ("module", "name", "found"),
    [
        ("maml_rl.policies.policy", "Policy", maml_rl.policies.Policy),
        ("maml_rl.samplers.multi_task_sampler", "MultiTaskSampler", MultiTaskSampler),
        ("maml_rl.envs.mdp", "TabularMDPEnv", maml_rl.envs.tabular_mdp.TabularMDPEnv),
    ],
)
def test_what_moved_is_found_at_its_old_place(module: str, name: str, found: object):
    assert imported(module, name) is found


def test_the_base_class_of_methods_has_another_name():
    with pytest.warns(DeprecationWarning, match=r"is maml_rl\.metalearners\.base\.GradientMetaLearner since"):
        found = imported("maml_rl.metalearners.base", "GradientBasedMetaLearner")
    assert found is GradientMetaLearner


@pytest.mark.parametrize(
    ("module", "name", "instead"),
    [
        ("maml_rl.utils.torch_utils", "weighted_mean", "step_weights"),
        ("maml_rl.utils.torch_utils", "weighted_normalize", "maml_rl.advantages.normalize"),
        ("maml_rl.utils.torch_utils", "detach_distribution", "torch.no_grad"),
        ("maml_rl.utils.torch_utils", "to_numpy", "tensor.numpy"),
        ("maml_rl.utils.torch_utils", "vector_to_parameters", "policy.set_vector"),
        ("maml_rl.utils.optimization", "conjugate_gradient", "maml_rl.optim.conjugate_gradient"),
        ("maml_rl.utils.reinforcement_learning", "value_iteration", "TabularMDP-v0"),
        ("maml_rl.utils.reinforcement_learning", "value_iteration_finite_horizon", "TabularMDP-v0"),
        ("maml_rl.policies.policy", "weight_init", "Glorot"),
        ("maml_rl.samplers.sampler", "make_env", "maml_rl.envs.make_env"),
        ("maml_rl.samplers.multi_task_sampler", "SamplerWorker", "maml_rl.samplers.worker"),
        ("maml_rl.envs.utils.sync_vector_env", "SyncVectorEnv", "make_task_vector_env"),
        ("maml_rl.envs.utils.normalized_env", "NormalizedActionWrapper", "normalization_scale"),
        ("maml_rl.envs.utils.wrappers", "mujoco_wrapper", "max_episode_steps"),
    ],
)
def test_what_is_gone_says_what_to_use(module: str, name: str, instead: str):
    with pytest.raises(
        ImportError, match=r"^maml_rl\.[^\n]* of 2020 is gone: [^\n]*docs/from-2020\.md$"
    ) as caught:
        imported(module, name)
    assert instead in str(caught.value)


def test_other_names_are_missing_as_ever():
    with pytest.raises(ImportError, match="cannot import name 'nothing'"):
        imported("maml_rl.utils.torch_utils", "nothing")


@both_families
def test_the_loss_of_2020_is_the_oracles(family: str):
    problem = make_problem(family, inner_steps=1)
    for task in problem.tasks:
        expected = oracle.reinforce_loss(problem.reference.network, problem.theta, task.valid)
        loss = reinforce_loss(problem.policy, batch(task.valid))
        torch.testing.assert_close(loss.double(), expected, rtol=1e-5, atol=1e-6)
        moved = problem.policy.update_params(loss, step_size=0.1)
        there = torch.cat([parameter.flatten() for parameter in moved.values()]).double()
        after = oracle.reinforce_loss(problem.reference.network, there, task.valid)
        again = reinforce_loss(problem.policy, batch(task.valid), params=moved)
        torch.testing.assert_close(again.double(), after, rtol=1e-5, atol=1e-6)
        assert not torch.equal(again, loss)


def test_the_loss_of_2020_is_the_mean_that_the_episodes_say():
    problem = make_problem("normal", inner_steps=1)
    given = batch(problem.tasks[0].valid)
    losses = {}
    means: tuple[MeanOver, ...] = ("episodes", "steps")
    for mean_over in means:
        episodes = BatchEpisodes.from_data(given.data, 0.9, given.advantages, mean_over=mean_over)
        log_probs = problem.policy(episodes.observations).log_prob(episodes.actions)
        real = torch.tensor([[t < length for length in episodes.lengths] for t in range(len(episodes))])
        share = real / real.sum(0) / len(episodes.lengths) if mean_over == "episodes" else real / real.sum()
        losses[mean_over] = reinforce_loss(problem.policy, episodes)
        expected = -(share * log_probs * episodes.advantages).sum()
        torch.testing.assert_close(losses[mean_over], expected)
    assert not torch.allclose(losses["episodes"], losses["steps"])
