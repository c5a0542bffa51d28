"""The least-squares problem of exercise 1: its features, descent on it, and what its Hessian says.

All that the Hessian says is known before training; see docs/exercises/quadratic.md.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets import toy
from pipeline.exercises.descent import descend
from pipeline.exercises.outcome import Row, Trace
from pipeline.learning import features, least_squares
from pipeline.learning.arrays import Array, Params
from pipeline.learning.features import Columns
from pipeline.learning.gradients import TrainingEngine, autograd, manual
from pipeline.learning.least_squares import Quadratic
from pipeline.learning.models import linear_regression
from pipeline.learning.penalty import NONE

START = 0.5
# What would take more is predicted, and not run.
MOST_ITERATIONS = 100_000
# What descent to the end leaves of the start's error.
CONVERGED = 1e-12
EPS = float(np.finfo(np.float64).eps)
BELOW, ABOVE = 0.99, 1.01  # of the largest stable learning rate
STRETCH = 300  # iterations on both sides of it
# Rounding, about 1e-17, grows by 1.02 in each iteration: it takes 2,000 of them to become 1.
UNTIL_ROUNDING_SHOWS = 2500
PERTURBATION = 0.1


@dataclass(frozen=True)
class Problem:
    """Features X (N, D) and targets y (N, 1) of linear_regression, and how x² and y were standardised.

    θ (3, 1) holds what is trained, in the order of x, x² and the constant. As answered, the constant is
    the model's bias; as asked, it is the weight of a feature that is 1, and the bias stays at 0.
    """

    X: Array
    y: Array
    trains_bias: bool
    columns: Columns
    targets: Columns

    def params(self, theta: Array) -> Params:
        """Return θ as the model's parameters."""
        if self.trains_bias:
            return {"W": theta[:-1], "b": theta[-1]}
        return {"W": theta[[2, 0, 1]], "b": np.zeros(1, theta.dtype)}

    def theta(self, params: Params) -> Array:
        """Return the model's parameters as θ."""
        W = np.asarray(params["W"])
        return np.vstack([W, np.asarray(params["b"])]) if self.trains_bias else W[[1, 2, 0]]

    def start(self) -> Array:
        """Return θ where descent starts: all 0.5."""
        return np.full((3, 1), START, self.X.dtype)

    def quadratic(self) -> Quadratic:
        """Return the loss as a quadratic in θ, with the Hessian 2/N·ΨᵀΨ, Ψ = [x, x², 1]."""
        powers = self.X[:, -2:]
        return least_squares.quadratic(least_squares.moments(powers, self.y, np.zeros(2)), NONE)

    def coefficients(self, theta: Array) -> list[float] | None:
        """Return a, b and c of the ax² + bx + c that θ is in raw units; None where it has overflowed."""
        found = features.raw_coefficients(theta[:-1], theta[-1], self.columns, self.targets)
        return found.tolist() if np.isfinite(found).all() else None


def raw(points: int, dtype: Any = np.float64) -> Problem:
    """Return the problem as asked: features 1, x and x² as they are."""
    powers, y = _parabola(points, dtype)
    X = np.column_stack([np.ones(points, dtype), powers])  # (N, 3)
    as_it_is = (Columns(np.zeros(count), np.ones(count)) for count in (2, 1))
    return Problem(X, y, False, *as_it_is)


def standardised(points: int, dtype: Any = np.float64) -> Problem:
    """Return the problem as answered: x, x² and y with mean 0 and unbiased standard deviation 1."""
    powers, y = _parabola(points, dtype)
    columns, targets = Columns.of(powers), Columns.of(y)
    return Problem(columns.standardize(powers), targets.standardize(y), True, columns, targets)


def _parabola(points: int, dtype: Any) -> tuple[Array, Array]:
    x, y = toy.quadratic(points)
    return features.polynomial(x, 2).astype(dtype), y[:, None].astype(dtype)


def train(
    engine: TrainingEngine, problem: Problem, start: Array, learning_rate: float, iterations: int
) -> tuple[Array, Trace]:
    """Descend from θ in the type of X; return the last θ and the trace.

    Where the loss overflows, the trace ends, after its first row at the earliest.
    """
    X, y = (engine.to_native(array, "cpu") for array in (problem.X, problem.y))
    trace: Trace = []

    def gradient(params: Params) -> tuple[Any, Params]:
        loss, grads = engine.loss_and_grads(linear_regression, params, X, y)
        return loss, grads if problem.trains_bias else {**grads, "b": 0 * params["b"]}

    def observe(iteration: int, loss: float, params: Params) -> None:
        row: Row = {"iteration": iteration, "loss": loss, "weights": params["W"].ravel().tolist()}
        trace.append({**row, "bias": params["b"].item()} if problem.trains_bias else row)

    params = {name: engine.to_native(value, "cpu") for name, value in problem.params(start).items()}
    last = descend(params, gradient, learning_rate, iterations, observe)
    overflowing = (row["iteration"] for row in trace if not math.isfinite(row["loss"]))
    return problem.theta(last), trace[: max(1, next(overflowing, iterations))]


