"""Any `torch.nn.Module` as a policy; its derivatives come from autograd."""

import copy
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from typing import Any

import gymnasium as gym
import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.func import functional_call

from maml_rl.parameters import Params
from maml_rl.policies.autograd import AutogradLinearisation
from maml_rl.policies.base import Policy
from maml_rl.policies.distributions import ActionDistribution
from maml_rl.policies.module_checks import ModuleChecks
from maml_rl.policies.spaces import action_size, draw_noise, observation_size


class ModulePolicy(Policy):
    """A policy whose distribution comes out of a module of one's own.

    In a config the module is ``policy: package.module:Class``. It is made by ``Class(observation_space,
    action_space, **policy_kwargs)``, and may be any `torch.nn.Module` that keeps to this:

    - ``forward(observations)`` takes float32 ``[B, *shape]``, in the shape of the observation space. For n
      discrete actions it returns their logits, ``[B, n]``, for several choices at once (MultiDiscrete) the
      logits of all, one behind another; for A continuous ones ``(mean, log_std)``, of
      which ``mean`` is ``[B, A]``, and ``log_std`` ``[A]`` where states share it, or ``[B, A]``; or, for
      either, an `ActionDistribution` of numbers in these shapes: `CategoricalLogits`, `DiagonalNormal`, one
      that `squashed_normal` makes, or one of one's own.
    - What it returns for an observation depends on that observation and the parameters alone: no random
      numbers, no state, no statistics of the batch. It always is in eval mode.
    - Parameters are float32. Those with ``requires_grad=False``, and buffers, are part of theta, so that they
      are saved and every worker has them, and never change.
    - ``torch.func.vmap`` can run it, since tasks with parameters of their own are run side by side: no
      ``.item()``, no ``if`` on a tensor's values.

    Parameters and buffers have the module's own names: a run's ``policy.th`` is a state dict of the module.

    Args:
        module: is put in eval mode. It is not run any more after the checks; copies are.
        name: what messages call it.

    Raises:
        UsageError: the module does not keep to the contract.
    """

    def __init__(
        self,
        module: nn.Module,
        observation_space: gym.Space[Any],
        action_space: gym.Space[Any],
        name: str | None = None,
    ):
        super().__init__(observation_size(observation_space), action_size(action_space))
        self._shape = tuple(observation_space.shape or ())
        self._action_space = action_space
        self._idle: list[nn.Module] = []
        self.module = module.eval()
        checks = ModuleChecks(name or type(module).__name__, observation_space)
        self.kind: Callable[..., ActionDistribution] = checks.distribution(module, action_space)
        """Makes a distribution of the module's numbers."""
        state = self.own_params()
        self._moving = {name for name, x in state.items() if x.requires_grad}
        self._integers = {name: x.dtype for name, x in state.items() if not x.is_floating_point()}
        checks.policy(self, self.module)

    @property
    def moving(self) -> Collection[str]:
        """Names of the parameters that require gradients."""
        return self._moving

    def own_params(self) -> "OrderedDict[str, Tensor]":
        """Return the module's own parameters and buffers, as its state dict orders them."""
        return OrderedDict(self.module.state_dict(keep_vars=True))

    def at(self, params: Params) -> Callable[[Float[Tensor, "*B O"]], ActionDistribution]:
        """Return the policy under ``params``."""
        name, shape = next(iter(self.layout.shapes.items()))
        task_dims = params[name].dim() - len(shape)
        # Nothing changes integers: they are the same for all tasks.
        integers = {n: params[n][(0,) * task_dims].to(kind) for n, kind in self._integers.items()}
        floats = {n: x for n, x in params.items() if n not in integers}
        run: Callable[..., Sequence[Tensor]] = partial(self._run, tuple(floats), integers)
        if task_dims:
            run = torch.vmap(run)

        def outputs(observations: Float[Tensor, "*B O"]) -> ActionDistribution:
            lead = observations.shape[:-1]
            rows = observations.reshape(*lead[:task_dims], -1, *self._shape)
            return self.kind(*(_unflatten(x, lead, task_dims) for x in run(rows, *floats.values())))

        return outputs

    def linearise(
        self, observations: Float[Tensor, "N M O"], params: Float[Tensor, "N P"]
    ) -> AutogradLinearisation:
        """Return the policy's derivatives at ``params``."""
        run = partial(self.outputs, observations)
        return AutogradLinearisation(run, self.layout, params, frozenset(self.moving))

    def noise(self, rng: np.random.Generator, shape: tuple[int, ...]) -> NDArray[np.float32]:
        """Draw standard normals, or for discrete actions uniforms in [0, 1), in the shape of the actions."""
        return draw_noise(self._action_space, rng, shape)

    def train(self, mode: bool = True) -> "ModulePolicy":
        """Do nothing: the module stays in eval mode."""
        return self

    def named_parameters(self, *args: Any, **kwargs: Any) -> Iterator[tuple[str, nn.Parameter]]:
        """Return the module's, under its own names."""
        return self.module.named_parameters(*args, **kwargs)

    def state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Return the module's."""
        return self.module.state_dict(*args, **kwargs)

    def load_state_dict(self, *args: Any, **kwargs: Any) -> Any:
        """Load a state dict of the module."""
        return self.module.load_state_dict(*args, **kwargs)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_idle": []}

    def _apply(self, *args: Any, **kwargs: Any) -> "ModulePolicy":
        self._idle = []  # They would stay on the device where they were made.
        super()._apply(*args, **kwargs)  # type: ignore[no-untyped-call]
        return self

    def _run(
        self, names: Sequence[str], integers: Params, observations: Tensor, *floats: Tensor
    ) -> tuple[Tensor, ...]:
        """Run the module on ``[B, *shape]``; return the distribution's numbers."""
        # While it runs, a module holds the tensors of the call, so that no two threads can share one.
        try:
            module = self._idle.pop()
        except IndexError:
            with torch.inference_mode(False):  # A rollout may make the copy that autograd will meet.
                module = copy.deepcopy(self.module)
        tensors = dict(zip(names, floats, strict=True), **integers)
        output = functional_call(module, tensors, (observations,), tie_weights=False)
        self._idle.append(module)
        return (output,) if isinstance(output, Tensor) else tuple(output)


def _unflatten(number: Tensor, lead: Sequence[int], task_dims: int) -> Tensor:
    """Give a module's number the observations' leading dimensions; 1s where a task's states share it."""
    if number.dim() == task_dims + 2:
        return number.reshape(*lead, number.shape[-1])
    return number.view(*lead[:task_dims], *(1,) * (len(lead) - 1), -1) if task_dims else number
