"""From trials to the sequences that a recurrent policy is trained on: inputs, values, advantages."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.advantages import features_of, standardize
from maml_rl.baseline import Baseline
from maml_rl.metalearners.chunks import ParallelMap
from maml_rl.metalearners.trial_problem import row_chunks
from maml_rl.metalearners.trials import Scopes, Sequences, Trials, trial_advantages
from maml_rl.metalearners.windows import cut, run_through, window_starts
from maml_rl.parameters import Params
from maml_rl.policies.normalized import REWARD_SCALE
from maml_rl.policies.recurrent import RecurrentPolicy


@dataclass(frozen=True)
class TrialCredit:
    """The rule by which sequences follow from trials.

    Args:
        settings: of `maml_rl.config.keys.rl2.RL2Keys`, and the shared ones.
        baseline: values of states where the policy has no critic.
    """

    policy: RecurrentPolicy
    settings: Any
    baseline: Baseline

    def sequences(
        self, theta: Float[Tensor, "P"], trials: Trials, parallel_map: ParallelMap
    ) -> tuple[Sequences, float]:
        """Return the sequences, and the part of the targets' variance that the values explain."""
        params = {name: x.to(theta.device) for name, x in self.policy.unflatten(theta).items()}
        inputs = self.inputs(trials).to(theta.device)
        chunk = self.settings.chunk or trials.num_steps
        starts = window_starts(trials.num_steps, chunk, self.settings.overlap)
        of_critic, states = self._look_through(params, inputs, starts, parallel_map)
        credited = trials.rewarded(params[REWARD_SCALE].cpu()) if REWARD_SCALE in params else trials
        values = self._values(credited) if of_critic is None else of_critic.cpu() * trials.real
        weights = trials.weights(self.settings.mean_over)
        advantages, targets = self.advantages(credited, values)
        tasks = torch.arange(trials.num_tasks).repeat_interleave(trials.trials_per_task)
        rest = (
            trials.actions,
            self.normalized(credited, advantages, weights),
            targets.float(),
            weights,
            tasks,
        )
        whole = Sequences(inputs, states[:, 0], *(x.to(theta.device) for x in rest))
        sequences = whole if len(starts) == 1 else cut(whole, states, starts, chunk)
        return sequences, _explained(targets, values.double(), weights.double() / trials.num_tasks)

    def inputs(self, trials: Trials) -> Float[Tensor, "B L I"]:
        """Return each step's input: the observation, and what came of the step before."""
        news = self.policy.news(trials.actions, trials.rewards, trials.ends)
        before = torch.cat([torch.zeros_like(news[:, :1]), news[:, :-1]], dim=1)
        return torch.cat([trials.observations, before], dim=-1)

    def advantages(
        self, trials: Trials, values: Float[Tensor, "B L"]
    ) -> tuple[Float[Tensor, "B L"], Float[Tensor, "B L"]]:
        """Return advantages, and the values that a critic should have had; float64."""
        s = self.settings
        parts = (trials.rewards, values, trials.ends, s.gamma, s.gae_lambda)
        advantages = trial_advantages(*parts, Scopes(s.credit_over, s.bootstrap_over))
        # A value is of what it bootstraps over, however far credit reaches.
        errors = trial_advantages(*parts, Scopes(s.bootstrap_over, s.bootstrap_over))
        return advantages, errors + values

    def normalized(
        self, trials: Trials, advantages: Float[Tensor, "B L"], weights: Float[Tensor, "B L"]
    ) -> Float[Tensor, "B L"]:
        """Return advantages of mean 0 and deviation 1 over all tasks, if the settings say so, as float32.

        They are 0 in a batch that tells nothing of the actions (see `standardize`).

        Args:
            trials: with the rewards that the advantages come of.
        """
        if self.settings.normalize_advantages:
            part = weights.double() / trials.num_tasks
            features = features_of(self.policy.observation_size)
            advantages = standardize(advantages.T, part.T, trials.rewards.T, features)[0].T
        return advantages.float()

    def _values(self, trials: Trials) -> Float[Tensor, "B L"]:
        of_trials = self.settings.bootstrap_over == "trial"
        fitted = trials.values_of_trials if of_trials else trials.values_of_episodes
        return fitted(self.baseline, self.settings.gamma)

    def _look_through(
        self, params: Params, inputs: Float[Tensor, "B L I"], starts: list[int], parallel_map: ParallelMap
    ) -> tuple[Float[Tensor, "B L"] | None, Float[Tensor, "B W S"]]:
        if self.policy.critic is None and len(starts) == 1:
            return None, self.policy.initial_states(len(inputs), 1).to(inputs)
        rows = torch.arange(len(inputs), device=inputs.device)
        parts = parallel_map(
            lambda chunk: run_through(self.policy, params, inputs[chunk], starts), row_chunks(rows)
        )
        values, states = zip(*parts, strict=True)
        return None if values[0] is None else torch.cat(values), torch.cat(states)


def _explained(targets: Tensor, values: Tensor, weights: Tensor) -> float:
    """Return 1 less the variance of what is left, over that of the targets; 0 where these do not vary."""

    def variance(x: Tensor) -> float:
        return float((weights * (x - (weights * x).sum()).square()).sum())

    whole = variance(targets)
    return 1 - variance(targets - values) / whole if whole > 0 else 0.0