@dataclass(frozen=True)
class Spectrum:
    """The Hessian's eigenvalues (P,), the largest last, its eigenvectors (P, P) as columns, and the solution.

    An iteration of descent multiplies the error along the eigenvector of eigenvalue λ by 1 - ηλ.
    """

    eigenvalues: Array
    vectors: Array
    solution: Array

    @classmethod
    def of(cls, problem: Problem) -> "Spectrum":
        """Take the Hessian of a problem apart."""
        loss = problem.quadratic()
        return cls(*np.linalg.eigh(loss.hessian), loss.minimizer())

    @property
    def extremes(self) -> tuple[float, float]:
        """λmin and λmax."""
        return float(self.eigenvalues[0]), float(self.eigenvalues[-1])

    @property
    def max_learning_rate(self) -> float:
        """The rate beyond which descent diverges: 2/λmax."""
        return 2 / self.extremes[1]

    @property
    def best_learning_rate(self) -> float:
        """The rate that shrinks the slowest direction fastest: 2/(λmin + λmax)."""
        return 2 / sum(self.extremes)

    @property
    def condition_number(self) -> float:
        """κ = λmax/λmin."""
        return self.extremes[1] / self.extremes[0]

    def along_top(self, theta: Array) -> float:
        """Return the error of θ along the eigenvector of λmax."""
        return float(np.vdot(self.vectors[:, -1], theta - self.solution))

    def loss_left(self, start: Array, learning_rate: float, iterations: Any) -> Array:
        """Return the share of the start's excess loss, ½Σλ·error², that so many iterations leave."""
        errors = self.vectors.T @ (start - self.solution)  # (P, 1)
        excess = self.eigenvalues * errors[:, 0] ** 2  # (P,)
        factors = (1 - learning_rate * self.eigenvalues) ** (2 * np.asarray(iterations)[..., None])
        return factors @ (excess / excess.sum())

    def iterations(self, start: Array, learning_rate: float, tolerance: float) -> int | None:
        """Return the iterations that leave `tolerance` of the start's excess loss; None where none do."""
        low, high = 0, 1
        while learning_rate < self.max_learning_rate and high < 2**60:
            if self.loss_left(start, learning_rate, high) <= tolerance:
                break
            low, high = high, 2 * high
        else:
            return None  # beyond the limit, or so small a rate that float64 holds 1 - ηλ for 1
        while high - low > 1:
            middle = (low + high) // 2
            left = self.loss_left(start, learning_rate, middle)
            low, high = (middle, high) if left > tolerance else (low, middle)
        return high


def iterations_by_running(
    problem: Problem, learning_rate: float, tolerance: float, predicted: int | None
) -> int | None:
    """Return what descent takes in float64; None where it diverges, takes too long, or rounding decides."""
    spectrum, loss, theta = Spectrum.of(problem), problem.quadratic(), problem.start()
    # Rounding moves the end of the run by κ²·eps/√tolerance iterations.
    blurred = spectrum.condition_number**2 * EPS / math.sqrt(tolerance) > 0.5
    if predicted is None or predicted > MOST_ITERATIONS or blurred:
        return None

    def excess(theta: Array) -> float:
        error = theta - spectrum.solution
        return float(np.vdot(error, loss.hessian @ error))

    goal, iteration = tolerance * excess(theta), 0
    while not excess(theta) <= goal and iteration < 2 * predicted:  # what goes wrong ends too
        theta = theta - learning_rate * loss.gradient(theta)
        iteration += 1
    return iteration


def run_on(problem: Problem, learning_rate: float, iterations: int) -> Array:
    """Return θ (P, 1) after so many iterations, however many those are, in float64.

    An iteration is the affine map θ → (I - ηH)·θ + ηG: n of them are the n-th power of its matrix.
    """
    loss, theta = problem.quadratic(), problem.start()
    P = len(theta)
    step = np.eye(P + 1)
    step[:P, :P] -= learning_rate * loss.hessian
    step[:P, P:] = learning_rate * loss.linear
    return (np.linalg.matrix_power(step, iterations) @ np.vstack([theta, [[1.0]]]))[:P]


