"""ProMP's objective: values, gradients and products, against the oracle's."""

from itertools import pairwise
from typing import Any, NamedTuple

import pytest
import torch
from torch import Tensor

from maml_rl.config import Config
from maml_rl.losses import likelihood_ratio
from maml_rl.metalearners import MetaState
from maml_rl.metalearners.problem import TaskChunk
from maml_rl.metalearners.promp import COEFFICIENTS, ProMP
from maml_rl.stacked import StackedEpisodes
from tests.builders import (
    Problem,
    both_families,
    first_or_second_order,
    make_problem,
    random_vectors,
    same_bits,
)
from tests.oracles import promp as oracle
from tests.oracles.maml import mean_over_steps

inner_steps_0_1_2 = pytest.mark.parametrize("inner_steps", [0, 1, 2])
old_or_moved = pytest.mark.parametrize("moved", [False, True], ids=["theta_old", "moved"])

CLIP = 0.2
FAST_LRS = {"normal": 0.1, "categorical": 2.0}
"""Large enough for the second derivatives of the inner step to matter."""
DISTANCES = {"normal": 0.1, "categorical": 0.5}
"""To the moved theta: far enough for some ratios to be clipped."""
LENGTHS = ((3, 1), (2, 4))
COEFFICIENT_OF_STEP = (0.75, 0.25)
"""Large enough to matter; floats hold them exactly."""


class Case(NamedTuple):
    """A problem in float64, the method, and the oracle's idea of both."""

    family: str
    problem: Problem
    learner: ProMP
    oracle: oracle.ProMP

    def state(self) -> MetaState:
        coefficients = torch.tensor(self.oracle.coefficients)
        return MetaState(self.problem.theta, {**self.learner.init().memory, COEFFICIENTS: coefficients})

    def chunk(self, keep: bool = False, batches: list[StackedEpisodes] | None = None) -> TaskChunk:
        objective = self.learner.objective(self.state(), [])
        theta, own = self.problem.theta, self.problem.batches
        return TaskChunk(self.learner.adaptation, theta, own if batches is None else batches, objective, keep)

    def theta(self, moved: bool) -> Tensor:
        distance = DISTANCES[self.family] if moved else 0.0
        return self.problem.theta + distance * random_vectors(self.problem)[0]


def make_case(family: str, inner_steps: int, first_order: bool = False) -> Case:
    problem = make_problem(family, inner_steps, lengths=LENGTHS)
    coefficients, fast_lr = COEFFICIENT_OF_STEP[:inner_steps], FAST_LRS[family]
    network = problem.reference.network
    reference = oracle.ProMP(network, problem.theta, fast_lr, CLIP, coefficients, first_order)
    keys = {"fast_lr": fast_lr, "num_steps": inner_steps, "first_order": first_order, "clip": CLIP}
    return Case(family, problem, ProMP(problem.policy, config(**keys)), reference)


def config(**keys: Any) -> Config:
    return Config(env_name="-", metalearner="promp", **keys)


@both_families
@first_or_second_order
@inner_steps_0_1_2
@old_or_moved
def test_value_and_gradient_equal_the_oracles(family: str, first_order: bool, inner_steps: int, moved: bool):
    case = make_case(family, inner_steps, first_order)
    theta = case.theta(moved)
    losses, gradients = case.chunk().at(theta)
    for n, task in enumerate(case.problem.tasks):
        expected = case.oracle.loss(theta, task).detach()
        torch.testing.assert_close(losses[n], expected, rtol=1e-10, atol=1e-12)
        expected = case.oracle.gradient(theta, task)
        torch.testing.assert_close(gradients[n], expected, rtol=1e-9, atol=1e-10)


