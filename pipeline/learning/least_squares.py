"""Least squares with a ridge, in closed form and by gradient descent, from the normal equations.

The loss is that of the model linear_regression: the mean over all N·C elements of the squared error,
plus a penalty c·ΣW². It is a quadratic in θ = [W; b] (D+1, C), so its gradient is

    ∇L(θ) = H·θ - G,    H = 2/(NC)·X̃ᵀX̃ + 2c·diag(1, ..., 1, 0),    G = 2/(NC)·X̃ᵀY,

with X̃ = [X - centre, 1]. H and G cost one pass over the samples; each gradient after that is exact and
costs (D+1)²·C instead of N·D·C. Centred columns make the bias independent of the weights: without that,
the bias, which no penalty holds, can trade places with a sum of pixels, and H is all but singular.
Gradient descent at rate η multiplies the error along the eigenvector of
eigenvalue λ by 1 - ηλ: it diverges beyond η = 2/λmax, and the best rate, 2/(λmin + λmax), contracts
every direction at least by (κ - 1)/(κ + 1), with κ = λmax/λmin the condition number.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import scipy.linalg

from pipeline.learning.arrays import Array, Params
from pipeline.learning.penalty import Penalty

# Samples turned into float64 at a time: a whole training set in float64 would be the peak of memory.
BLOCK = 5000


@dataclass(frozen=True)
class Quadratic:
    """The loss as a quadratic in θ (D+1, C): its Hessian (D+1, D+1), the same for every output, and G."""

    hessian: Array
    linear: Array

    def gradient(self, theta: Array) -> Array:
        """Return ∇L at theta (D+1, C)."""
        return self.hessian @ theta - self.linear

    def minimizer(self) -> Array:
        """Return θ (D+1, C) where the gradient is zero, by Cholesky's factorisation."""
        return scipy.linalg.solve(self.hessian, self.linear, assume_a="pos")

    def eigenvalue_range(self) -> tuple[float, float]:
        """Return λmin and λmax of the Hessian."""
        eigenvalues = scipy.linalg.eigvalsh(self.hessian)
        return float(eigenvalues[0]), float(eigenvalues[-1])


def column_means(X: Array) -> Array:
    """Return the mean of each column of X (N, D), summed in float64: (D,)."""
    return X.sum(axis=0, dtype=np.float64) / len(X)


@dataclass(frozen=True)
class Moments:
    """All that the loss knows of the samples: X̃ᵀX̃ (D+1, D+1), X̃ᵀY (D+1, C), and N."""

    XtX: Array
    XtY: Array
    samples: int


def moments(X: Array, Y: Array, centre: Array) -> Moments:
    """Return the moments of X (N, D) less `centre` (D,) with targets Y (N, C), in float64."""
    N, D = X.shape
    XtX, XtY = np.zeros((D + 1, D + 1)), np.zeros((D + 1, Y.shape[1]))
    for start in range(0, N, BLOCK):
        rows = X[start : start + BLOCK].astype(np.float64) - centre
        rows = np.column_stack([rows, np.ones(len(rows))])  # (B, D+1)
        XtX += rows.T @ rows
        XtY += rows.T @ Y[start : start + BLOCK]
    return Moments(XtX, XtY, N)


def quadratic(data: Moments, penalty: Penalty) -> Quadratic:
    """Return the loss on samples of these moments; the bias's row of θ is the last."""
    inputs, outputs = data.XtY.shape
    factor = 2 / (data.samples * outputs)
    penalised = np.append(np.ones(inputs - 1), 0.0)  # every weight, and not the bias
    ridge = np.diag(2 * penalty.coefficient(data.samples) * penalised)
    return Quadratic(factor * data.XtX + ridge, factor * data.XtY)


def iterations_needed(smallest: float, largest: float, tolerance: float) -> int:
    """Return the iterations that shrink the error to `tolerance` times itself, at the best rate."""
    contraction = (largest - smallest) / (largest + smallest)
    if contraction == 0:
        return 1  # all eigenvalues are equal: the first step lands on the solution
    return math.ceil(math.log(tolerance) / math.log(contraction))


def gradient_descent(
    loss: Quadratic,
    learning_rate: float,
    iterations: int,
    observe: Callable[[int, Array], None] = lambda iteration, theta: None,
) -> Array:
    """Return θ (D+1, C) after so many iterations from zero; `observe` sees every iterate, the start as 0."""
    theta = np.zeros_like(loss.linear)
    observe(0, theta)
    for iteration in range(1, iterations + 1):
        theta -= learning_rate * loss.gradient(theta)
        observe(iteration, theta)
    return theta


def to_params(theta: Array, centre: Array) -> Params:
    """Return θ (D+1, C) as the parameters W (D, C) and b (C,) of linear_regression on X as it is."""
    W, b = theta[:-1].copy(), theta[-1]
    return {"W": W, "b": b - centre @ W}


def relative_distance(theta: Array, reference: Array) -> float:
    """Return ‖theta - reference‖ / ‖reference‖, over all elements."""
    return float(np.linalg.norm(theta - reference) / np.linalg.norm(reference))
