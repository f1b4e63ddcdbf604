"""The contract of meta-learning methods, and what all gradient-based ones share."""

import copy
import time
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import chain
from typing import Any, ClassVar, NamedTuple

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from maml_rl.adaptation import Adaptation, DifferentiableAdaptation
from maml_rl.episode import BatchEpisodes
from maml_rl.lazy import Moved, lazy_names
from maml_rl.losses import Objective
from maml_rl.metalearners.chunks import Rounds
from maml_rl.metalearners.columns import ACCEPTED, Column
from maml_rl.metalearners.parts import gradient_steps
from maml_rl.metalearners.problem import MetaProblem, TaskChunk
from maml_rl.metalearners.tasks import MakeChunk, MetaBatch, Place, Tasks, here
from maml_rl.optim.base import OuterOptimizer, Step
from maml_rl.parameters import Layout
from maml_rl.policies.base import Policy
from maml_rl.policies.registry import policy_for

Metrics = Mapping[str, float | int | bool]


class MetaState(NamedTuple):
    """All that a run remembers from one update to the next."""

    theta: Float[Tensor, "P"]
    """The meta-parameters."""
    memory: Mapping[str, Tensor]
    """The outer optimiser's tensors: moments, coefficients, …"""


class MetaUpdate(NamedTuple):
    """The result of an update."""

    state: MetaState
    metrics: Metrics
    """One number for each of the method's columns."""
    per_task: Mapping[str, NDArray[np.float32]]
    """``loss_before``, ``loss_after``, ``kl_before`` and ``kl_after``, ``[N]`` each."""
    seconds_waiting: float
    """Seconds that it waited for episodes."""


class MetaLearner(ABC):
    """A method of meta-learning: how tasks adapt, and how theta follows from what they did.

    Args:
        policy: a template, of `make_policy`; it is copied to ``device``, and its own parameters are the
            initial theta.
        settings: the config, with the method's own keys.
        device: where updates are computed.
        rebuild: linearise a chunk of tasks anew for each question put to it, and forget it after the answer.
            Memory then holds as many chunks as there are threads, whatever the number of tasks; an update
            takes longer and gives the same bits.
        place: where the tasks of an update are.
    """

    columns: ClassVar[Mapping[str, Column]]
    """The numbers that `update` reports, in order."""
    headline: ClassVar[tuple[str, ...]]
    """The columns that the line of progress shows."""
    rejection_hint: ClassVar[str] = ""
    """Advice for when update after update is not accepted."""
    asks_tasks: ClassVar[bool] = False
    """Whether `update` looks at episodes through `tasks` alone, so that these can be elsewhere."""

    def __init__(
        self,
        policy: Policy,
        settings: Any,
        device: torch.device | str = "cpu",
        *,
        rebuild: bool = False,
        place: Place = here,
    ):
        self.settings, self.device, self.rebuild, self._place = settings, torch.device(device), rebuild, place
        self.adaptation = self.adapts(copy.deepcopy(policy).to(self.device), settings)

    @classmethod
    def make_policy(
        cls, settings: Any, observation_space: gym.Space[Any], action_space: gym.Space[Any]
    ) -> Policy:
        """Return the untrained policy for two spaces: the settings' own, `extended`, unless overridden.

        Raises:
            UsageError: the settings describe none, see `maml_rl.policies.registry.policy_for`.
        """
        return cls.extended(policy_for(settings, observation_space, action_space), settings)

    @staticmethod
    def extended(policy: Policy, settings: Any) -> Policy:
        """Return the policy with what the method adds to theta, drawn from torch's generator if at random."""
        return policy

    @staticmethod
    @abstractmethod
    def adapts(policy: Policy, settings: Any) -> Adaptation:
        """Return how tasks adapt; the same for workers, tests and videos.

        Args:
            policy: of `make_policy`.
        """

    @property
    def layout(self) -> Layout:
        """The parts of theta."""
        return self.adaptation.layout

    def theta_of(self, state: MetaState) -> Float[Tensor, "P"]:
        """Return a state's theta where updates are computed.

        Raises:
            FloatingPointError: it is NaN or infinite.
        """
        theta = state.theta.to(self.device)
        if not bool(theta.isfinite().all()):
            raise FloatingPointError("the policy's parameters are NaN or infinite: start from others")
        return theta

    def memory_of(self, state: MetaState) -> Mapping[str, Tensor]:
        """Return what a state's optimiser remembers, where updates are computed."""
        return {name: tensor.to(self.device) for name, tensor in state.memory.items()}

    def tasks(
        self, make_chunk: MakeChunk, theta: Float[Tensor, "P"], rounds: Rounds
    ) -> AbstractContextManager[Tasks]:
        """Return the tasks of an update, for questions to them.

        Args:
            make_chunk: travels to where they are.
        """
        return self._place(
            MetaBatch(make_chunk, self.adaptation, theta, rounds, self.settings.tasks_per_item)
        )

    def credited(self, rounds: Sequence[Sequence[BatchEpisodes]]) -> Iterable[BatchEpisodes]:
        """Yield what statistics of a run are of: the episodes, unless rewards add up over something else.

        Args:
            rounds: ``[round][task]``.
        """
        yield from chain.from_iterable(rounds)

    @abstractmethod
    def init(self) -> MetaState:
        """Return the state before the first update."""

    @abstractmethod
    def update(self, state: MetaState, rounds: Rounds) -> MetaUpdate:
        """Return the state after one update, and what it did.

        Args:
            rounds: ``[round][task]``, episodes or futures of them, sampled from ``state.theta``.

        Raises:
            FloatingPointError: numbers are NaN or infinite; the message names the quantity and the tasks.
        """


