import pytest
import torch
from torch import Tensor

from maml_rl.optim.adam import Adam
from maml_rl.optim.base import Comparison, Evaluation, Step, Tensors
from tests.builders import same_bits

LEARNING_RATE, STEPS = 0.1, 3
SIZE, TASKS = 5, 2


class Quadratic:
    """``½ (theta - c)ᵀ A (theta - c)`` with another centre for each task; the KL is the squared way."""

    def __init__(self, old: Tensor):
        generator = torch.Generator().manual_seed(0)
        root = torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64)
        self.matrix = root @ root.T
        self.centres = torch.randn(TASKS, SIZE, generator=generator, dtype=torch.float64)
        self.old = old
        self.asked: list[str] = []

    def losses(self, theta: Tensor) -> Tensor:
        d = theta.double() - self.centres
        return 0.5 * torch.einsum("ni,ij,nj->n", d, self.matrix, d)

    def gradient(self, theta: Tensor) -> Tensor:
        return (theta.double() - self.centres).mean(0) @ self.matrix

    def at_old(self) -> Evaluation:
        self.asked.append("at_old")
        return Evaluation(self.losses(self.old), self.gradient(self.old))

    def at(self, theta: Tensor) -> Evaluation:
        self.asked.append("at")
        return Evaluation(self.losses(theta), self.gradient(theta))

    def fisher_product(self, vector: Tensor, fraction: float = 1.0) -> Tensor:
        raise AssertionError("Adam needs none")

    def evaluate(self, theta: Tensor) -> Comparison:
        self.asked.append("evaluate")
        kl = (theta.double() - self.old.double()).square().sum()
        return Comparison(self.losses(theta), kl.expand(TASKS), (kl.expand(TASKS) / 2,))


def start(dtype: torch.dtype = torch.float64) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(SIZE, generator=generator, dtype=torch.float64).to(dtype)


def by_hand(theta: Tensor, steps: int) -> Tensor:
    """One optimiser of torch's, all along."""
    problem, moving = Quadratic(theta), torch.nn.Parameter(theta.clone())
    adam = torch.optim.Adam([moving], LEARNING_RATE)
    for _ in range(steps):
        moving.grad = problem.gradient(moving.detach()).to(theta.dtype)
        adam.step()
    return moving.detach()


def one_update(theta: Tensor, memory: Tensors) -> tuple[Quadratic, Step]:
    problem = Quadratic(theta)
    return problem, Adam(LEARNING_RATE, STEPS).step(problem, theta, memory)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_updates_that_hand_on_the_memory_are_one_run_of_torchs_adam(dtype: torch.dtype):
    theta = start(dtype)
    _, first = one_update(theta, Adam(LEARNING_RATE, STEPS).init(theta))
    _, second = one_update(first.theta, first.memory)
    assert same_bits(first.theta, by_hand(theta, STEPS))
    assert same_bits(second.theta, by_hand(theta, 2 * STEPS))
    assert second.memory["adam.step"] == 2 * STEPS
    assert first.theta.dtype == dtype
    assert not first.theta.requires_grad


def test_a_fresh_memory_makes_another_second_update():
    """Else the test above could not tell whether it was handed on."""
    theta = start()
    _, first = one_update(theta, Adam(LEARNING_RATE, STEPS).init(theta))
    _, forgetful = one_update(first.theta, Adam(LEARNING_RATE, STEPS).init(theta))
    assert (forgetful.theta - by_hand(theta, 2 * STEPS)).abs().max() > 1e-3


def test_theta_and_memory_are_left_as_they_were():
    theta = start()
    _, first = one_update(theta, Adam(LEARNING_RATE, STEPS).init(theta))
    before = {name: tensor.clone() for name, tensor in first.memory.items()}
    old = first.theta.clone()
    _, second = one_update(first.theta, first.memory)
    assert same_bits(first.theta, old)
    assert before.keys() == first.memory.keys() == second.memory.keys()
    for name, tensor in first.memory.items():
        assert same_bits(tensor, before[name])
        assert not torch.equal(second.memory[name], tensor)
        assert not tensor.requires_grad


@pytest.mark.parametrize("steps", [1, 2, 5])
def test_each_step_takes_the_gradient_where_it_is(steps: int):
    theta = start()
    problem = Quadratic(theta)
    adam = Adam(LEARNING_RATE, steps)
    step = adam.step(problem, theta, adam.init(theta))
    assert problem.asked == ["at_old", *["at"] * (steps - 1), "evaluate"]
    assert same_bits(step.theta, by_hand(theta, steps))


def test_what_is_reported_is_before_the_first_step_and_after_the_last():
    theta = start()
    problem, step = one_update(theta, Adam(LEARNING_RATE, STEPS).init(theta))
    for found, expected in [
        (step.before.losses, problem.losses(theta)),
        (step.before.gradient, problem.gradient(theta)),
        (step.after.losses, problem.evaluate(step.theta).losses),
        (step.after.kls, problem.evaluate(step.theta).kls),
        (step.after.inner_kls[0], problem.evaluate(step.theta).inner_kls[0]),
    ]:
        assert torch.equal(found, expected)
    assert step.accepted
    assert step.after.losses.mean() < step.before.losses.mean()
    assert step.details == {}


@pytest.mark.parametrize(
    ("losses", "kls", "culprit"),
    [
        ([0.0, torch.nan], [0.0, 0.0], r"losses are NaN or infinite in tasks \[1\]"),
        ([0.0, 0.0], [torch.inf, 0.0], r"KLs are NaN or infinite in tasks \[0\]"),
        ([torch.nan] * 2, [torch.nan] * 2, r"losses are NaN or infinite in tasks \[0, 1\]"),
    ],
    ids=["loss", "KL", "both"],
)
def test_numbers_that_break_are_one_line_and_change_nothing(
    monkeypatch: pytest.MonkeyPatch, losses: list[float], kls: list[float], culprit: str
):
    answer = Comparison(torch.tensor(losses), torch.tensor(kls))
    monkeypatch.setattr(Quadratic, "evaluate", lambda self, theta: answer)
    theta = start()
    before, memory = theta.clone(), Adam(LEARNING_RATE, STEPS).init(theta)
    with pytest.raises(FloatingPointError, match=f"{culprit}: lower the learning rate") as caught:
        one_update(theta, memory)
    assert len(str(caught.value).splitlines()) == 1
    assert same_bits(theta, before)
    assert not any(tensor.any() for tensor in memory.values())
