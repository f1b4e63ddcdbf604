"""Checks of a module that is to be a policy; each breach of the contract is one line."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from gymnasium import spaces
from torch import Tensor, nn

from maml_rl._system.threads import one_intra_op_thread
from maml_rl.errors import UsageError
from maml_rl.policies.base import Policy
from maml_rl.policies.distributions import ActionDistribution, DiagonalNormal
from maml_rl.policies.spaces import action_shape, action_size, discrete_kind, observation_size

TASKS, STEPS = 2, 3
LARGEST = 2**24
"""Up to here, integers are float32 numbers."""
MISTAKES = (RuntimeError, TypeError, ValueError, IndexError, AssertionError)
"""Exceptions that PyTorch raises for wrong shapes and arguments."""


class ModuleChecks:
    """Checks of one module, on observations like those of the space.

    Args:
        name: of the policy, in messages.
    """

    def __init__(self, name: str, observation_space: gym.Space[Any]):
        self._name = name
        self._size = observation_size(observation_space)
        shape = (TASKS, STEPS, *(observation_space.shape or ()))
        numbers = np.random.default_rng(0).standard_normal(shape)
        if isinstance(observation_space, spaces.Box):
            numbers = np.clip(numbers, observation_space.low, observation_space.high)
        self._observations = torch.from_numpy(numbers.astype(np.float32))

    @one_intra_op_thread()  # More of them would wait for one another most of the time.
    def distribution(
        self, module: nn.Module, action_space: gym.Space[Any]
    ) -> Callable[..., ActionDistribution]:
        """Check the module by itself; return the kind of distribution that it stands for.

        Raises:
            UsageError: it cannot be run, or its parameters or what it returns are not as they should be.
        """
        # First, since torch would say it of some layer, in its own words.
        for name, param in module.named_parameters():
            if param.dtype != torch.float32:
                raise self._error(f"parameter '{name}' is {_dtype(param)}, expected float32")
        first = self._call(module, self._observations[0])
        self._check_state(module)
        pi = self._distribution(first, action_space)
        self._check_repeats(module, first)
        alone = self._call(module, self._observations[0, :1])
        if not _close([x[:1] if x.dim() == 2 else x for x in pi], _tensors(alone)):
            raise self._error("what forward returns for an observation depends on the others in the batch")
        return type(pi)

    @one_intra_op_thread()
    def policy(self, policy: Policy, module: nn.Module) -> None:
        """Check that tasks can be run side by side, and differentiated.

        Raises:
            UsageError: they cannot.
        """
        observations = self._observations.view(TASKS, STEPS, self._size)
        params = policy.get_vector().expand(TASKS, -1)
        with self._saying("torch.func.vmap cannot run it for several tasks at once"), torch.no_grad():
            together = policy.outputs(observations, policy.unflatten(params))
        for task in range(TASKS):
            alone = _tensors(self._call(module, self._observations[task]))
            if not _close([x[task].view_as(y) for x, y in zip(together, alone, strict=True)], alone):
                raise self._error("run by torch.func.vmap, forward returns something else")
        twice = "autograd cannot differentiate it twice"
        with self._saying(twice):
            at = policy.linearise(observations, params)
            at.hessian(at.pi).product(params, lambda tangent: tangent)
            forth = [(dot * x).sum() for dot, x in zip(at.jvp(params), at.pi, strict=True)]
            back = at.vjp(at.pi) * params
        # One that is marked as once differentiable is not always told from a constant.
        if (sum(forth) - back.sum()).abs() > 1e-3 * back.abs().sum():
            raise self._error(f"{twice}: a part of it has no second derivative")

    def _check_state(self, module: nn.Module) -> None:
        """Check that a float32 vector can hold the state, and that there is something to learn."""
        state = module.state_dict(keep_vars=True)
        names: dict[int, str] = {}
        for name, x in state.items():
            if not isinstance(x, Tensor):
                raise self._error(f"'{name}' of its state dict is no tensor")
            if x.is_floating_point() or x.is_complex():
                if x.dtype != torch.float32:
                    raise self._error(f"buffer '{name}' is {_dtype(x)}, expected float32")
            elif x.numel() and x.long().abs().max() > LARGEST:
                raise self._error(f"buffer '{name}' has integers beyond {LARGEST}: make it persistent=False")
            if x.numel() and (other := names.setdefault(x.data_ptr(), name)) != name:
                raise self._error(f"'{other}' and '{name}' are one tensor: tied parameters cannot adapt")
        if not any(x.requires_grad for x in state.values()):
            raise self._error("it has no parameters that could be learned")

    def _check_repeats(self, module: nn.Module, first: Any) -> None:
        state = {name: x.clone() for name, x in module.state_dict().items()}
        again = self._call(module, self._observations[0])
        for name, x in module.state_dict().items():
            if not torch.equal(x, state[name]):
                raise self._error(f"forward changes '{name}', but must not keep any state")
        if not all(map(torch.equal, _tensors(first), _tensors(again))):
            raise self._error(
                "two calls differ, but forward must neither draw random numbers nor keep any state"
            )

    def _distribution(self, output: Any, action_space: gym.Space[Any]) -> ActionDistribution:
        """Return the distribution that an output stands for.

        Raises:
            UsageError: it is none for these actions, or holds NaN or infinite numbers.
        """
        size, kind = action_size(action_space), discrete_kind(action_space)
        discrete = kind is not None
        pi = _interpreted(output, kind)
        if pi is None or not _fits(pi, size):
            tuple_of_two = f"(mean, log_std) [{STEPS}, {size}] and [{size}] or [{STEPS}, {size}]"
            raise self._error(
                f"for {STEPS} observations forward returned {_described(output)}, expected "
                f"{f'logits [{STEPS}, {size}]' if discrete else tuple_of_two}, or an ActionDistribution"
            )
        if not all(bool(x.isfinite().all()) for x in pi):
            raise self._error("forward returned NaN or infinite numbers for ordinary observations")
        shape = (STEPS, *action_shape(action_space))
        with self._saying(f"its {type(pi).__name__} is no distribution over {action_space}"):
            actions = pi.sample(torch.full(shape, 0.5))
            if actions.shape != shape or actions.is_floating_point() == discrete:
                raise ValueError(f"actions are {_dtype(actions)} {[*actions.shape]}")
            pi.log_prob(actions)
        return pi

    @torch.no_grad()
    def _call(self, module: nn.Module, observations: Tensor) -> Any:
        with self._saying(f"forward fails on observations {[*observations.shape]}"):
            return module(observations)

    @contextmanager
    def _saying(self, what: str) -> Iterator[None]:
        try:
            yield
        except MISTAKES as error:
            if isinstance(error, UsageError):
                raise
            reason = str(error).strip().partition("\n")[0] or type(error).__name__
            raise self._error(f"{what}: {reason}") from error

    def _error(self, problem: str) -> UsageError:
        return UsageError(f"policy '{self._name}': {problem}")


def _interpreted(
    output: Any, discrete: Callable[..., ActionDistribution] | None
) -> ActionDistribution | None:
    if isinstance(output, ActionDistribution):
        return output
    tensors = _tensors(output)
    if not all(isinstance(x, Tensor) for x in tensors) or len(tensors) != (1 if discrete else 2):
        return None
    return (discrete or DiagonalNormal)(*tensors)


def _fits(pi: ActionDistribution, size: int) -> bool:
    """Return whether the first number is each state's, the others too or shared, one for each action."""
    first, *others = (tuple(x.shape) for x in pi)
    shapes = {(STEPS, size), (size,)}
    return all(x.is_floating_point() for x in pi) and first == (STEPS, size) and shapes.issuperset(others)


def _tensors(output: Any) -> tuple[Any, ...]:
    return tuple(output) if isinstance(output, tuple | list) else (output,)


def _close(xs: Iterable[Tensor], ys: Iterable[Tensor]) -> bool:
    pairs = zip(xs, ys, strict=True)
    return all(x.shape == y.shape and torch.allclose(x, y, rtol=1e-4, atol=1e-5) for x, y in pairs)


def _described(output: Any) -> str:
    if isinstance(output, Tensor):
        return f"a tensor {[*output.shape]}"
    if isinstance(output, tuple | list):
        return f"({', '.join(map(_described, output))})"
    return f"a {type(output).__name__}"


def _dtype(x: Tensor) -> str:
    return str(x.dtype).removeprefix("torch.")
