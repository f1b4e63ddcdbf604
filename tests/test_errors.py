"""Quantities of many tasks that are looked through for NaN."""

import pytest
import torch

from maml_rl.errors import check_finite


def test_numbers_that_tasks_share_are_looked_at_once_and_named_for_all():
    """Parameters before the first step are one vector: a thousand copies of it would take gigabytes."""
    theta = torch.ones(5)
    check_finite("parameters", theta.expand(3, -1))
    theta[2] = torch.nan
    with pytest.raises(FloatingPointError, match=r"parameters are NaN or infinite in tasks \[4, 5, 6\], now"):
        check_finite("parameters", theta.expand(3, -1), first_task=4, hint=", now")
    with pytest.raises(FloatingPointError, match=r"in tasks \[1\]"):
        check_finite("parameters", torch.stack([torch.ones(5), theta]))
    check_finite("parameters", torch.ones(0, 5))
    check_finite("losses", torch.ones(()).expand(2))
