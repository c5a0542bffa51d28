"""Exercise 1: why does a quadratic regression diverge? y = x² by gradient descent, raw and standardised.

Source: a question on fitting a parabola with PyTorch, and its published answer.
The derivation is in docs/exercises/quadratic.md.
"""

from typing import Any

import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures

from pipeline.datasets import toy
from pipeline.exercises import quadratic_problem as problems
from pipeline.exercises.checks import relative_difference
from pipeline.exercises.outcome import Claim, Outcome, Trace, at_least, at_most, is_true, published
from pipeline.exercises.quadratic_problem import Problem
from pipeline.learning import least_squares
from pipeline.learning.arrays import Array
from pipeline.learning.gradients import autograd
from pipeline.learning.models import linear_regression
from pipeline.learning.randomness import generator
from pipeline.params.exercise.quadratic import QuadraticParams

TITLE = "Quadratic regression"
QUESTION = (
    "A parabola is fitted by gradient descent to x = 1…5, y = x², and the loss grows to infinity. What is "
    "wrong, and why is the fit of x = 1…10 still poor after the same iterations once it is put right?"
)
ANSWER = (
    "Gradient descent on a quadratic diverges exactly when the learning rate exceeds 2/λmax of the Hessian: "
    "0.0048 on the raw features, so 0.01 could never work; standardised features allow 0.63. "
    "How many iterations it takes follows from the condition number, and no 30 are enough for either."
)
ASKED = "features 1, x and x² as they are: it diverges"
ANSWERED = "features and target standardised, a bias of its own: it converges"
RECIPE = QuadraticParams(
    seed=0,
    points=5,
    more_points=10,
    iterations=30,
    asked_learning_rate=0.01,
    answered_learning_rate=0.03,
    other_learning_rate=0.02,
    tolerance=1e-3,
)
FLOAT32_ROUNDING = 3e-8  # of a loss near 0.25: another order of summation


def run(variant: str, settings: QuadraticParams) -> Outcome:
    """Train the variant, predict from its Hessian what happens, and show both sides of the limit."""
    make, rate = {
        "asked": (problems.raw, settings.asked_learning_rate),
        "answered": (problems.standardised, settings.answered_learning_rate),
    }[variant]
    problem, more = make(settings.points), make(settings.more_points)
    x, y = toy.quadratic(settings.points)
    trace = problems.train(problem, rate, settings.iterations)
    solved = problems.converge(problem.quadratic(), problem.theta(problem.start()))
    results: dict[str, Any] = {
        **_analysis(problem, rate, settings),
        f"rate_{settings.other_learning_rate:g}": {
            "trace": problems.train(problem, settings.other_learning_rate, settings.iterations)
        },
        f"points_{settings.more_points}": {
            **_analysis(more, rate, settings),
            "trace": problems.train(more, rate, settings.iterations),
        },
        "coefficients": problem.coefficients(solved).tolist(),
        "coefficients_after_iterations": problem.coefficients(_reached(problem, trace)).tolist(),
        "lstsq": np.linalg.lstsq(np.vander(x, 3), y, rcond=None)[0].tolist(),
        "sklearn": _scikit_learn(x, y),
        **problems.both_sides(settings.points, generator(settings.seed, "perturbation")),
    }
    claims = [
        *(_published(variant, trace, results) if settings == RECIPE else []),
        at_most("the Hessian's gradient against autograd's, relative", _against_autograd(problem), 1e-12),
        *_claims_of_limit(variant, trace, rate, results),
        *_claims_of_iterations("", results),
        *_claims_of_iterations(f"{settings.more_points} points: ", results[f"points_{settings.more_points}"]),
        *_claims_of_coefficients(results),
    ]
    weights = {"W": np.array(trace[-1]["weights"], np.float32)[:, None]}
    if problem.bias:
        weights["b"] = np.array([trace[-1]["bias"]], np.float32)
    return Outcome("linear_regression", "autograd", x, y, trace, results, claims, weights, _print(trace))


