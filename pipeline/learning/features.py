"""Features made from inputs, and their standardisation."""

from dataclasses import dataclass

import numpy as np

from pipeline.learning.arrays import Array


def polynomial(x: Array, degree: int) -> Array:
    """Return the powers x, x², ..., x^degree of x (N,) as columns: (N, degree)."""
    return x[:, None] ** np.arange(1, degree + 1)


@dataclass(frozen=True)
class Columns:
    """Mean and unbiased standard deviation (n - 1) of each column."""

    mean: Array
    std: Array

    @classmethod
    def of(cls, X: Array) -> "Columns":
        """Measure the columns of X (N, D)."""
        return cls(X.mean(axis=0), X.std(axis=0, ddof=1))

    def standardize(self, X: Array) -> Array:
        """Return X (N, D) with mean 0 and deviation 1 in every column."""
        return (X - self.mean) / self.std


def raw_coefficients(W: Array, b: Array, features: Columns, targets: Columns) -> Array:
    """Return the coefficients on raw features, highest power first and the constant last: (D + 1,).

    W (D, 1) and b (1,) were fitted to standardised features and targets.
    """
    slopes = targets.std * W[:, 0] / features.std
    constant = targets.mean + targets.std * b - features.mean @ slopes
    return np.append(slopes[::-1], constant)
