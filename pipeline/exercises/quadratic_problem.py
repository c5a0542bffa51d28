"""The least-squares problem of exercise 1: its features, its Hessian, and gradient descent on it."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from pipeline.datasets import toy
from pipeline.exercises.descent import descend
from pipeline.exercises.outcome import Trace
from pipeline.learning import features, least_squares
from pipeline.learning.arrays import Array, Params
from pipeline.learning.features import Columns
from pipeline.learning.gradients import autograd
from pipeline.learning.least_squares import Quadratic
from pipeline.learning.models import linear_regression

START = 0.5
# Where the condition number asks for more, nothing is run.
MOST_ITERATIONS = 200_000
BELOW, ABOVE = 0.99, 1.01  # of the largest stable learning rate
STUDIED = 300  # iterations on both sides of it
# Rounding, 1e-16, grows by 1.02 in each iteration: it takes 1,900 of them to become 1.
UNTIL_ROUNDING_SHOWS = 2500


@dataclass(frozen=True)
class Problem:
    """Features X (N, D) and targets y (N, 1) in float64, and whether a bias is trained beside the weights.

    As asked, the features are 1, x and x²; as answered, x and x² are standardised, like y, and there is a
    bias. `columns` and `targets` say how they were standardised; raw features have none.
    """

    X: Array
    y: Array
    bias: bool
    columns: Columns | None = None
    targets: Columns | None = None

    def start(self) -> Params:
        """Return where descent starts: all 0.5; a bias that isn't trained is 0."""
        D = self.X.shape[1]
        return {"W": np.full((D, 1), START), "b": np.full(1, START if self.bias else 0.0)}

    def theta(self, params: Params) -> Array:
        """Return what is trained as one column: the weights, and the bias where there is one."""
        return np.vstack([params["W"], params["b"][None]]) if self.bias else params["W"]

    def quadratic(self) -> Quadratic:
        """Return the loss as a quadratic in theta: its Hessian is 2/N·ΨᵀΨ, Ψ the features and a 1."""
        Psi = np.column_stack([self.X, np.ones(len(self.X))]) if self.bias else self.X
        factor = 2 / len(self.X)
        return Quadratic(factor * Psi.T @ Psi, factor * Psi.T @ self.y)

    def coefficients(self, theta: Array) -> Array:
        """Return a, b and c of ax² + bx + c for what was fitted: (3,)."""
        if self.columns is None or self.targets is None:
            return theta[::-1, 0].copy()
        return features.raw_coefficients(theta[:-1], theta[-1], self.columns, self.targets)


def raw(points: int) -> Problem:
    """Return the problem as asked: 1, x and x² as they are."""
    x, y = toy.quadratic(points)
    return Problem(np.column_stack([np.ones(points), features.polynomial(x, 2)]), y[:, None], bias=False)


def standardised(points: int) -> Problem:
    """Return the problem as answered: x, x² and y with mean 0 and unbiased standard deviation 1."""
    x, y = toy.quadratic(points)
    powers, column = features.polynomial(x, 2), y[:, None]
    columns, targets = Columns.of(powers), Columns.of(column)
    return Problem(columns.standardize(powers), targets.standardize(column), True, columns, targets)


def train(problem: Problem, learning_rate: float, iterations: int) -> Trace:
    """Train by torch's gradient in float32, as the author did; it ends where the loss is finite no more."""
    X, y = (_standardised_in_float32(problem) if problem.bias else _float32(problem.X, problem.y))[:2]
    params = {name: torch.from_numpy(value).float() for name, value in problem.start().items()}
    trace: Trace = []
    for iteration in range(iterations):
        loss, grads = autograd.loss_and_grads(linear_regression, params, X, y)
        if not math.isfinite(loss):
            break
        trained = params if problem.bias else {"W": params["W"]}
        params = {**params, **{name: value - learning_rate * grads[name] for name, value in trained.items()}}
        row: dict[str, Any] = {"iteration": iteration, "loss": loss.item()}
        row["weights"] = params["W"].ravel().tolist()
        trace.append({**row, "bias": params["b"].item()} if problem.bias else row)
    return trace


def _float32(*arrays: Array) -> tuple[torch.Tensor, ...]:
    return tuple(torch.from_numpy(array).float() for array in arrays)


def _standardised_in_float32(problem: Problem) -> tuple[torch.Tensor, ...]:
    """Standardise in float32, as the author did: the last digits of the published loss depend on it."""
    x = torch.arange(1, len(problem.X) + 1, dtype=torch.float32)
    powers, column = torch.stack([x, x**2], dim=1), (x**2)[:, None]
    return tuple((each - each.mean(0)) / each.std(0) for each in (powers, column))


