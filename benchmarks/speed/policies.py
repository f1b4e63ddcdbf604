"""Time of a meta-update of a plain module, differentiated by autograd, over that of closed forms."""

import os
from statistics import median

import torch
from torch import Tensor, nn

from benchmarks.speed.measure import Row, against
from benchmarks.speed.sampling import Sampling, shipped
from benchmarks.speed.updating import TOLERANCE, meta_update
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.policies.mlp import MLPPolicy
from maml_rl.policies.module import ModulePolicy
from maml_rl.training import Run, RunSettings


class Perceptron(nn.Module):
    """`NormalMLPPolicy` with tanh as one writes it first; parameters have the same names and order."""

    def __init__(self, like: MLPPolicy):
        super().__init__()
        self.names, sizes = like.layer_names, [like.input_size]
        for name in self.names:
            sizes.append(like.get_parameter(f"{name}.bias").numel())
            self.add_module(name, nn.Linear(sizes[-2], sizes[-1]))
        self.sigma = nn.Parameter(torch.zeros(like.output_size))

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        *hidden, last = map(self.get_submodule, self.names)
        for layer in hidden:
            x = torch.tanh(layer(x))
        return last(x), self.sigma


def generic_over_closed_form(number: str, bar: float) -> Row:
    """Compare on half-cheetah episodes, those of the shipped config, from the same theta."""
    config = shipped("maml/halfcheetah-vel")
    with Run(config, RunSettings(seed=1, num_workers=2)) as run:
        rounds, learner = Sampling(run).episodes(), run.learner
        closed_policy, spaces = learner.adaptation.policy, (run.env.observation_space, run.env.action_space)
    assert isinstance(closed_policy, MLPPolicy)
    policy = ModulePolicy(Perceptron(closed_policy), *spaces)
    policy.set_vector(closed_policy.get_vector())
    generic, closed = meta_update(TrustRegionMAML(policy, config), rounds), meta_update(learner, rounds)
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    a, b = generic(), closed()
    difference = ((a - b).norm() / b.norm()).item()
    if difference > TOLERANCE:
        raise AssertionError(f"the meta-updates differ by {difference:.1e}, more than {TOLERANCE}")
    pairs = against(generic, closed)
    return Row(
        number,
        "meta-update of a plain module over the perceptron's closed forms, seconds",
        "ratio",
        tuple(slow / fast for slow, fast in pairs),
        bar,
        at_least=False,
        detail=f"{median(slow for slow, _ in pairs):.2f} of {median(fast for _, fast in pairs):.2f} s; "
        f"parameters differ by {difference:.0e}",
    )
