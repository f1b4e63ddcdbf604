"""What adapts, and what does not: ANIL, Meta-SGD, CAVIA, Reptile, first-order MAML."""

from typing import Any

import pytest
import torch

from maml_rl.config import Config
from maml_rl.errors import UsageError
from maml_rl.metalearners.base import MetaUpdate
from maml_rl.metalearners.meta_sgd import STEP_SIZE
from maml_rl.policies.context import CONTEXT, WEIGHT
from maml_rl.samplers import Recipe
from maml_rl.stacked import stack_episodes
from maml_rl.training import Run, RunSettings

SIZES = {"meta_batch_size": 3, "fast_batch_size": 4, "num_steps": 1, "hidden_sizes": (6, 5)}
NAVIGATION = {"env_name": "2DNavigation-v0", "env_kwargs": {"max_episode_steps": 8}}


def updated(updates: int = 1, **keys: Any) -> tuple[Run, MetaUpdate, list[Any]]:
    """A run, its last update, and the rounds that it came of."""
    config = Config(**{**NAVIGATION, **SIZES, **keys})
    with Run(config, RunSettings(seed=5)) as run:
        state = run.init()
        for i in range(updates):
            tasks = run.sampler.sample_tasks(config.meta_batch_size, iteration=i)
            rounds = run.sampler.sample_async(tasks, state.theta, Recipe.of(config), i)
            update = run.update(state, rounds)
            state = update.state
        return run, update, [[future.result() for future in of_round] for of_round in rounds]


def own(module: str) -> dict[str, Any]:
    """The keys of a policy of one's own, which has sizes of its own."""
    return {"policy": f"tests.policies.own:{module}", "hidden_sizes": (64, 64)}


@pytest.mark.parametrize(
    ("keys", "moving"),
    [
        ({}, {"sigma", "mu.weight", "mu.bias"}),
        ({"inner_parts": ("layer2.*", "sigma")}, {"sigma", "layer2.weight", "layer2.bias"}),
        ({"env_name": "TabularMDP-v0", "env_kwargs": {}}, {"layer3.weight", "layer3.bias"}),
        (
            {"policy": "layer-norm", "hidden_sizes": (64, 64)},
            {"head.log_std", "head.output.weight", "head.output.bias"},
        ),
        ({"normalize_observations": True}, {"sigma", "mu.weight", "mu.bias"}),
        (
            {"policy": "state-dependent-std", "hidden_sizes": (64, 64)},
            {"mean.weight", "mean.bias", "log_std.weight", "log_std.bias"},
        ),
        (own("TwoHeads"), {"mean.weight", "mean.bias", "log_std.weight", "log_std.bias"}),
        (own("LooseParameters"), {"log_std", "last.weight", "last.bias"}),
        (own("FrozenFirst"), {"log_std", "last.weight", "last.bias"}),
    ],
    ids=[
        *("head", "named", "discrete", "module", "normalised"),
        *("two heads that ship", "two heads", "loose parameters", "frozen first"),
    ],
)
def test_anil_leaves_all_but_the_head_as_it_was(keys: dict[str, Any], moving: set[str]):
    run, _, rounds = updated(metalearner="anil", **keys)
    adaptation, theta = run.learner.adaptation, run.init().theta
    before = adaptation.start(theta, 3)
    after = adaptation.step(before, stack_episodes(rounds[0]))
    parts = {name: adaptation.layout.view(x) for name, x in (("before", before), ("after", after))}
    changed = {
        name
        for name in adaptation.layout.shapes
        if not torch.equal(parts["before"][name], parts["after"][name])
    }
    assert changed == moving


def test_anil_names_the_parts_there_are():
    with pytest.raises(
        UsageError, match=r"^inner-parts: no part is called 'layer9'; there are sigma, layer1"
    ):
        updated(metalearner="anil", inner_parts=("layer9",))


def test_anil_wants_a_part_that_can_change():
    keys = own("FrozenFirst")
    with pytest.raises(UsageError, match=r"^inner-parts: expected one that requires gradients, got encoder"):
        updated(metalearner="anil", inner_parts=("encoder.*",), **keys)


