"""What holds of every method: its derivatives, by finite differences in float64, and who adapts how.

A method is tested here by being registered.
"""

from functools import cache
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from maml_rl.adaptation import DifferentiableAdaptation
from maml_rl.config import Config
from maml_rl.config.methods import METHODS
from maml_rl.metalearners import MetaState
from maml_rl.metalearners.base import GradientMetaLearner
from maml_rl.metalearners.chunks import Rounds
from maml_rl.metalearners.problem import TaskChunk
from maml_rl.policies.actor import Actor
from maml_rl.samplers import Recipe
from maml_rl.samplers.worker import SamplerWorker
from maml_rl.stacked import StackedEpisodes, StepOrder, stack_episodes
from maml_rl.training import Run, RunSettings
from tests.policies.problems import random, slope

ENVS: dict[str, dict[str, Any]] = {
    "2DNavigation-v0": {"max_episode_steps": 7},
    "TabularMDP-v0": {"num_states": 3, "max_episode_steps": 5},
}
SIZES: dict[str, Any] = {
    "meta_batch_size": 3,
    "fast_batch_size": 4,
    "num_steps": 2,
    "hidden_sizes": (6,),
    "tasks_per_item": 2,
}
FIRST_ORDER = {"fomaml-trpo"}
each_method = pytest.mark.parametrize("method", METHODS)
each_env = pytest.mark.parametrize("env", ENVS)


class Case(NamedTuple):
    """A method at its first theta, with episodes of it; float64."""

    learner: GradientMetaLearner
    state: MetaState
    rounds: Rounds
    batches: list[StackedEpisodes]

    def chunk(self) -> TaskChunk:
        objective = self.learner.objective(self.state, self.rounds)
        chunk = TaskChunk(self.learner.adaptation, self.theta, self.batches, objective, keep=True)
        chunk.at_old()
        return chunk

    @property
    def theta(self) -> Tensor:
        return self.state.theta.double()

    def direction(self, seed: int) -> Tensor:
        """A direction in which the outer step may move theta."""
        vector = random(1, len(self.theta), seed=seed)
        moving = self.learner.adaptation.learned(vector)[0]
        return moving / moving.norm()


def in_double(batch: StackedEpisodes) -> StackedEpisodes:
    def double(x: Tensor) -> Tensor:
        return x.double() if x.is_floating_point() else x

    assert batch.order is not None
    observations, actions, advantages, weights = map(double, batch[:4])
    order = StepOrder(*map(double, batch.order))
    return StackedEpisodes(observations, actions, advantages, weights, order=order)


@cache
def case(method: str, env: str, **keys: Any) -> Case:
    config = Config(metalearner=method, env_name=env, env_kwargs=ENVS[env], **SIZES, **keys)
    with Run(config, RunSettings(seed=3)) as run:
        state = run.init()
        tasks = run.sampler.sample_tasks(config.meta_batch_size, iteration=0)
        rounds = run.sampler.sample(tasks, state.theta, Recipe.of(config), 0)
        batches = [in_double(stack_episodes(episodes)) for episodes in rounds]
        assert isinstance(run.learner, GradientMetaLearner)
        return Case(run.learner, state, rounds, batches)


def of_gradients(method: str) -> bool:
    return issubclass(METHODS[method].load(), GradientMetaLearner) and method not in FIRST_ORDER


LOSSES = ["likelihood-ratio", "dice", "loaded-dice"]  # Both methods' own is `reinforce`.
SECOND_ORDER: list[tuple[str, dict[str, Any]]] = [(method, {}) for method in METHODS if of_gradients(method)]
OTHER_LOSSES = [(method, {"inner_loss": loss}) for method in ("maml-trpo", "meta-sgd") for loss in LOSSES]
WITH_ADAM = [("e-maml", {"outer": "adam"})]
ids = lambda x: x if isinstance(x, str) else "-".join(map(str, x.values())) or "as-it-is"  # noqa: E731


