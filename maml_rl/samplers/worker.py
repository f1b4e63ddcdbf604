"""The work of sampling: a work item in, one round of episodes after another out.

What a worker holds for questions, another one would sample again to the same bits.
"""

import time
from collections.abc import Iterator

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from maml_rl.adaptation import Adaptation
from maml_rl.baseline import Baseline
from maml_rl.envs.copies import EnvCopies
from maml_rl.episode import EpisodeData, scaled_advantages
from maml_rl.errors import check_finite, shown
from maml_rl.policies.actor import Actor
from maml_rl.policies.normalized import REWARD_SCALE
from maml_rl.samplers.held import HeldItems
from maml_rl.samplers.plan import Question, Reply, Sample, Work, WorkItem
from maml_rl.samplers.rollout import ActionNoise, NotFiniteError, rollout
from maml_rl.seeding import Purpose, integer_seed, seed_global_generators, seed_sequence
from maml_rl.stacked import stack_data

MOST_OF_TASKS = 500
"""Characters of the tasks that a traceback ends with."""


class SamplerWorker:
    """Rolls out, adapts, and rolls out again, for the tasks of one work item at a time.

    Args:
        copies: of the environment; they are closed with the worker.
        adaptation: how tasks adapt; theta comes with the item.
        baseline: fitted afresh for every batch of episodes.
    """

    def __init__(self, copies: EnvCopies, adaptation: Adaptation, baseline: Baseline):
        self._copies, self._adaptation, self._baseline = copies, adaptation, baseline
        self._held = HeldItems()

    def do(self, work: Work) -> Iterator[Sample | Reply]:
        """Yield the samples of a work item, or the reply to a question."""
        if isinstance(work, Question):
            yield self.answer(work)
        elif work.held:
            yield from self.hold(work)
        else:
            yield from self.sample(work)

    def hold(self, item: WorkItem) -> Iterator[Sample]:
        """Yield what came of the episodes of each round, and hold them for questions."""
        rounds = []
        for sample in self.sample(item):
            rounds.append(sample.episodes(item.recipe.credit))
            yield sample.told()
        self._held.keep(item, rounds)

    def answer(self, question: Question) -> Reply:
        """Answer a question to the episodes of an item, sampling them again if need be."""
        if question.item not in self._held:
            for _ in self.hold(question.item):
                pass
        return Reply(self._held.holder(question, self._adaptation).answer(question.name, question.arguments))

    def sample(self, item: WorkItem) -> Iterator[Sample]:
        """Yield the episodes of each round: before each adaptation step, and after the last."""
        params = self._adaptation.start(torch.from_numpy(item.theta), len(item.tasks))
        seconds, actor = 0.0, None
        for step, scale in enumerate((*item.recipe.scales, None)):
            actor = self._adaptation.actor(params, item.recipe.episodes, actor)
            data, advantages = self.create_episodes(item, params, actor, step)
            yield _to_sample(step, data, advantages, seconds)
            if scale is not None:
                started = time.perf_counter()
                # An adaptation that needs none does not look at them.
                known = torch.zeros_like(data.rewards) if advantages is None else advantages
                batch = stack_data(data, known, item.recipe.credit.mean_over)
                params = self._adaptation.step(params, batch, scale)
                seconds = time.perf_counter() - started

    def create_episodes(
        self, item: WorkItem, params: Float[Tensor, "N P"], actor: Actor, step: int
    ) -> tuple[EpisodeData, Float[Tensor, "N T K"] | None]:
        """Roll out each task under its parameters; return the episodes and the advantages that are needed.

        Args:
            actor: acts under ``params``.

        Raises:
            FloatingPointError: parameters, actions, observations or rewards are NaN or infinite.
            UsageError: an episode does not end.
        """

        def check(name: str, values: Tensor) -> None:
            # Observations and rewards are the environment's.
            advice = ": lower fast-lr" if step and name in ("parameters", "actions") else ""
            check_finite(name, values, item.first_task, f" after {step} inner steps{advice}")

        check("parameters", params)
        try:
            data = self.sample_trajectories(item, actor, step)
        except NotFiniteError as error:
            check(error.name, torch.from_numpy(error.values))
            raise
        except Exception as error:  # Of the environment, or of the policy: the task may be what it fails at.
            error.add_note(f"while it sampled the tasks {shown([*item.tasks], MOST_OF_TASKS)}")
            raise
        check("observations", data.observations)
        assert data.last_observations is not None
        check("observations", data.last_observations)
        check("rewards", data.rewards)
        if not self._adaptation.needs_advantages:
            return data, None
        credit, reward_scale = item.recipe.credit, self._reward_scale(params)
        credited = data._replace(rewards=data.rewards * reward_scale[:, None, None])
        self._baseline.fit_data(credited, credit.gamma)
        advantages, scale = scaled_advantages(credited, self._baseline, credit)
        return data._replace(reward_scale=scale * reward_scale), advantages

    def _reward_scale(self, params: Float[Tensor, "N P"]) -> Float[Tensor, "N"]:
        """Return the factor of the rewards that advantages come from."""
        layout = self._adaptation.layout
        if REWARD_SCALE not in layout.shapes:
            return params.new_ones(len(params))
        return layout.view(params)[REWARD_SCALE][:, 0]

    def sample_trajectories(self, item: WorkItem, actor: Actor, step: int) -> EpisodeData:
        """Roll out K episodes of each task, with the random streams of (item, ``step``).

        The global generators, from which some environments draw, are left seeded.
        """

        def stream(purpose: Purpose, task: int) -> np.random.SeedSequence:
            return seed_sequence(item.seed, purpose, iteration=item.iteration, task=task, step=step)

        tasks = range(item.first_task, item.first_task + len(item.tasks))
        streams = [stream(Purpose.ACTIONS, task) for task in tasks]
        seeds = [integer_seed(stream(Purpose.ENVIRONMENT, task)) for task in tasks]
        episodes = item.recipe.episodes
        noise = ActionNoise(self._adaptation.policy, streams, episodes)
        env = self._copies.batch(len(item.tasks) * episodes)
        seed_global_generators(stream(Purpose.GLOBAL_GENERATORS, item.first_task))
        env.reset_task(item.tasks)
        return rollout(env, actor, noise, seeds)

    def close(self) -> None:
        """Close the environments."""
        self._copies.close()


def _to_sample(
    step: int, data: EpisodeData, advantages: Float[Tensor, "N T K"] | None, seconds_adapting: float
) -> Sample:
    fields = data._asdict()
    extras = {name: tensor.numpy() for name, tensor in fields.pop("extras").items()}
    fields["advantages"] = advantages
    arrays = {name: tensor.numpy() for name, tensor in fields.items() if tensor is not None}
    return Sample(step, arrays, extras, seconds_adapting)
