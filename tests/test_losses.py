import pytest
import torch
from torch import Tensor

from maml_rl.losses import mean_kl, reinforce_gradient, surrogate_loss
from tests.builders import Problem, both_families, make_problem, random_vectors, stacked
from tests.oracles import maml as oracle


@pytest.fixture
def problem(family: str) -> Problem:
    return make_problem(family, inner_steps=1)


def per_task(problem: Problem, seed: int) -> Tensor:
    """Other parameters for each task."""
    return problem.theta + 0.3 * random_vectors(problem, seed)


@both_families
def test_reinforce_gradient(problem: Problem):
    """Pulled back to the policy's parameters, against autograd on the oracle's loss."""
    phi = per_task(problem, 0)
    linearisation = problem.policy.linearise(problem.valid.observations, phi)
    gradients = linearisation.pull_back(reinforce_gradient(linearisation.pi, problem.valid))
    for n, task in enumerate(problem.tasks):
        vector = phi[n].clone().requires_grad_()
        loss = oracle.reinforce_loss(problem.reference.network, vector, task.valid)
        torch.testing.assert_close(gradients[n], torch.autograd.grad(loss, vector)[0], rtol=1e-10, atol=1e-12)


@both_families
def test_surrogate_loss_and_kl(problem: Problem):
    old, new = per_task(problem, 0), per_task(problem, 1)
    old_pi, new_pi = (
        problem.policy.outputs(problem.valid.observations, problem.policy.unflatten(vectors))
        for vectors in (old, new)
    )
    old_log_probs, log_probs = (pi.log_prob(problem.valid.actions) for pi in (old_pi, new_pi))
    losses = surrogate_loss(log_probs, old_log_probs, problem.valid)
    kls = mean_kl(old_pi, new_pi, problem.valid)
    for n, task in enumerate(problem.tasks):
        arguments = (problem.reference.network, old[n], new[n], task.valid)
        torch.testing.assert_close(losses[n], oracle.surrogate_loss(*arguments), rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(kls[n], oracle.mean_kl(*arguments), rtol=1e-10, atol=1e-12)
    assert not torch.allclose(kls, mean_kl(new_pi, old_pi, problem.valid), rtol=0.01)


@both_families
def test_losses_of_an_episode_do_not_depend_on_its_length(problem: Problem):
    """An episode said twice over weighs no more than once."""
    episode, other = problem.tasks[0].valid[:2]
    params = problem.policy.unflatten(problem.theta[None])
    old = problem.policy.unflatten(per_task(problem, 0)[:1])
    once, twice = (
        surrogate_loss(
            problem.policy.outputs(batch.observations, params).log_prob(batch.actions),
            problem.policy.outputs(batch.observations, old).log_prob(batch.actions),
            batch,
        )
        for batch in (
            stacked([[e, other]])
            for e in (episode, oracle.Episode(*(torch.cat([field, field]) for field in episode)))
        )
    )
    torch.testing.assert_close(once, twice, rtol=1e-12, atol=1e-12)