@both_families
@inner_steps_0_1_2
def test_the_moved_theta_is_one_where_clip_and_penalties_matter(family: str, inner_steps: int):
    """Else the tests that go there could not tell whether they are right."""
    case = make_case(family, inner_steps)
    theta = case.theta(moved=True)
    ratios = torch.cat([r for task in case.problem.tasks for r in case.oracle.ratios(theta, task)])
    distances = (ratios - 1).abs() - CLIP
    assert distances.max() > 0 > distances.min()
    assert distances.abs().min() > 1e-4
    for task in case.problem.tasks:
        assert all(kl > 1e-4 for kl in case.oracle.inner_kls(theta, task))


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_at_the_old_theta(family: str, first_order: bool, inner_steps: int):
    """`at_old` is `at` there; entropy and inner gradients are those of the adapted policies' oracle."""
    case = make_case(family, inner_steps, first_order)
    losses, gradients, entropies, norms = case.chunk().at_old()
    for answer, expected in zip(case.chunk().at(case.problem.theta), (losses, gradients), strict=True):
        torch.testing.assert_close(answer, expected, rtol=1e-12, atol=1e-14)
    network = case.problem.reference.network
    for n, task in enumerate(case.problem.tasks):
        torch.testing.assert_close(
            gradients[n], case.oracle.gradient(case.problem.theta, task), rtol=1e-9, atol=1e-10
        )
        *before, adapted = case.oracle.old(task)
        expected = mean_over_steps(
            task.valid, lambda s, *_, phi=adapted: network.distribution(phi, s).entropy()
        )
        torch.testing.assert_close(entropies[n], expected)
        path = [*before, adapted]
        steps = [(b - a).norm() / case.oracle.fast_lr for a, b in pairwise(path)]
        expected = torch.stack(steps).mean() if steps else torch.zeros_like(norms[n])
        torch.testing.assert_close(norms[n], expected)


@both_families
@inner_steps_0_1_2
@old_or_moved
def test_gradient_is_the_slope_of_the_value(family: str, inner_steps: int, moved: bool):
    """Of what `evaluate` says, which linearises nothing, by central differences in some directions."""
    case = make_case(family, inner_steps)
    chunk, theta, width = case.chunk(), case.theta(moved), 1e-5
    _, gradients = chunk.at(theta)
    for direction in torch.cat([random_vectors(case.problem, seed) for seed in (3, 4)]):
        ends = [chunk.evaluate(theta + by * direction)[0] for by in (width, -width)]
        slopes = (ends[0] - ends[1]) / (2 * width)
        torch.testing.assert_close(gradients @ direction, slopes, rtol=1e-6, atol=1e-7)


@both_families
@first_or_second_order
@inner_steps_0_1_2
@old_or_moved
def test_evaluate_gives_losses_inner_kls_and_kls(
    family: str, first_order: bool, inner_steps: int, moved: bool
):
    case = make_case(family, inner_steps, first_order)
    theta = case.theta(moved)
    losses, *inner_kls, kls = case.chunk().evaluate(theta)
    assert len(inner_kls) == inner_steps
    for n, task in enumerate(case.problem.tasks):
        terms = case.oracle.terms(theta, task)
        expected = case.oracle.loss(theta, task).detach()
        torch.testing.assert_close(losses[n], expected, rtol=1e-10, atol=1e-12)
        torch.testing.assert_close(kls[n], terms.kl.detach(), rtol=1e-9, atol=1e-12)
        for found, kl in zip(inner_kls, terms.inner_kls, strict=True):
            torch.testing.assert_close(found[n], kl.detach(), rtol=1e-9, atol=1e-12)


@both_families
@inner_steps_0_1_2
def test_fisher_product_is_that_of_maml_on_the_ratio(family: str, inner_steps: int):
    """The Hessian of the oracle's KL after adaptation."""
    case = make_case(family, inner_steps)
    vector = random_vectors(case.problem)[0]
    products = case.chunk().fisher_product(vector)
    for n, task in enumerate(case.problem.tasks):
        hessian = torch.autograd.functional.hessian(
            lambda theta, task=task: case.oracle.terms(theta, task).kl, case.problem.theta
        )
        torch.testing.assert_close(products[n], hessian @ vector, rtol=1e-8, atol=1e-9)


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_keeping_what_was_linearised_gives_the_same_bits(family: str, first_order: bool, inner_steps: int):
    case = make_case(family, inner_steps, first_order)
    theta, vector = case.theta(moved=True), random_vectors(case.problem)[0]
    answers = []
    for keep in (False, True):
        chunk = case.chunk(keep)
        first = (*chunk.at_old(), *chunk.at(theta), chunk.fisher_product(vector), *chunk.evaluate(theta))
        answers.append((*first, *chunk.at_old(), *chunk.at(theta)))
    assert all(same_bits(x, y) for x, y in zip(*answers, strict=True))


