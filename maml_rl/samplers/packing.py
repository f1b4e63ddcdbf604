"""Arrays of episodes without what pads them, as they travel."""

from typing import Any

import numpy as np
from numpy.typing import NDArray


def packed(array: NDArray[Any], real: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the real steps one behind the other, ``[M, ...]``.

    Args:
        array: ``[N, T, K, ...]``, 0 behind the episodes' ends.
        real: true at the steps that episodes really have, ``[N, T, K]``.
    """
    steps: NDArray[Any] = array[real]
    return steps


def unpacked(steps: NDArray[Any], real: NDArray[np.bool_]) -> NDArray[Any]:
    """Return the array that `packed` was given."""
    array = np.zeros((*real.shape, *steps.shape[1:]), steps.dtype)
    array[real] = steps
    return array
