"""Stage fit_regression: least squares in closed form and by gradient descent, on digits and on a parabola."""

import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg

from pipeline import params
from pipeline.datasets import splits, toy
from pipeline.errors import UserError
from pipeline.files import write_json
from pipeline.learning import features, least_squares
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradients import manual
from pipeline.learning.least_squares import Quadratic
from pipeline.learning.models import linear_regression
from pipeline.learning.penalty import NONE, Penalty
from pipeline.params.regression import PolynomialParams, RegressionParams
from pipeline.stages import records
from pipeline.tracking import run_directory
from pipeline.tracking.reporter import reporting

RESULTS = Path("results/regression.json")
LARGEST_CONDITION_NUMBER = 1e3
# Rows in the history of a gradient descent of thousands of iterations.
LOGGED = 200
# Rounding of sums over 50,000 samples in float64, with room to spare.
GRADIENT_BOUND = 1e-10
POLYNOMIAL_TOLERANCE = 1e-9
# High powers of x are so nearly dependent that the prediction can be astronomical: then report the gap.
MOST_ITERATIONS = 100_000


def main() -> None:
    """Fit both ways, hold gradient descent to its prediction, and leave both runs and the figures."""
    settings = params.load(RegressionParams, "regression")
    images, labels = splits.read(records.NORMALIZED / "train")
    targets = np.eye(records.CLASSES)[labels]
    with (
        reporting("linear_regression-closed_form", experiment="mnist") as closed_form,
        reporting("linear_regression-manual", experiment="mnist") as manually,
    ):
        penalty = Penalty(settings.penalty.kind, settings.penalty.strength)
        centre = least_squares.column_means(images)
        data = least_squares.moments(images, targets, centre)
        loss = least_squares.quadratic(data, penalty)
        _refuse_ill_conditioned(loss, penalty, len(images))
        solution = loss.minimizer()
        _check_gradient(loss, 0.5 * solution, images, targets, centre, penalty)
        descent, reached, history = _descend(loss, solution, settings.tolerance)
        closed_form.finished(
            _write_run("closed_form", settings, least_squares.to_params(solution, centre), [])
        )
        manually.finished(_write_run("manual", settings, least_squares.to_params(reached, centre), history))
        weaker = [
            _weaker(
                least_squares.quadratic(data, Penalty(penalty.kind, strength)),
                strength,
                descent["iterations"],
            )
            for strength in settings.weaker
        ]
        digits = {"ridge": penalty.strength, **descent, "weaker": weaker}
        write_json(RESULTS, {"digits": digits, "polynomial": _polynomial(settings.polynomial)})


def _check_gradient(
    loss: Quadratic, theta: Array, X: Array, Y: Array, centre: Array, penalty: Penalty
) -> None:
    """Hold the gradient from the normal equations against the hand-derived one over every sample."""
    W, b = theta[:-1], theta[-1]
    parts = []
    for start in range(0, len(X), least_squares.BLOCK):
        rows = slice(start, start + least_squares.BLOCK)
        _, grads = manual.loss_and_grads(
            linear_regression, {"W": W, "b": b}, X[rows] - centre, Y[rows], reduction="sum"
        )
        parts.append(np.vstack([grads["W"], grads["b"]]))
    gradient = sum(parts) / Y.size
    gradient[:-1] += 2 * penalty.coefficient(len(X)) * W
    difference = least_squares.relative_distance(loss.gradient(theta), gradient)
    if not difference <= GRADIENT_BOUND:
        raise UserError(
            f"linear_regression: the gradient from the normal equations differs from the hand-derived one "
            f"by {difference:.1e} of its norm, more than {GRADIENT_BOUND:.0e}; one of the two is wrong"
        )


def _refuse_ill_conditioned(loss: Quadratic, penalty: Penalty, samples: int) -> None:
    smallest, largest = loss.eigenvalue_range()
    # Without a ridge the Hessian is singular: a pixel that is the same in all images has no curvature.
    condition_number = largest / smallest if smallest > 0 else math.inf
    if condition_number > LARGEST_CONDITION_NUMBER:
        # Only the bias, which it doesn't hold, can be less curved than the ridge makes everything; below 0
        # rounding has brought what the ridge is too weak for.
        too_strong = 0 < smallest < 0.999 * 2 * penalty.coefficient(samples)
        raise UserError(
            f"params.yaml: regression.penalty.strength = {penalty.strength:g}: condition number "
            f"{condition_number:.0f}; a {'weaker' if too_strong else 'stronger'} one brings it below "
            f"{LARGEST_CONDITION_NUMBER:.0f}, where gradient descent reaches the solution"
        )


