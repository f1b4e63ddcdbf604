"""Quantities of many tasks that are looked through for NaN."""

import math

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


def test_what_adds_up_to_infinity_is_finite_and_what_cancels_is_not():
    large = torch.full((3, 4, 5), torch.finfo(torch.float32).max)
    check_finite("rewards", large)
    large[1, 2, :2] = torch.tensor([math.inf, -math.inf])
    with pytest.raises(FloatingPointError, match=r"in tasks \[1\]$"):
        check_finite("rewards", large)
    large[0, 0, 0] = math.nan
    with pytest.raises(FloatingPointError, match=r"in tasks \[0, 1\]$"):
        check_finite("rewards", large.transpose(1, 2))
    with pytest.raises(FloatingPointError, match=r"in tasks \[2\]$"):
        check_finite("losses", torch.tensor([1e38, 3e38, math.inf]))