def iterations_by_spectrum(loss: Quadratic, theta: Array, learning_rate: float, tolerance: float) -> int:
    """Return the iterations until the excess loss is `tolerance` of the start's, from the eigenvalues.

    Along the eigenvector of eigenvalue λ the error is multiplied by 1 - ηλ in each iteration; the excess
    loss is ½Σλ·error². The rate must be below 2/λmax.
    """
    eigenvalues, errors = _spectrum(loss, theta)
    excess = eigenvalues * errors**2 / 2

    def share(iterations: int) -> float:
        return float(excess @ (1 - learning_rate * eigenvalues) ** (2 * iterations) / excess.sum())

    low, high = 0, 1
    while share(high) > tolerance:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if share(middle) > tolerance else (low, middle)
    return high


def iterations_by_running(
    loss: Quadratic, theta: Array, learning_rate: float, tolerance: float, most: int
) -> int | None:
    """Return the iterations that descent takes to the same, in float64; None where `most` aren't enough."""
    solution = loss.minimizer()

    def excess(at: Array) -> float:
        error = at - solution
        return float((error.T @ loss.hessian @ error).item()) / 2

    goal = tolerance * excess(theta)
    for iteration in range(1, most + 1):
        theta = theta - learning_rate * loss.gradient(theta)
        if excess(theta) <= goal:
            return iteration
    return None


def _along_top(loss: Quadratic, theta: Array) -> float:
    """Return the error of theta along the eigenvector of the largest eigenvalue."""
    return float(_spectrum(loss, theta)[1][-1])


def _spectrum(loss: Quadratic, theta: Array) -> tuple[Array, Array]:
    """Return the eigenvalues (P,), the largest last, and the error of theta along each eigenvector (P,)."""
    eigenvalues, vectors = np.linalg.eigh(loss.hessian)
    return eigenvalues, (vectors.T @ (theta - loss.minimizer()))[:, 0]


def _losses_at_rate(
    problem: Problem, theta: Array, learning_rate: float, iterations: int
) -> tuple[Array, Trace]:
    """Descend in float64; return theta at the end and the trace of the loss before each update."""
    loss, trace = problem.quadratic(), []
    of_targets = float(np.mean(problem.y**2))

    def gradient(params: Params) -> tuple[float, Params]:
        at = params["theta"]
        value = (at.T @ loss.hessian @ at / 2 - at.T @ loss.linear).item() + of_targets
        # What rounding leaves of a loss of 0 may be negative, which no axis of powers can show.
        return max(value, 0.0), {"theta": loss.gradient(at)}

    last = descend(
        {"theta": theta},
        gradient,
        learning_rate,
        iterations,
        lambda iteration, value, _: trace.append({"iteration": iteration, "loss": value}),
    )
    return last["theta"], trace


def both_sides(points: int, rng: np.random.Generator) -> dict[str, Any]:
    """Descend 1% below and 1% above the limit: raw, standardised, and standardised from beside the start."""
    asked, standard = raw(points), standardised(points)
    beside = standard.theta(standard.start())
    beside = beside + 0.1 * rng.standard_normal(beside.shape)
    return {
        "below_limit": _beyond(asked, asked.theta(asked.start()), BELOW, STUDIED),
        "above_limit": _beyond(asked, asked.theta(asked.start()), ABOVE, STUDIED),
        "standardised_above_limit": _beyond(
            standard, standard.theta(standard.start()), ABOVE, UNTIL_ROUNDING_SHOWS
        ),
        "standardised_perturbed": _beyond(standard, beside, ABOVE, STUDIED),
    }


def _beyond(problem: Problem, theta: Array, share: float, iterations: int) -> dict[str, Any]:
    """Descend at a share of the limit; say how the error along the top eigenvector grew an iteration."""
    loss = problem.quadratic()
    rate = share * 2 / loss.eigenvalue_range()[1]
    first = _along_top(loss, theta)
    last, trace = _losses_at_rate(problem, theta, rate, iterations)
    grown = abs(_along_top(loss, last) / first) if first else np.inf
    return {
        "learning_rate": rate,
        "share_of_limit": share,
        "error_along_top": first,
        "relative_error_along_top": abs(first) / float(np.linalg.norm(theta - loss.minimizer())),
        "growth": float(grown ** (1 / iterations)),
        "lowest_loss": min(row["loss"] for row in trace),
        "trace": trace,
    }


def converge(loss: Quadratic, theta: Array, tolerance: float = 1e-13) -> Array:
    """Descend at the best rate until the gradient is `tolerance` of the start's."""
    smallest, largest = loss.eigenvalue_range()
    goal = tolerance * np.linalg.norm(loss.gradient(theta))
    needed = least_squares.iterations_needed(smallest, largest, tolerance)
    for _ in range(min(needed, MOST_ITERATIONS)):
        gradient = loss.gradient(theta)
        if np.linalg.norm(gradient) <= goal:
            break
        theta = theta - 2 / (smallest + largest) * gradient
    return theta