def _descend(
    loss: Quadratic, solution: Array, tolerance: float
) -> tuple[dict[str, Any], Array, list[dict[str, float]]]:
    """Run gradient descent for as many iterations as predicted; UserError where it falls short."""
    smallest, largest = loss.eigenvalue_range()
    iterations = least_squares.iterations_needed(smallest, largest, tolerance)
    history: list[dict[str, float]] = []

    def observe(iteration: int, theta: Array) -> None:
        if iteration % max(1, iterations // LOGGED) == 0 or iteration == iterations:
            distance = least_squares.relative_distance(theta, solution)
            history.append({"step": iteration, "train/relative_distance": distance})

    reached = least_squares.gradient_descent(loss, 2 / (smallest + largest), iterations, observe)
    gap = least_squares.relative_distance(reached, solution)
    if not gap <= tolerance:
        raise UserError(
            f"linear_regression: after the {iterations} iterations predicted, gradient descent is {gap:.1e} "
            f"from the closed form, more than {tolerance:.0e}; the prediction or a gradient is wrong"
        )
    descent = {
        "condition_number": largest / smallest,
        "largest_stable_learning_rate": 2 / largest,
        "learning_rate": 2 / (smallest + largest),
        "iterations": iterations,
        "gap": gap,
    }
    return descent, reached, history


def _weaker(loss: Quadratic, strength: float, iterations: int) -> dict[str, float]:
    """Report how far the same number of iterations gets at a weaker ridge."""
    smallest, largest = loss.eigenvalue_range()
    reached = least_squares.gradient_descent(loss, 2 / (smallest + largest), iterations)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", scipy.linalg.LinAlgWarning)
            gap = least_squares.relative_distance(reached, loss.minimizer())
    except (scipy.linalg.LinAlgError, scipy.linalg.LinAlgWarning) as error:
        raise UserError(
            f"params.yaml: regression.weaker: {strength:g} is too weak to solve with in float64; raise it"
        ) from error
    return {"ridge": strength, "condition_number": largest / smallest, "gap": gap}


def _polynomial(settings: PolynomialParams) -> dict[str, Any]:
    """Fit a polynomial to the parabola's points by the same two ways, on standardised powers."""
    x, y = toy.quadratic(settings.points)
    raw = features.polynomial(x, settings.degree)
    columns, targets = features.Columns.of(raw), features.Columns.of(y[:, None])
    standardized = columns.standardize(raw)
    centre = np.zeros(settings.degree)  # they are centred already
    data = least_squares.moments(standardized, targets.standardize(y[:, None]), centre)
    loss = least_squares.quadratic(data, NONE)
    solution = loss.minimizer()
    smallest, largest = loss.eigenvalue_range()
    iterations = min(
        least_squares.iterations_needed(smallest, largest, POLYNOMIAL_TOLERANCE), MOST_ITERATIONS
    )
    reached = least_squares.gradient_descent(loss, 2 / (smallest + largest), iterations)

    def coefficients(theta: Array) -> list[float]:
        fitted = least_squares.to_params(theta, centre)
        return [float(c) for c in features.raw_coefficients(fitted["W"], fitted["b"], columns, targets)]

    return {
        "condition_number": largest / smallest,
        "iterations": iterations,
        "gap": least_squares.relative_distance(reached, solution),
        "coefficients": {"closed_form": coefficients(solution), "gradient_descent": coefficients(reached)},
    }


def _write_run(way: str, settings: RegressionParams, fitted: Params, history: list[dict[str, float]]) -> Path:
    name = f"linear_regression-{way}"
    directory = records.RUNS / name
    run_directory.write(
        directory,
        record=records.record(
            name,
            "mnist",
            records.parameters(regression=settings.model_dump()),
            "train",
            model="linear_regression",
            gradient=way,
            probabilities="clipped",
            penalty=settings.penalty.model_dump(),
        ),
        weights=fitted,
        metrics=_fit_of(fitted),
        history=history,
        normalization=records.NORMALIZATION,
    )
    return directory


def _fit_of(fitted: Params) -> dict[str, float]:
    """Return the accuracy of the fit on the validation split."""
    images, labels = splits.read(records.NORMALIZED / "validation")
    scores = linear_regression.scores(fitted, images)
    return {"validation/accuracy": float((scores.argmax(1) == labels).mean())}
