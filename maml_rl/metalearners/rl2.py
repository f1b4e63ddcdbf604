"""RL² (Duan et al. 2016): a recurrent policy whose memory goes on over the episodes of a trial."""

from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import gymnasium as gym
import torch
from gymnasium import spaces
from torch import Tensor

from maml_rl.adaptation.carry_over import CarryOver
from maml_rl.baseline import make_baseline
from maml_rl.baseline.base import tasks_of
from maml_rl.episode import BatchEpisodes
from maml_rl.errors import UsageError
from maml_rl.losses import clipped_surrogate, likelihood_ratio
from maml_rl.metalearners.base import MetaLearner, MetaState, MetaUpdate, numbers_of, per_task_of
from maml_rl.metalearners.chunks import Rounds, chunk_threads, wait_for
from maml_rl.metalearners.columns import ACCEPTED, OBJECTIVE, Column
from maml_rl.metalearners.parts import trust_region
from maml_rl.metalearners.trial_credit import TrialCredit
from maml_rl.metalearners.trial_problem import SequenceLoss, TrialProblem
from maml_rl.metalearners.trials import Trials
from maml_rl.optim.minibatch_adam import MinibatchAdam
from maml_rl.optim.trust_region import TrustRegion
from maml_rl.policies.base import Policy
from maml_rl.policies.factory import nonlinearity_named
from maml_rl.policies.normalized import REWARD_SCALE, no_statistics
from maml_rl.policies.recurrent import Architecture, RecurrentPolicy
from maml_rl.policies.registry import plain_policy
from maml_rl.policies.spaces import observation_size


class RL2(MetaLearner):
    """Learns theta by PPO or TRPO on whole trials. Parameters never adapt: the policy's state does."""

    columns: ClassVar = {
        "trial_return": Column("", "undiscounted return of whole trials, mean over trials and tasks"),
        **OBJECTIVE,
        ACCEPTED: Column("0 or 1", "whether the trust region found a step; 1 with Adam"),
        "adam_steps": Column("", "steps that Adam took; 0 with the trust region"),
        "grad_norm": Column("", "norm of the gradient at θ; of Adam's, that of the first minibatch"),
        "explained_variance": Column("", "part of the targets' variance that the values explain"),
        "entropy": Column("nats", "entropy of the actions, mean over steps and tasks"),
    }
    headline = ("trial_return", "kl")
    adaptation: CarryOver

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        if self.settings.bootstrap_truncated:
            raise UsageError("bootstrap-truncated: nothing follows a trial of rl2; leave it at false")

    @classmethod
    def make_policy(
        cls, settings: Any, observation_space: gym.Space[Any], action_space: gym.Space[Any]
    ) -> RecurrentPolicy:
        """Return a recurrent policy, on whose cell the settings' own policy sits.

        Raises:
            UsageError: the settings describe none for these spaces.
        """
        size = observation_size(observation_space)
        statistics = no_statistics(size) if settings.normalize_observations else {}
        if settings.normalize_rewards:
            statistics[REWARD_SCALE] = torch.ones(1)
        features = spaces.Box(-1.0, 1.0, (settings.units,))
        architecture = Architecture(
            settings.cell,
            settings.units,
            settings.encoder_sizes,
            None if settings.critic == "linear" else settings.critic,
            nonlinearity_named(settings.nonlinearity),
            settings.reward_scale,
            settings.memory_steps,
        )
        head = plain_policy(settings, features, action_space)
        return RecurrentPolicy(size, action_space, head, architecture, statistics)

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> CarryOver:
        """Return the memory that is carried over."""
        assert isinstance(policy, RecurrentPolicy)
        return CarryOver(policy)

    @property
    def optimizer(self) -> MinibatchAdam | TrustRegion:
        """Return the trust region, or passes of Adam."""
        s = self.settings
        if s.outer == "trust-region":
            return trust_region(s)
        return MinibatchAdam(s.learning_rate, s.epochs, s.minibatches, s.max_grad_norm, s.kl_stop)

    @property
    def loss(self) -> SequenceLoss:
        """Return what an update minimises."""
        clip = self.settings.clip

        def clipped(pi: Any, batch: Any) -> Tensor:
            return clipped_surrogate(pi, batch, clip)

        surrogate = clipped if self.settings.outer == "adam" else likelihood_ratio
        return SequenceLoss(surrogate, self.settings.entropy_coefficient, self.settings.value_coefficient)

    def credited(self, rounds: Sequence[Sequence[BatchEpisodes]]) -> Iterable[BatchEpisodes]:
        """Yield each task's whole trials, if values are of these."""
        if self.settings.bootstrap_over == "episode":
            yield from super().credited(rounds)
        else:
            for trials in tasks_of(Trials.of(rounds).as_episodes):
                yield BatchEpisodes.from_data(trials, self.settings.gamma)

    def init(self) -> MetaState:
        """Return the template's parameters as theta, and a fresh memory."""
        theta = self.adaptation.initial_theta()
        return MetaState(theta, self.optimizer.init(theta))

    def update(self, state: MetaState, rounds: Rounds) -> MetaUpdate:
        """Take one step of the optimiser on the trials.

        Raises:
            FloatingPointError: parameters, losses, gradients or products are NaN or infinite.
        """
        theta = self.theta_of(state)
        episodes, seconds_waiting = wait_for(rounds)
        trials = Trials.of(episodes)
        policy = self.adaptation.policy
        baseline = make_baseline(self.settings.baseline, policy.observation_size)
        credit = TrialCredit(policy, self.settings, baseline)
        with chunk_threads() as parallel_map:
            sequences, explained = credit.sequences(theta, trials, parallel_map)
            problem = TrialProblem(policy, theta, sequences, self.loss, parallel_map, not self.rebuild)
            step = self.optimizer.step(problem, theta, self.memory_of(state))
        known = {"adam_steps": 0, **numbers_of(step), **step.details, "explained_variance": explained}
        known["trial_return"] = trials.rewards.sum(1).mean().item()
        known["entropy"] = problem.entropies.mean().item()
        metrics = {name: known[name] for name in self.columns}
        return MetaUpdate(MetaState(step.theta, step.memory), metrics, per_task_of(step), seconds_waiting)