def timings(settings: QuadraticParams) -> dict[str, float]:
    """This exercise says nothing of speed."""
    return {}


def _analysis(problem: Problem, rate: float, settings: QuadraticParams) -> dict[str, Any]:
    """Return what the Hessian says before anything is trained, and what running it says.

    `iterations_needed`, at the best rate, is the bound that the condition number gives, and
    `iterations_predicted` what all eigenvalues give; `iterations_at_rate` is the latter at the rate used.
    """
    loss, theta = problem.quadratic(), problem.theta(problem.start())
    smallest, largest = loss.eigenvalue_range()
    best, limit, tolerance = 2 / (smallest + largest), 2 / largest, settings.tolerance
    # The excess loss shrinks by the square of the factor of the error.
    needed = least_squares.iterations_needed(smallest, largest, float(np.sqrt(tolerance)))
    runs = needed <= problems.MOST_ITERATIONS
    return {
        "learning_rate": rate,
        "largest_eigenvalue": largest,
        "max_learning_rate": limit,
        "condition_number": largest / smallest,
        "best_learning_rate": best,
        "iterations_needed": needed,
        "iterations_predicted": problems.iterations_by_spectrum(loss, theta, best, tolerance),
        "iterations_taken": problems.iterations_by_running(loss, theta, best, tolerance, needed)
        if runs
        else None,
        "iterations_at_rate": problems.iterations_by_spectrum(loss, theta, rate, tolerance)
        if rate < limit
        else None,
    }


def _against_autograd(problem: Problem) -> float:
    start = problem.start()
    grads = autograd.loss_and_grads(linear_regression, start, problem.X, problem.y)[1]
    return relative_difference(problem.quadratic().gradient(problem.theta(start)), problem.theta(grads))


def _reached(problem: Problem, trace: Trace) -> Array:
    last = trace[-1]
    return np.array([*last["weights"], *([last["bias"]] if problem.bias else [])])[:, None]


def _scikit_learn(x: Array, y: Array) -> list[float]:
    fitted = make_pipeline(PolynomialFeatures(2, include_bias=False), LinearRegression()).fit(x[:, None], y)
    slopes = fitted[-1].coef_
    return [float(slopes[1]), float(slopes[0]), float(fitted[-1].intercept_)]


def _claims_of_limit(variant: str, trace: Trace, rate: float, results: dict[str, Any]) -> list[Claim]:
    below, above = results["below_limit"], results["above_limit"]
    standard, beside = results["standardised_above_limit"], results["standardised_perturbed"]
    claims = [
        at_most(
            "raw, 1% below the limit: the highest loss over the first",
            _ratio(max(row["loss"] for row in below["trace"]), below["trace"][0]["loss"]),
            1.0,
        ),
        at_least(
            "raw, 1% above the limit: the last loss over the first",
            _ratio(above["trace"][-1]["loss"], above["trace"][0]["loss"]),
            10.0,
        ),
        *(
            at_most(
                f"{name}: growth along the top eigenvector against |1 - ηλmax|",
                abs(found["growth"] - abs(1 - 2 * found["share_of_limit"])),
                1e-6,
            )
            for name, found in (
                ("raw, 1% below", below),
                ("raw, 1% above", above),
                ("standardised and perturbed, 1% above", beside),
            )
        ),
        at_most(
            "standardised: the start's error along the top eigenvector, relative",
            standard["relative_error_along_top"],
            1e-12,
        ),
        at_most(
            "standardised, 1% above the limit: the lowest loss over the first, before rounding has grown",
            _ratio(standard["lowest_loss"], standard["trace"][0]["loss"]),
            1e-3,
        ),
        at_least(
            "standardised, 1% above the limit: the last loss over the first, when rounding has grown",
            _ratio(standard["trace"][-1]["loss"], standard["trace"][0]["loss"]),
            10.0,
        ),
    ]
    if variant == "asked":
        grows = trace[-1]["loss"] > trace[0]["loss"]
        claims.append(
            is_true(
                f"at rate {rate:g} the loss {'grows' if grows else 'falls'}, as the limit says",
                grows == (rate > results["max_learning_rate"]),
            )
        )
    return claims


