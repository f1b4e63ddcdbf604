"""ANIL, almost no inner loop (Raghu et al. 2020): only the last layer adapts."""

from fnmatch import fnmatchcase
from typing import Any

from maml_rl.adaptation import DifferentiableAdaptation, PartialStep
from maml_rl.errors import UsageError, shown
from maml_rl.metalearners.maml_trpo import TrustRegionMAML
from maml_rl.metalearners.parts import loss_of
from maml_rl.policies.base import Policy


class ANIL(TrustRegionMAML):
    """Learns theta as MAML-TRPO does, where a part of the policy adapts and the rest is what tasks share."""

    @staticmethod
    def adapts(policy: Policy, settings: Any) -> DifferentiableAdaptation:
        """Return gradient steps of the parts that the settings name, or of the policy's head.

        Raises:
            UsageError: the policy has no part of such a name, or none of the parts can change.
        """
        parts = named_parts(policy, settings.inner_parts) if settings.inner_parts else policy.head_parts
        if not {*parts} & {*policy.moving}:
            raise UsageError(f"inner-parts: expected one that requires gradients, got {', '.join(parts)}")
        return PartialStep(policy, loss_of(settings), settings.fast_lr, settings.first_order, parts)


def named_parts(policy: Policy, patterns: tuple[str, ...]) -> list[str]:
    """Return the names of the policy's parts that match one of ``patterns``.

    Raises:
        UsageError: none matches one of them.
    """
    names = list(policy.layout.shapes)
    for pattern in patterns:
        if not any(fnmatchcase(name, pattern) for name in names):
            raise UsageError(f"inner-parts: no part is called {shown(pattern)}; there are {', '.join(names)}")
    return [name for name in names if any(fnmatchcase(name, pattern) for pattern in patterns)]