@pytest.mark.parametrize(
    ("module", "shifted"), [("FrozenFirst", "hidden.bias"), ("LooseParameters", "last.bias")]
)
def test_cavias_context_enters_a_layer_that_learns(module: str, shifted: str):
    run, update, rounds = updated(metalearner="cavia", **own(module))
    adaptation, theta = run.learner.adaptation, run.init().theta
    assert adaptation.policy.bias == shifted
    after = adaptation.step(adaptation.start(theta, 3), stack_episodes(rounds[0]))
    assert (adaptation.layout.view(after)[CONTEXT] != 0).any(-1).all()
    parts = run.learner.layout.view(update.state.theta)
    assert not torch.equal(parts[WEIGHT], run.learner.layout.view(theta)[WEIGHT])


def test_meta_sgds_first_step_is_mamls_and_its_sizes_learn():
    sgd, update, rounds = updated(metalearner="meta-sgd", fast_lr=0.2)
    plain, _, same = updated(metalearner="maml-trpo", fast_lr=0.2)
    first = sgd.learner.adaptation.step(
        sgd.learner.adaptation.start(sgd.init().theta, 3), stack_episodes(rounds[0])
    )
    expected = plain.learner.adaptation.step(plain.init().theta.expand(3, -1), stack_episodes(same[0]))
    torch.testing.assert_close(first[:, : expected.shape[1]], expected)
    sizes = sgd.learner.layout.view(update.state.theta)[STEP_SIZE]
    assert (sizes != 0.2).float().mean() > 0.5


def test_cavias_context_begins_at_0_and_stays_so_in_theta():
    run, update, rounds = updated(updates=3, metalearner="cavia", context_size=4)
    layout, adaptation = run.learner.layout, run.learner.adaptation
    assert update.metrics["accepted"]
    assert torch.equal(layout.view(update.state.theta)[CONTEXT], torch.zeros(4))
    assert not torch.equal(layout.view(update.state.theta)[WEIGHT], layout.view(run.init().theta)[WEIGHT])
    before = adaptation.start(update.state.theta, 3)
    after = adaptation.step(before, stack_episodes(rounds[0]))
    changed = {n for n in layout.shapes if not torch.equal(layout.view(before)[n], layout.view(after)[n])}
    assert changed == {CONTEXT}
    assert len(layout.view(after)[CONTEXT].unique(dim=0)) == 3


def test_cavias_weights_follow_the_seed():
    first, again = (updated(metalearner="cavia")[0].init().theta for _ in range(2))
    assert torch.equal(first, again)


def test_reptile_with_one_step_and_one_task_is_a_policy_gradient_step():
    keys: dict[str, Any] = {"meta_batch_size": 1, "fast_lr": 0.3, "meta_step_size": 0.5}
    run, update, rounds = updated(metalearner="reptile", **keys)
    theta, policy = run.init().theta, run.learner.adaptation.policy
    leaf = theta.clone().requires_grad_()
    batch = stack_episodes(rounds[0])
    pi = policy.outputs(batch.observations[0], policy.unflatten(leaf))
    loss = -(batch.weights[0] * batch.advantages[0] * pi.log_prob(batch.actions[0])).sum()
    (gradient,) = torch.autograd.grad(loss, leaf)
    torch.testing.assert_close(update.state.theta - theta, -0.5 * 0.3 * gradient, rtol=1e-4, atol=1e-7)
    assert update.metrics["distance"] == pytest.approx(0.3 * float(gradient.norm()), rel=1e-4)


def test_fomaml_is_maml_with_the_key_for_it():
    first, second = (
        updated(2, metalearner=method, **keys)[1]
        for method, keys in (("fomaml-trpo", {}), ("maml-trpo", {"first_order": True}))
    )
    assert torch.equal(first.state.theta, second.state.theta)
    assert first.metrics == second.metrics
    assert not torch.equal(first.state.theta, updated(2, metalearner="maml-trpo")[1].state.theta)
