"""The modules that ship: their derivatives, and training with them."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from gymnasium import spaces

from maml_rl._system.threads import one_intra_op_thread
from maml_rl.cli import main
from maml_rl.config import Config
from maml_rl.errors import UsageError
from maml_rl.policies.distributions import DiagonalNormal
from maml_rl.policies.module import ModulePolicy
from maml_rl.policies.registry import MODULES, policy_class, policy_for
from maml_rl.training import Run, RunSettings, train
from tests.builders import same_bits
from tests.policies import own
from tests.policies.problems import TASKS, chunk, dense_fisher, random, random_theta, rounds, slope, task_of

PIXELS = spaces.Box(0, 1, (6, 6, 2), np.float32)
BOUNDED = spaces.Box(np.array([-1, 0.5], np.float32), np.array([1, 3], np.float32))
SMALL = {"hidden_sizes": [3], "nonlinearity": "tanh"}
SMALL_CNN = {**SMALL, "channels": [2, 3], "kernel_sizes": 2}


class Case(NamedTuple):
    """A shipped policy, small, and an environment that it fits."""

    policy: str
    kwargs: dict[str, Any]
    observations: spaces.Box
    actions: spaces.Space[Any]
    env: dict[str, Any]

    @property
    def config(self) -> Config:
        return Config(env_name="-", policy=self.policy, policy_kwargs=self.kwargs)

    def make(self) -> ModulePolicy:
        torch.manual_seed(0)
        policy = policy_for(self.config, self.observations, self.actions)
        assert isinstance(policy, ModulePolicy)
        return policy


NAVIGATION = {"env_name": "2DNavigation-v0", "env_kwargs": {"max_episode_steps": 6}}
TABULAR = {"env_name": "TabularMDP-v0"}


def pixels(**kwargs: bool) -> dict[str, Any]:
    return {"env_name": "tests.policies.own:Pixels", "env_kwargs": kwargs}


CASES = {
    "layer-norm": Case("layer-norm", SMALL, own.LINE, BOUNDED, NAVIGATION),
    "layer-norm, discrete": Case("layer-norm", SMALL, own.LINE, own.CHOICES, TABULAR),
    "state-dependent-std": Case(
        "state-dependent-std", {**SMALL, "std_gain": 1.0}, own.LINE, BOUNDED, NAVIGATION
    ),
    "squashed": Case("squashed", SMALL, own.LINE, BOUNDED, NAVIGATION),
    "cnn": Case("cnn", SMALL_CNN, PIXELS, BOUNDED, pixels(continuous=True)),
    "cnn, discrete": Case("cnn", SMALL_CNN, PIXELS, own.CHOICES, pixels(channels_last=False)),
}
each = pytest.mark.parametrize("case", CASES.values(), ids=CASES)


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """More of them would wait for one another in layers this small."""
    with one_intra_op_thread():
        yield


def test_each_is_tested():
    assert {case.policy for case in CASES.values()} == set(MODULES)


@each
def test_fisher_products_equal_a_dense_oracle(case: Case):
    policy = case.make()
    theta = random_theta(policy)
    *train_rounds, valid = rounds(policy, theta)
    vector = random(theta.numel(), seed=7)
    products = chunk(policy, theta, [*train_rounds, valid]).fisher_product(vector)
    for task in range(TASKS):
        matrix = dense_fisher(policy, theta, [task_of(x, task) for x in train_rounds], task_of(valid, task))
        torch.testing.assert_close(products[task], matrix @ vector, rtol=1e-8, atol=1e-9)


@each
@pytest.mark.parametrize("inner_steps", [1, 2])
def test_meta_gradients_are_slopes(case: Case, inner_steps: int):
    policy = case.make()
    theta = random_theta(policy)
    at = chunk(policy, theta, rounds(policy, theta, inner_steps))
    gradients = at.at_old()[1]
    for seed in range(3):
        vector = random(theta.numel(), seed=20 + seed)
        expected = slope(lambda moved: at.evaluate(moved)[0], theta, vector)
        torch.testing.assert_close(gradients @ vector, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.slow
@each
@pytest.mark.parametrize("method", ["maml-trpo", "promp"])
def test_training_is_the_same_for_any_number_of_workers(case: Case, method: str):
    config = Config(
        metalearner=method,
        policy=case.policy,
        policy_kwargs=case.kwargs,
        meta_batch_size=3,
        tasks_per_item=2,
        fast_batch_size=4,
        num_batches=2,
        **case.env,
    )
    found = []
    for workers in (0, 2):
        with Run(config, RunSettings(seed=1, num_workers=workers)) as run:
            start = run.learner.init().theta
            found.append(list(train(run)))
    for a, b in zip(*found, strict=True):
        assert same_bits(a.state.theta, b.state.theta)
        assert a.metrics == b.metrics
    assert not torch.equal(found[0][-1].state.theta, start)


@each
def test_a_trained_policy_is_a_state_dict_of_its_module_and_can_be_tested(
    case: Case, tmp_path: Path, capsys: pytest.CaptureFixture[str]
):
    sizes = ("--meta-batch-size", "3", "--fast-batch-size", "4", "--num-workers", "0", "--seed", "1")
    env = [f"--{key.replace('_', '-')}={value}" for key, value in case.env.items()]
    folder = tmp_path / "run"
    options = (*env, "--policy", case.policy, "--policy-kwargs", str(case.kwargs), "--num-batches", "2")
    main(["train", *options, *sizes, "--output-folder", str(folder), "--quiet"])
    with Run(Config(policy=case.policy, policy_kwargs=case.kwargs, **case.env), RunSettings(seed=1)) as run:
        make = policy_class(case.policy)
        module = make(run.env.observation_space, run.env.action_space, **case.kwargs)
        layout = run.learner.layout
    saved = torch.load(folder / "policy.th", weights_only=True)
    module.load_state_dict(saved, strict=True)
    assert list(saved) == list(layout.shapes)
    files = ("--config", str(folder / "config.json"), "--policy", str(folder / "policy.th"))
    capsys.readouterr()
    main(["test", *files, *sizes, "--num-batches", "1"])
    assert "return over 3 tasks" in capsys.readouterr().out


@each
def test_weights_start_within_the_bounds_of_xavier_and_biases_at_zero(case: Case):
    for name, param in case.make().named_parameters():
        if name.endswith("bias"):
            assert not param.any(), name
        elif param.dim() > 1:
            fan = param[0].numel() + param.shape[0] * param[0, 0].numel()
            assert 0.5 * (6 / fan) ** 0.5 < param.abs().max() <= (6 / fan) ** 0.5, name


def test_layer_norm_is_what_it_says():
    policy = policy_for(
        Config(env_name="-", policy="layer-norm", policy_kwargs={"hidden_sizes": [5], "init_std": 0.5}),
        own.LINE,
        own.MOVES,
    )
    params = dict(policy.named_parameters())
    x = torch.randn(7, 2)
    h = x @ params["hidden.layers.0.0.weight"].T
    h = torch.tanh((h - h.mean(-1, keepdim=True)) / (h.var(-1, unbiased=False, keepdim=True) + 1e-5).sqrt())
    torch.testing.assert_close(policy(x).mean, h @ params["head.output.weight"].T)
    torch.testing.assert_close(policy(x).stddev, torch.full((7, 2), 0.5))


def test_state_dependent_deviations_start_near_init_std_and_differ():
    kwargs = {"init_std": 0.3, "init_gain": 0.01}
    config = Config(env_name="-", policy="state-dependent-std", policy_kwargs=kwargs)
    pi = policy_for(config, own.LINE, own.MOVES)(torch.randn(100, 2))
    assert pi.mean.abs().max() < 0.05
    assert 0.2 < pi.stddev.min() < pi.stddev.max() < 0.45
    assert pi.stddev.std() > 1e-3


def test_squashed_actions_stay_in_the_box():
    policy = CASES["squashed"].make()
    pi = policy.outputs(torch.randn(1000, 2), policy.unflatten(policy.get_vector() * 3))
    actions = pi.sample(torch.from_numpy(policy.noise(np.random.default_rng(0), (1000,)))).numpy()
    assert all(BOUNDED.contains(action) for action in actions)
    np.testing.assert_allclose(actions.min(0), BOUNDED.low, atol=0.02)
    np.testing.assert_allclose(actions.max(0), BOUNDED.high, atol=0.02)


def cnn(shape: tuple[int, ...], dtype: Any = np.uint8, **kwargs: Any) -> Any:
    torch.manual_seed(0)
    space = spaces.Box(0, 255, shape, dtype)
    return policy_for(Config(env_name="-", policy="cnn", policy_kwargs=kwargs), space, own.CHOICES).module


def test_images_may_have_channels_first_or_last_or_none():
    last, first, flat = cnn((9, 8, 3)), cnn((3, 9, 8)), cnn((9, 8))
    assert [x.convolutions[0].in_channels for x in (last, first, flat)] == [3, 3, 1]
    images = torch.randint(256, (5, 9, 8, 3)).float()
    torch.testing.assert_close(last(images), first(images.permute(0, 3, 1, 2)))
    assert flat(images[..., 0]).shape == (5, 3)
    told = cnn((3, 4, 9), channels_last=True, channels=[2], kernel_sizes=2)
    assert told.convolutions[0].in_channels == 9


def test_bytes_are_scaled_and_other_numbers_are_not():
    images = torch.randint(256, (5, 9, 8, 3)).float()
    torch.testing.assert_close(cnn((9, 8, 3))(images), cnn((9, 8, 3), np.float32)(images / 255))


def test_convolutions_have_sizes_of_their_own():
    module = cnn(
        (84, 84, 4), channels=[16, 32, 64], kernel_sizes=[8, 4, 3], strides=[4, 2, 1], hidden_sizes=[]
    )
    assert module.hidden.size == 64 * 7 * 7
    assert [x.kernel_size for x in module.convolutions] == [(8, 8), (4, 4), (3, 3)]


@pytest.mark.parametrize(
    ("case", "kwargs", "message"),
    [
        (
            "cnn",
            {"channels": [2, 3]},
            r"images of \[6, 6, 2\] are too small: \[2, 2\] is left for convolution 2",
        ),
        ("cnn", {"strides": [1]}, "strides: expected one number, or 2"),
        ("cnn", {"kernel_sizes": 0}, "kernel_sizes: expected a list of whole numbers above 0, got .0, 0."),
        ("layer-norm", {"hidden_sizes": [8, -1]}, "hidden_sizes: expected a list of whole numbers above 0"),
        ("layer-norm", {"nonlinearity": "swoosh"}, "nonlinearity 'swoosh'"),
        ("squashed", {"init_std": 0.0}, "init_std: expected a number above 0, got 0.0"),
        ("layer-norm", {"hidden": [8]}, "takes no argument 'hidden'; did you mean 'hidden_sizes'"),
    ],
)
def test_arguments_that_it_cannot_have_are_one_line(case: str, kwargs: dict[str, Any], message: str):
    chosen = CASES[case]
    config = Config(env_name="-", policy=chosen.policy, policy_kwargs=kwargs)
    with pytest.raises(UsageError, match=f"^policy '{case}'.*{message}") as caught:
        policy_for(config, chosen.observations, chosen.actions)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("policy", "observations", "actions", "message"),
    [
        ("cnn", own.LINE, own.CHOICES, r"expected images, such as \[84, 84, 3\], got observations \[2\]"),
        ("squashed", own.LINE, own.CHOICES, r"expected bounded actions, got Discrete\(3\)"),
        ("squashed", own.LINE, own.LINE, "expected bounded actions, got Box"),
        ("state-dependent-std", own.LINE, own.CHOICES, "expected continuous actions, got Discrete"),
    ],
)
def test_spaces_that_do_not_fit_are_one_line(policy: str, observations: Any, actions: Any, message: str):
    with pytest.raises(UsageError, match=f"^policy '{policy}': {message}") as caught:
        policy_for(Config(env_name="-", policy=policy), observations, actions)
    assert "\n" not in str(caught.value)


def test_a_distribution_of_each_states_own_deviations():
    policy = CASES["state-dependent-std"].make()
    pi = policy.outputs(torch.randn(2, 5, 2), policy.unflatten(policy.get_vector().expand(2, -1)))
    assert isinstance(pi, DiagonalNormal)
    assert pi.log_std.shape == pi.mean.shape == (2, 5, 2)