@each_env
@pytest.mark.parametrize(("method", "keys"), [*SECOND_ORDER, *OTHER_LOSSES, *WITH_ADAM], ids=ids)
def test_the_meta_gradient_is_that_of_finite_differences(method: str, keys: dict[str, Any], env: str):
    here = case(method, env, **keys)
    chunk = here.chunk()
    losses, gradients, *_ = chunk.at_old()
    assert gradients.abs().max() > 1e-4
    for seed in range(3):
        vector = here.direction(seed)
        expected = slope(lambda theta: chunk.evaluate(theta)[0], here.theta, vector, 1e-3)
        torch.testing.assert_close(gradients @ vector, expected, rtol=1e-5, atol=1e-8)
    torch.testing.assert_close(losses, chunk.evaluate(here.theta)[0], rtol=1e-10, atol=1e-12)


@each_env
@pytest.mark.parametrize(("method", "keys"), [*SECOND_ORDER, *OTHER_LOSSES], ids=ids)
def test_the_gradient_at_a_moved_theta_is_that_of_finite_differences(
    method: str, keys: dict[str, Any], env: str
):
    here = case(method, env, **keys)
    chunk, moved = here.chunk(), here.theta + 0.05 * here.direction(7)
    _, gradients = chunk.at(moved)
    vector = here.direction(1)
    expected = slope(lambda theta: chunk.evaluate(theta)[0], moved, vector, 1e-3)
    torch.testing.assert_close(gradients @ vector, expected, rtol=1e-5, atol=1e-8)


@each_env
@pytest.mark.parametrize(("method", "keys"), [*SECOND_ORDER, *OTHER_LOSSES], ids=ids)
def test_fisher_products_are_the_curvature_of_the_kl(method: str, keys: dict[str, Any], env: str):
    here = case(method, env, **keys)
    chunk = here.chunk()
    u, v = here.direction(0), here.direction(1)
    products = {name: chunk.fisher_product(x) for name, x in (("u", u), ("v", v))}
    torch.testing.assert_close(products["u"] @ v, products["v"] @ u, rtol=1e-8, atol=1e-12)

    def kl(theta: Tensor) -> Tensor:
        return chunk.evaluate(theta)[-1]

    size = 1e-3
    expected = (kl(here.theta + size * u) + kl(here.theta - size * u)) / size**2
    torch.testing.assert_close(products["u"] @ u, expected, rtol=1e-4, atol=1e-8)


@each_env
@each_method
def test_the_learner_adapts_as_workers_do(method: str, env: str, monkeypatch: pytest.MonkeyPatch):
    """What is differentiated is what was sampled."""
    sampled_with: list[list[Tensor]] = [[], [], []]
    create = SamplerWorker.create_episodes

    def spied(self: SamplerWorker, item: Any, params: Tensor, actor: Actor, step: int) -> Any:
        sampled_with[step].append(params.clone())
        return create(self, item, params, actor, step)

    monkeypatch.setattr(SamplerWorker, "create_episodes", spied)
    config = Config(metalearner=method, env_name=env, env_kwargs=ENVS[env], **SIZES)
    with Run(config, RunSettings(seed=3)) as run:
        theta, adaptation = run.init().theta, run.learner.adaptation
        tasks = run.sampler.sample_tasks(config.meta_batch_size, iteration=0)
        rounds = run.sampler.sample(tasks, theta, Recipe.of(config), 0)
    params = adaptation.start(theta, len(tasks))
    for step, episodes in enumerate(rounds):
        workers = torch.cat(sampled_with[step])
        torch.testing.assert_close(params, workers, rtol=1e-4, atol=1e-6)
        # A memory leaves the parameters as they are, and has tests of its own.
        if step < config.num_steps and isinstance(adaptation, DifferentiableAdaptation):
            batch = stack_episodes(episodes)
            after = adaptation.step(params, batch)
            linearised = adaptation.linearise(params, batch).params
            torch.testing.assert_close(linearised, after, rtol=1e-5, atol=1e-7)
            assert not torch.equal(after, params)
            params = after


@each_method
def test_no_step_of_adaptation_is_no_obstacle(method: str):
    config = Config(metalearner=method, env_name="TabularMDP-v0", **(SIZES | {"num_steps": 0}))
    with Run(config, RunSettings(seed=3)) as run:
        state = run.init()
        tasks = run.sampler.sample_tasks(config.meta_batch_size, iteration=0)
        update = run.update(state, run.sampler.sample_async(tasks, state.theta, Recipe.of(config), 0))
    assert list(update.metrics) == list(run.learner.columns)
    assert update.state.theta.isfinite().all()
