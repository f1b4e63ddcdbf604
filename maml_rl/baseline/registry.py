"""The baselines by name."""

from maml_rl._system.own_code import failure, load_named
from maml_rl.baseline.base import Baseline
from maml_rl.errors import UsageError, did_you_mean

BASELINES = {
    "linear": "maml_rl.baseline.linear:LinearFeatureBaseline",
    "linear-cv": "maml_rl.baseline.linear_cv:CrossValidatedBaseline",
    "network": "maml_rl.baseline.network:NetworkBaseline",
    "none": "maml_rl.baseline.none:NoBaseline",
}
"""The classes of the shipped baselines, as ``module:Class``."""


def make_baseline(name: str, input_size: int) -> Baseline:
    """Return a baseline: one of `BASELINES`, or a class of one's own, ``package.module:Class``.

    Args:
        input_size: numbers in one observation; the class is called with it.

    Raises:
        UsageError: there is no such baseline, or it cannot be made.
    """
    if name not in BASELINES and ":" not in name:
        raise UsageError(f"baseline '{name}': no such baseline{did_you_mean(name, BASELINES)}")
    kind = load_named(BASELINES.get(name, name), f"baseline '{name}'")
    try:
        baseline = kind(input_size)
    except (Exception, SystemExit) as error:  # The class is anybody's.
        raise UsageError(f"baseline '{name}' cannot be called with a size: {failure(error)}") from error
    if not isinstance(baseline, Baseline):
        raise UsageError(f"baseline '{name}': expected an object with fit_data, values and last_values")
    return baseline