@np.errstate(all="ignore")
def study(
    make: Callable[..., Problem], points: int, learning_rate: float, iterations: int, tolerance: float
) -> tuple[dict[str, Any], Array]:
    """Return what the Hessian says before training and what training says, and θ after the iterations.

    `iterations_needed` is what the condition number allows at most at the best rate, and
    `iterations_predicted` what all eigenvalues predict; `…_at_rate` are those of the rate in use.
    """
    problem, single = make(points), make(points, np.float32)
    spectrum, start = Spectrum.of(problem), problem.start()
    best = spectrum.best_learning_rate
    at_best, at_rate = (spectrum.iterations(start, rate, tolerance) for rate in (best, learning_rate))
    to_the_end = least_squares.iterations_needed(*spectrum.extremes, CONVERGED)
    last, trace = train(autograd, single, single.start(), learning_rate, iterations)
    # Beyond the limit, rounding decides what becomes of a start without error along the top eigenvector.
    predictable = learning_rate < spectrum.max_learning_rate or not problem.trains_bias
    left = spectrum.loss_left(start, learning_rate, trace[-1]["iteration"]) if predictable else np.nan
    found = {
        "learning_rate": learning_rate,
        "largest_eigenvalue": spectrum.extremes[1],
        "max_learning_rate": spectrum.max_learning_rate,
        "condition_number": spectrum.condition_number,
        "best_learning_rate": best,
        # The excess loss shrinks by the square of what the error shrinks by.
        "iterations_needed": least_squares.iterations_needed(*spectrum.extremes, math.sqrt(tolerance)),
        "iterations_predicted": at_best,
        "iterations_taken": iterations_by_running(problem, best, tolerance, at_best),
        "iterations_predicted_at_rate": at_rate,
        "iterations_taken_at_rate": iterations_by_running(problem, learning_rate, tolerance, at_rate),
        "loss_left": finite(np.divide(trace[-1]["loss"], trace[0]["loss"])),
        "loss_left_after": trace[-1]["iteration"],
        "loss_left_predicted": finite(left),
        "coefficients": problem.coefficients(run_on(problem, best, to_the_end)),
        "coefficients_after": to_the_end,
        "coefficients_after_iterations": single.coefficients(last),
        "trace": trace,
    }
    return found, last


def both_sides(points: int, rng: np.random.Generator) -> dict[str, Any]:
    """Descend 1% below and 1% above the limit: raw, standardised, and standardised from beside the start."""
    asked, answered = raw(points), standardised(points)
    beside = answered.start() + PERTURBATION * rng.standard_normal((3, 1))
    return {
        "below_limit": _descend_at(BELOW, asked, asked.start(), STRETCH),
        "above_limit": _descend_at(ABOVE, asked, asked.start(), STRETCH),
        "standardised_above_limit": _descend_at(ABOVE, answered, answered.start(), UNTIL_ROUNDING_SHOWS),
        "standardised_perturbed": _descend_at(ABOVE, answered, beside, STRETCH),
    }


@np.errstate(all="ignore")  # what overflows by a fault fails its claims
def _descend_at(share: float, problem: Problem, start: Array, iterations: int) -> dict[str, Any]:
    """Descend at a share of the limit in float64, by the gradient by hand; hold it against the prediction."""
    spectrum = Spectrum.of(problem)
    rate = share * spectrum.max_learning_rate
    last, trace = train(manual, problem, start, rate, iterations)
    losses = np.array([row["loss"] for row in trace])
    predicted = spectrum.loss_left(start, rate, np.arange(len(losses)))
    first = spectrum.along_top(start)
    return {
        "learning_rate": rate,
        "condition_number": spectrum.condition_number,
        "growth_predicted": abs(1 - 2 * share),
        "growth": finite(abs(np.divide(spectrum.along_top(last), first)) ** (1 / iterations)),
        # At the end nothing but the error along the top eigenvector is left, and the loss is its square.
        "last_growth": finite(np.sqrt(losses[-1] / losses[-2:][0])),
        "error_along_top": abs(first) / float(np.linalg.norm(start - spectrum.solution)),
        "worst_difference": finite(np.max(np.abs(losses / losses[0] / predicted - 1))),
        "highest_loss": finite(np.max(losses) / losses[0]),  # of the first, like the next two
        "lowest_loss": finite(np.min(losses) / losses[0]),
        "last_loss": finite(losses[-1] / losses[0]),
        "lowest_loss_at": int(np.argmin(losses)),
        "trace": [{"iteration": row["iteration"], "loss": row["loss"]} for row in trace],
    }


def finite(value: Any) -> float | None:
    """Return a number as JSON holds it: None for infinity and for what is no number."""
    return float(value) if np.isfinite(value) else None
