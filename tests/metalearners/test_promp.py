from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from torch import Tensor

from maml_rl.config import Config
from maml_rl.config.parsing import parse_config
from maml_rl.errors import UsageError
from maml_rl.losses import likelihood_ratio
from maml_rl.metalearners import MetaState, MetaUpdate
from maml_rl.metalearners.problem import TaskChunk
from maml_rl.metalearners.promp import COEFFICIENTS, ProMP
from maml_rl.optim.base import Comparison, Evaluation, Step
from maml_rl.stacked import StackedEpisodes
from tests.builders import (
    THREE_TASKS,
    Problem,
    both_families,
    first_or_second_order,
    make_policy,
    make_problem,
    random_tasks,
    random_vectors,
    same_bits,
    to_batches,
)
from tests.oracles import promp as oracle
from tests.oracles.maml import Network, mean_over_steps

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


class Updates:
    """The method on float32 episodes, as in a run."""

    def __init__(self, family: str = "normal", inner_steps: int = 1, **keys: Any):
        self.policy = make_policy(family)
        self.tasks = random_tasks(self.policy, inner_steps, lengths=THREE_TASKS)
        train, valid = to_batches(self.tasks)
        self.rounds = [*train, valid]
        keys = {"fast_lr": FAST_LRS[family], "clip": CLIP, "inner_kl": 0.75, "learning_rate": 0.02} | keys
        self.settings: Any = config(num_steps=inner_steps, **keys)
        self.learner = ProMP(self.policy, self.settings)

    def update(self, state: MetaState | None = None, learner: ProMP | None = None) -> MetaUpdate:
        learner = learner or self.learner
        return learner.update(learner.init() if state is None else state, self.rounds)

    def oracle(self) -> oracle.ProMP:
        theta, steps = self.policy.get_vector().double(), self.settings.num_steps
        coefficients = [self.settings.inner_kl] * steps
        network = Network.like(self.policy)
        return oracle.ProMP(
            network, theta, self.settings.fast_lr, CLIP, coefficients, self.settings.first_order
        )


@both_families
@first_or_second_order
@inner_steps_0_1_2
def test_an_update_is_adam_on_the_oracles_mean_gradient(family: str, first_order: bool, inner_steps: int):
    updates = Updates(family, inner_steps, first_order=first_order)
    reference, tasks = updates.oracle(), updates.tasks
    moving = torch.nn.Parameter(reference.theta_old.clone())
    adam = torch.optim.Adam([moving], updates.settings.learning_rate)
    for _ in range(updates.settings.adam_steps):
        moving.grad = reference.mean_gradient(moving.detach(), tasks)
        adam.step()
    expected = moving.detach()
    found = updates.update()
    step, expected_step = found.state.theta.double() - reference.theta_old, expected - reference.theta_old
    assert (step - expected_step).norm() < 1e-3 * expected_step.norm()

    terms = [reference.terms(expected, task) for task in tasks]
    losses = np.array([reference.loss(expected, task).item() for task in tasks])
    kls = np.array([each.kl.item() for each in terms])
    np.testing.assert_allclose(found.per_task["loss_after"], losses, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.per_task["kl_after"], kls, rtol=1e-2, atol=1e-5)
    old_losses = [reference.loss(reference.theta_old, task).item() for task in tasks]
    np.testing.assert_allclose(found.per_task["loss_before"], old_losses, rtol=1e-4, atol=1e-6)
    assert not found.per_task["kl_before"].any()

    metrics = found.metrics
    assert list(metrics) == list(ProMP.columns)
    assert metrics["loss_before"] == pytest.approx(np.mean(old_losses), rel=1e-4, abs=1e-6)
    assert metrics["loss_after"] == pytest.approx(losses.mean(), rel=1e-3, abs=1e-4)
    assert metrics["kl"] == pytest.approx(kls.mean(), rel=1e-2, abs=1e-5)
    inner_kls = [kl.item() for each in terms for kl in each.inner_kls] or [0.0]
    assert metrics["inner_kl"] == pytest.approx(np.mean(inner_kls), rel=1e-2, abs=1e-6)
    assert metrics["inner_kl_coefficient"] == (0.75 if inner_steps else 0.0)
    gradient = reference.mean_gradient(reference.theta_old, tasks)
    assert metrics["grad_norm"] == pytest.approx(gradient.norm().item(), rel=1e-3)


def test_the_first_state_holds_theta_moments_and_a_coefficient_for_each_step():
    updates = Updates(inner_steps=2, inner_kl=0.25)
    state = updates.learner.init()
    assert same_bits(state.theta, updates.policy.get_vector())
    assert set(state.memory) == {COEFFICIENTS, "adam.exp_avg", "adam.exp_avg_sq", "adam.step"}
    assert state.memory[COEFFICIENTS].tolist() == [0.25, 0.25]
    assert not any(tensor.any() for name, tensor in state.memory.items() if name != COEFFICIENTS)


def step_with(*inner_kls: float) -> Step:
    """What an optimiser did, as far as coefficients go: two tasks about each of these mean KLs."""
    two = torch.zeros(2)
    tensors = tuple(torch.tensor([0.5 * kl, 1.5 * kl], dtype=torch.float64) for kl in inner_kls)
    theta = torch.zeros(3)
    return Step(theta, {"adam.step": two}, Evaluation(two, theta), Comparison(two, two, tensors))


TARGET = 0.01