@both_families
@inner_steps_0_1_2
def test_the_first_question_may_be_any(family: str, inner_steps: int):
    """The old policies are those at the old theta, whichever is asked about first."""
    case = make_case(family, inner_steps)
    theta, vector = case.theta(moved=True), random_vectors(case.problem)[0]
    warm = case.chunk()
    warm.at_old()
    questions = [
        lambda chunk: chunk.at(theta),
        lambda chunk: chunk.evaluate(theta),
        lambda chunk: (chunk.fisher_product(vector),),
    ]
    for ask in questions:
        assert all(same_bits(x, y) for x, y in zip(ask(case.chunk()), ask(warm), strict=True))


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_old_policies_that_the_episodes_name_are_the_ones_that_count(
    family: str, first_order: bool, inner_steps: int
):
    """Here the chunk's own theta is the moved one, and the episodes are from the old one."""
    case = make_case(family, inner_steps, first_order)
    theta, policy = case.theta(moved=True), case.problem.policy
    paths = [torch.stack(phis) for phis in zip(*map(case.oracle.old, case.problem.tasks), strict=True)]
    batches = [
        batch._replace(old=policy.outputs(batch.observations, policy.unflatten(params)))
        for batch, params in zip(case.problem.batches, paths, strict=True)
    ]
    objective = case.learner.objective(case.state(), [])
    chunk = TaskChunk(case.learner.adaptation, theta, batches, objective, keep=False)
    expected = case.chunk().at(theta)
    for answers in (chunk.at(theta), chunk.at_old()[:2]):
        for answer, other in zip(answers, expected, strict=True):
            torch.testing.assert_close(answer, other, rtol=1e-9, atol=1e-10)
    for n, task in enumerate(case.problem.tasks):
        gradient = case.oracle.gradient(theta, task)
        torch.testing.assert_close(chunk.at(theta)[1][n], gradient, rtol=1e-9, atol=1e-10)
    for answer, other in zip(chunk.evaluate(theta), case.chunk().evaluate(theta), strict=True):
        torch.testing.assert_close(answer, other, rtol=1e-9, atol=1e-12)


@both_families
@pytest.mark.parametrize("named", [(0,), (1,), (2,), (0, 2)], ids=str)
def test_old_policies_that_only_some_rounds_name(family: str, named: tuple[int, ...]):
    """The others' are those at the chunk's own theta."""
    case = make_case(family, inner_steps=2)
    theta, policy = case.theta(moved=True), case.problem.policy
    another = policy.unflatten(case.problem.repeated(case.problem.theta + 0.05))
    params = case.problem.repeated(case.problem.theta)
    some, every = [], []
    for step, batch in enumerate(case.problem.batches):
        given, own = (policy.outputs(batch.observations, p) for p in (another, policy.unflatten(params)))
        some.append(batch._replace(old=given if step in named else None))
        every.append(batch._replace(old=given if step in named else own))
        params = case.learner.adaptation.step(params, every[-1])
    for question in ("at", "evaluate"):
        found, expected = (getattr(case.chunk(batches=each), question)(theta) for each in (some, every))
        for answer, other in zip(found, expected, strict=True):
            torch.testing.assert_close(answer, other, rtol=1e-9, atol=1e-10)


@both_families
def test_tasks_do_not_depend_on_their_neighbours(family: str):
    case = make_case(family, inner_steps=2)
    theta = case.theta(moved=True)
    together = case.chunk().at(theta)
    for n, batches in enumerate(zip(*(batch.split(1) for batch in case.problem.batches), strict=True)):
        for answer, expected in zip(together, case.chunk(batches=list(batches)).at(theta), strict=True):
            torch.testing.assert_close(answer[n : n + 1], expected, rtol=1e-9, atol=1e-10)


def test_tasks_adapt_on_the_ratio_as_the_settings_say():
    case = make_case("normal", 1, first_order=True)
    adaptation: Any = case.learner.adaptation
    assert adaptation.loss is likelihood_ratio
    assert (adaptation.length, adaptation.first_order) == (case.oracle.fast_lr, True)
