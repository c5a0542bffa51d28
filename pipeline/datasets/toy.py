"""The toy data of the exercises."""

import numpy as np


def quadratic(points: int) -> tuple[np.ndarray, np.ndarray]:
    """Return x = 1, 2, …, points and y = x², each (points,) float64: the data of exercise 1.

    Raises ValueError for fewer than one point.
    """
    if points < 1:
        raise ValueError(f"points {points}: must be at least 1")
    x = np.arange(1, points + 1, dtype=np.float64)
    return x, x**2
