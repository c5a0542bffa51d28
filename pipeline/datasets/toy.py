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


def spiral(
    points: int, noise: float, rng: np.random.RandomState, arms: int = 3
) -> tuple[np.ndarray, np.ndarray]:
    """Return X (arms·points, 2) float64 and labels y of the spiral arms: the data of exercise 3.

    Arm j goes from the centre outwards by r = 0 … 1 while its angle goes from 4j to 4(j + 1) radians,
    plus noise·N(0, 1). Source: cs231n, case study. Raises ValueError for fewer than one point or arm.
    """
    if points < 1 or arms < 1:
        raise ValueError(f"a spiral of {arms} arms of {points} points: both must be at least 1")
    r = np.linspace(0, 1, points)  # (points,)
    angles = [np.linspace(4 * j, 4 * (j + 1), points) + noise * rng.randn(points) for j in range(arms)]
    X = np.concatenate([np.column_stack([r * np.sin(t), r * np.cos(t)]) for t in angles])
    return X, np.repeat(np.arange(arms), points)
