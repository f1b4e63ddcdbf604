"""Arithmetic of rewards and observations on single numbers.

Meta-World computes on arrays of one number, which costs NumPy more time than the arithmetic. The formulas are
evaluated in the same order here, so that the results are the same.
"""

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
from numpy.typing import NDArray

LONG_TAIL, GAUSSIAN = "long_tail", "gaussian"


def norm(x: Any, ord: int | None = None) -> np.float64:
    """Return the Euclidean length of a vector, or the absolute value of a number.

    Raises:
        ValueError: another norm is asked for.
    """
    if ord not in (None, 2):
        raise ValueError(f"expected the Euclidean norm, got ord={ord}")
    squares = x.dot(x) if isinstance(x, np.ndarray) else x * x
    # What is divided by 0 is a warning with NumPy's numbers and an error with Python's.
    return np.float64(math.sqrt(squares))


def make_tolerance(sigmoids: Any) -> Any:
    """Return ``tolerance`` for single numbers.

    Args:
        sigmoids: the package's own function, for shapes that no environment uses in steps.
    """

    def tolerance(
        x: Any,
        bounds: tuple[Any, Any] = (0.0, 0.0),
        margin: Any = 0.0,
        sigmoid: str = GAUSSIAN,
        value_at_margin: float = 0.1,
    ) -> float:
        """Return 1 within the bounds, and less the further out, ``value_at_margin`` at the margin.

        Raises:
            ValueError: the bounds are in the wrong order, or the margin is negative.
        """
        lower, upper = bounds
        if lower > upper or margin < 0:
            raise ValueError(f"expected bounds in order and a margin of 0 or more, got {bounds} and {margin}")
        if lower <= x <= upper:
            return 1.0
        if margin == 0:
            return 0.0
        distance = (lower - x if x < lower else x - upper) / margin
        if sigmoid == LONG_TAIL:
            scaled = distance * math.sqrt(1 / value_at_margin - 1)
            return float(1 / (scaled * scaled + 1))
        return float(sigmoids(distance, value_at_margin, sigmoid))

    return tolerance


class Rotation:
    """The rotation of a matrix, with the one method of SciPy's class that Meta-World uses.

    Args:
        matrix: orthogonal, ``[3, 3]``.
    """

    def __init__(self, matrix: NDArray[np.float64]):
        self._rows = matrix.tolist()

    @classmethod
    def from_matrix(cls, matrix: NDArray[np.float64]) -> "Rotation":
        """Return the rotation of an orthogonal matrix."""
        return cls(matrix)

    def as_quat(self) -> NDArray[np.float64]:
        """Return the unit quaternion x, y, z, w, by the largest of the four (Markley 2008)."""
        (a, b, c), (d, e, f), (g, h, i) = self._rows
        trace = a + e + i
        largest = max(a, e, i, trace)
        if largest == a:
            quaternion = [1 - trace + 2 * a, d + b, g + c, h - f]
        elif largest == e:
            quaternion = [d + b, 1 - trace + 2 * e, h + f, c - g]
        elif largest == i:
            quaternion = [g + c, h + f, 1 - trace + 2 * i, d - b]
        else:
            quaternion = [h - f, c - g, d - b, 1 + trace]
        x, y, z, w = quaternion
        length = math.sqrt(x * x + y * y + z * z + w * w)
        return np.array([x / length, y / length, z / length, w / length])


NUMPY = SimpleNamespace(**{**vars(np), "linalg": SimpleNamespace(norm=norm)})
"""NumPy with a quick norm."""
