"""Seconds of the same meta-update by the JAX baseline, `rainx0r/metaworld-algorithms`.

    PYTHON benchmarks/metaworld/jax_baseline.py REPETITIONS

``PYTHON`` is one of an environment in which the baseline is installed, with its extra ``cpu``; maml_rl is not
needed there. Compiling does not count, nor does sampling: observations and rewards are made up.
"""

import resource
import sys
import time
from types import SimpleNamespace

import gymnasium
import jax
import numpy as np
from metaworld_algorithms.config.networks import ContinuousActionPolicyConfig
from metaworld_algorithms.config.nn import VanillaNetworkConfig
from metaworld_algorithms.config.utils import Activation, Initializer, StdType
from metaworld_algorithms.rl.algorithms.mamltrpo import MAMLTRPO, MAMLTRPOConfig
from metaworld_algorithms.types import Rollout

TASKS, EPISODES, STEPS = 20, 10, 500
OBSERVATIONS, ACTIONS = 39, 4


def agent() -> MAMLTRPO:
    """Return the baseline's learner with its own settings for ML10."""
    network = VanillaNetworkConfig(
        depth=2,
        width=512,
        activation=Activation.Tanh,
        kernel_init=Initializer.XAVIER_UNIFORM,
        bias_init=Initializer.ZEROS,
    )
    policy = ContinuousActionPolicyConfig(
        network_config=network,
        log_std_min=float(np.log(1e-6)),
        log_std_max=None,
        std_type=StdType.PARAM,
        squash_tanh=False,
        head_kernel_init=Initializer.XAVIER_UNIFORM,
        head_bias_init=Initializer.ZEROS,
    )
    spaces = SimpleNamespace(
        observation_space=gymnasium.spaces.Box(-1, 1, (OBSERVATIONS,)),
        action_space=gymnasium.spaces.Box(-1, 1, (ACTIONS,)),
    )
    config = MAMLTRPOConfig(
        num_tasks=TASKS, meta_batch_size=TASKS, gamma=0.99, gae_lambda=1.0, policy_config=policy
    )
    return MAMLTRPO.initialize(config, spaces).init_ensemble_networks()


def rounds(learner: MAMLTRPO) -> list[Rollout]:
    """Return a train and a valid round of made-up observations, with the learner's own actions."""
    random = np.random.default_rng(1)
    found = []
    for _ in range(2):
        steps = []
        for step in range(EPISODES * STEPS):
            observations = random.standard_normal((TASKS, OBSERVATIONS))
            learner, actions, policy = learner.sample_action_and_aux(observations)
            rewards = random.standard_normal((TASKS, 1)) + actions[:, :1]
            ends = np.full((TASKS, 1), float(step % STEPS == STEPS - 1))
            of_policy = (policy["log_prob"][:, None], policy["mean"], policy["std"])
            steps.append((observations, actions, rewards, ends, *of_policy))
        found.append(Rollout(*map(np.stack, zip(*steps, strict=True))))
        learner = learner.adapt(found[-1])
    return found


def main() -> None:
    """Print the seconds of each update, and the gibibytes that this process has had at most."""
    learner = agent()
    data = rounds(learner)
    for repetition in range(int(sys.argv[1]) + 1):
        started = time.perf_counter()
        jax.block_until_ready(learner.update(data))
        if repetition > 0:  # The first one compiles.
            print(time.perf_counter() - started, flush=True)
    print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20)


if __name__ == "__main__":
    main()