class GradientMetaLearner(MetaLearner):
    """A method whose objective is differentiated through adaptation."""

    adaptation: DifferentiableAdaptation
    asks_tasks = True

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> DifferentiableAdaptation:
        """Return gradient steps of all parameters on the loss that the settings name."""
        return gradient_steps(policy, settings)

    @property
    @abstractmethod
    def optimizer(self) -> OuterOptimizer:
        """Return what moves theta."""

    @abstractmethod
    def objective(self, state: MetaState, rounds: Rounds) -> Objective:
        """Return what this update minimises. Looking into ``rounds`` waits for their episodes.

        It travels to where the tasks are, and so should not hold the method itself.
        """

    def init(self) -> MetaState:
        """Return the template's parameters as theta, and a fresh memory."""
        theta = self.adaptation.initial_theta()
        return MetaState(theta, self.optimizer.init(theta))

    def update(self, state: MetaState, rounds: Rounds) -> MetaUpdate:
        """Take one step of the optimiser.

        Raises:
            FloatingPointError: parameters, losses, gradients or products are NaN or infinite.
        """
        theta = self.theta_of(state)
        asked = time.perf_counter()
        objective = self.objective(state, rounds)
        seconds_waiting = time.perf_counter() - asked
        keep = self.optimizer.repeats_products and not self.rebuild
        make_chunk = partial(TaskChunk, objective=objective, keep=keep)
        with self.tasks(make_chunk, theta, rounds) as tasks:
            problem = MetaProblem(tasks)
            step = self.optimizer.step(problem, theta, self.memory_of(state))
        known = {**numbers_of(step), **step.details, **self.report(state, step)}
        known["inner_grad_norm"] = problem.inner_grad_norms.mean().item()
        known["entropy"] = problem.entropies.mean().item()
        return MetaUpdate(
            MetaState(step.theta, self.remember(state, step)),
            {name: known[name] for name in self.columns},
            per_task_of(step),
            seconds_waiting + tasks.seconds_waiting,
        )

    def remember(self, state: MetaState, step: Step) -> Mapping[str, Tensor]:
        """Return the memory after a step: the optimiser's, and what else a method keeps."""
        return step.memory

    def report(self, state: MetaState, step: Step) -> dict[str, float]:
        """Return the numbers for those of the method's columns that not all methods have."""
        return {}


def numbers_of(step: Step) -> dict[str, Any]:
    """Return the numbers of a step that all who move theta by an objective report."""
    per_task = per_task_of(step)
    return {
        "loss_before": float(per_task["loss_before"].mean()),
        "loss_after": float(per_task["loss_after"].mean()),
        "kl": step.after.kls.mean().item(),
        ACCEPTED: step.accepted,
        "grad_norm": step.before.gradient.norm().item(),
    }


def per_task_of(step: Step) -> dict[str, NDArray[np.float32]]:
    """Return each task's losses and KLs."""
    losses = step.before.losses
    tensors = {
        "loss_before": losses,
        "loss_after": step.after.losses,
        "kl_before": torch.zeros_like(losses),
        "kl_after": step.after.kls,
    }
    return {name: tensor.cpu().numpy() for name, tensor in tensors.items()}


__getattr__ = lazy_names(
    __name__,
    {},
    moved={"GradientBasedMetaLearner": Moved("maml_rl.metalearners.base.GradientMetaLearner", since="0.2")},
)