@pytest.mark.parametrize(
    ("kl", "factor"),
    [
        (0.0, 0.5),
        (TARGET / 1.51, 0.5),
        (TARGET / 1.49, 1.0),
        (TARGET, 1.0),
        (TARGET * 1.49, 1.0),
        (TARGET * 1.51, 2.0),
        (1.0, 2.0),
    ],
)
def test_a_coefficient_follows_its_kl_towards_the_target(kl: float, factor: float):
    learner = Updates(inner_steps=2, inner_kl_target=TARGET).learner
    coefficients = torch.tensor([0.75, 0.25])
    state = MetaState(torch.zeros(3), {COEFFICIENTS: coefficients, "adam.step": torch.ones(2)})
    for kls, factors in [((kl, TARGET), (factor, 1.0)), ((TARGET, kl), (1.0, factor))]:
        memory = learner.remember(state, step_with(*kls))
        assert memory[COEFFICIENTS].tolist() == [0.75 * factors[0], 0.25 * factors[1]]
        assert not memory["adam.step"].any()  # The optimiser's own memory is the step's.
    assert coefficients.tolist() == [0.75, 0.25]


def test_a_coefficient_never_stays_at_0():
    learner = Updates(inner_steps=1, inner_kl_target=TARGET).learner
    state = MetaState(torch.zeros(3), {COEFFICIENTS: torch.tensor([1e-3])})
    for kl in [0.0] * 200 + [1.0] * 200:
        memory = learner.remember(state, step_with(kl))
        state = MetaState(state.theta, {COEFFICIENTS: memory[COEFFICIENTS]})
    assert state.memory[COEFFICIENTS].item() > 1
    entries = {"env-name": "Bandit-K5-v0", "metalearner": "promp", "inner-kl": 0, "inner-kl-target": TARGET}
    with pytest.raises(UsageError, match="inner-kl 0 stays 0"):
        parse_config(entries, "here")


@pytest.mark.parametrize("kl", [0.0, TARGET, 1.0])
def test_without_a_target_the_coefficients_stay(kl: float):
    learner = Updates(inner_steps=2).learner
    state = MetaState(torch.zeros(3), {COEFFICIENTS: torch.tensor([0.75, 0.25])})
    assert learner.remember(state, step_with(kl, kl))[COEFFICIENTS].tolist() == [0.75, 0.25]


def test_an_update_changes_the_coefficients_of_the_next_and_reports_its_own():
    updates = Updates(inner_steps=2, inner_kl_target=1e6)
    first = updates.update()
    second = updates.update(first.state)
    assert first.state.memory[COEFFICIENTS].tolist() == [0.375] * 2
    assert second.state.memory[COEFFICIENTS].tolist() == [0.1875] * 2
    assert [update.metrics["inner_kl_coefficient"] for update in (first, second)] == [0.75, 0.375]
    kept = Updates(inner_steps=2)
    same = kept.update(kept.update().state)
    assert not same_bits(second.state.theta, same.state.theta)


@both_families
def test_an_update_from_a_copied_state_is_the_uninterrupted_one_to_the_bit(family: str):
    updates = Updates(family, inner_steps=2, inner_kl_target=1e-4)
    first = updates.update().state
    copied = MetaState(first.theta.clone(), {name: tensor.clone() for name, tensor in first.memory.items()})
    uninterrupted = updates.update(updates.update(first).state)
    fresh = ProMP(make_policy(family, seed=7), updates.settings)
    continued = updates.update(updates.update(copied, fresh).state, fresh)
    assert same_bits(continued.state.theta, uninterrupted.state.theta)
    assert not same_bits(continued.state.theta, copied.theta)
    assert continued.state.memory.keys() == uninterrupted.state.memory.keys() == copied.memory.keys()
    for name, tensor in continued.state.memory.items():
        assert same_bits(tensor, uninterrupted.state.memory[name])
        assert not torch.equal(tensor, copied.memory[name])
    assert continued.metrics == uninterrupted.metrics


@pytest.mark.parametrize("name", ["adam.exp_avg", "adam.exp_avg_sq", "adam.step", COEFFICIENTS])
def test_all_that_is_remembered_matters(name: str):
    updates = Updates(inner_steps=1, inner_kl_target=1e-6)
    state = updates.update().state
    forgetful = MetaState(state.theta, {**state.memory, name: updates.learner.init().memory[name]})
    assert not same_bits(updates.update(state).state.theta, updates.update(forgetful).state.theta)


def test_an_update_leaves_the_state_and_the_policies_as_they_were():
    updates = Updates(inner_steps=2, inner_kl_target=1e-6)
    theta, state = updates.policy.get_vector(), updates.update().state
    before = {name: tensor.clone() for name, tensor in state.memory.items()}
    updates.update(state)
    assert before.keys() == state.memory.keys()
    assert all(same_bits(tensor, before[name]) for name, tensor in state.memory.items())
    for policy in (updates.policy, updates.learner.adaptation.policy):
        assert same_bits(policy.get_vector(), theta)


@both_families
def test_rebuilding_gives_the_same_bits(family: str):
    updates = Updates(family, inner_steps=2)
    rebuilding = ProMP(updates.policy, updates.settings, rebuild=True)
    assert same_bits(updates.update(learner=rebuilding).state.theta, updates.update().state.theta)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_non_finite_advantages_stop_the_update(which: int):
    updates = Updates(inner_steps=2)
    updates.rounds[which][1].advantages[0, 0] = torch.nan
    state = updates.learner.init()
    with pytest.raises(FloatingPointError, match=r"in tasks \[1\]"):
        updates.update(state)
    assert same_bits(state.theta, updates.policy.get_vector())


def test_a_learning_rate_beyond_all_bounds_is_one_line():
    updates = Updates(learning_rate=1e30)
    with pytest.raises(FloatingPointError, match="NaN or infinite") as caught:
        updates.update()
    assert len(str(caught.value).splitlines()) == 1