def _ratio(loss: float, first: float) -> float:
    return loss / first if first else float("nan")


def _claims_of_iterations(which: str, found: dict[str, Any]) -> list[Claim]:
    """Hold what running says against both predictions, where it isn't too long to run."""
    if found["iterations_taken"] is None and found["iterations_needed"] > problems.MOST_ITERATIONS:
        return []
    taken = found["iterations_taken"] or np.inf
    return [
        at_most(
            f"{which}iterations taken over those that the condition number asks for",
            taken / found["iterations_needed"],
            1.0,
        ),
        # One of rounding, where the loss passes the tolerance all but exactly.
        at_most(
            f"{which}iterations taken against those that all eigenvalues predict",
            abs(taken - found["iterations_predicted"]),
            1.0,
        ),
    ]


def _claims_of_coefficients(results: dict[str, Any]) -> list[Claim]:
    def from_the_parabola(name: str) -> float:
        return float(np.max(np.abs(np.subtract(results[name], [1, 0, 0]))))

    return [
        at_most("numpy.linalg.lstsq: a, b, c from 1, 0, 0", from_the_parabola("lstsq"), 1e-9),
        at_most(
            "PolynomialFeatures and LinearRegression: a, b, c from 1, 0, 0",
            from_the_parabola("sklearn"),
            1e-9,
        ),
        at_most(
            "gradient descent to the end: a, b, c from those of lstsq",
            float(np.max(np.abs(np.subtract(results["coefficients"], results["lstsq"])))),
            1e-6,
        ),
    ]


def _published(variant: str, trace: Trace, results: dict[str, Any]) -> list[Claim]:
    more = results["points_10"]
    if variant == "asked":
        return [
            published("loss at iteration 0", trace[0]["loss"], 25.450000762939453, 2e-6),
            *(
                published(f"weight {index} after iteration 0", trace[0]["weights"][index], number, 1e-6)
                for index, number in enumerate((0.57, 0.81, 1.898))
            ),
            published("loss at iteration 10", trace[10]["loss"], 2.1e11, 0.05e11),
            published("loss at iteration 20", trace[20]["loss"], 1.78e21, 0.005e21),
            published("largest stable learning rate", results["max_learning_rate"], 0.004835, 5e-7),
            published("largest eigenvalue", results["largest_eigenvalue"], 413.6, 0.05),
            published("condition number", results["condition_number"], 7378, 0.5),
            published("10 points: largest stable learning rate", more["max_learning_rate"], 0.000389, 5e-7),
        ]
    other = results["rate_0.02"]["trace"]
    return [
        published("loss at iteration 0", trace[0]["loss"], 0.25755801796913147, FLOAT32_ROUNDING),
        *(
            published(f"weight {index} after iteration 0", trace[0]["weights"][index], number, 5e-8)
            for index, number in enumerate((0.49954653, 0.5004535))
        ),
        *(
            published(
                f"rate 0.02: weight {index} after iteration 0", other[0]["weights"][index], number, 5e-8
            )
            for index, number in enumerate((0.4996977, 0.5003023))
        ),
        published("largest stable learning rate", results["max_learning_rate"], 0.631, 0.0005),
        published("condition number", results["condition_number"], 105, 0.5),
        at_least("10 points: iterations at this rate, far beyond 30", more["iterations_at_rate"], 31),
    ]


def _print(trace: Trace) -> list[str]:
    """Return a line every tenth iteration and at the last, as the author printed all of them."""
    return [
        f"{row['iteration']} loss {row['loss']:.9g} weights {' '.join(f'{w:.8g}' for w in row['weights'])}"
        + (f" bias {row['bias']:.8g}" if "bias" in row else "")
        for row in trace
        if row["iteration"] % 10 == 0 or row is trace[-1]
    ]
