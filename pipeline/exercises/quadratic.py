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
from pipeline.exercises.checks import gradient_claims, relative_difference
from pipeline.exercises.outcome import Claim, Outcome, Trace, at_least, at_most, is_true, published
from pipeline.exercises.quadratic_problem import (
    CONVERGED,
    EPS,
    STRETCH,
    Problem,
    Spectrum,
    both_sides,
    raw,
    standardised,
    study,
    train,
)
from pipeline.learning import gradient_check
from pipeline.learning.arrays import Array
from pipeline.learning.gradients import autograd
from pipeline.learning.models import linear_regression
from pipeline.learning.penalty import NONE
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
    "How many iterations it takes follows from the eigenvalues too, and 30 are far too few for 5 points as "
    "for 10; in raw units the same share of the loss is a larger error where y reaches 100."
)
ASKED = "features 1, x and x² as they are"
ANSWERED = "features and target standardised, a bias of its own"
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


def run(variant: str, settings: QuadraticParams) -> Outcome:
    """Train the variant, predict from its Hessian what happens, and show both sides of the limit."""
    make, rate = {
        "asked": (raw, settings.asked_learning_rate),
        "answered": (standardised, settings.answered_learning_rate),
    }[variant]
    other, more = f"rate_{settings.other_learning_rate:g}", f"points_{settings.more_points}"
    problem, single = make(settings.points), make(settings.points, np.float32)
    x, y = toy.quadratic(settings.points)
    found, last = study(make, settings.points, rate, settings.iterations, settings.tolerance)
    trace = found.pop("trace")
    _, other_trace = train(
        autograd, single, single.start(), settings.other_learning_rate, settings.iterations
    )
    results: dict[str, Any] = {
        **found,
        other: {"trace": other_trace},
        more: study(make, settings.more_points, rate, settings.iterations, settings.tolerance)[0],
        "lstsq": np.linalg.lstsq(np.vander(x, 3), y, rcond=None)[0].tolist(),
        "sklearn": _scikit_learn(x, y),
        **both_sides(settings.points, generator(settings.seed, "perturbation")),
    }
    claims = [
        *(_published(variant, trace, results) if settings == RECIPE else []),
        *_claims_of_gradient(problem, settings.seed),
        *_claims_at_rate(problem, rate),
        *_claims_of_both_sides(results),
        *_claims_of_iterations("", results),
        *_claims_of_iterations(f"{settings.more_points} points: ", results[more]),
        *_claims_of_coefficients(results, y),
    ]
    printed = _print(trace, results["coefficients_after_iterations"])
    return Outcome(
        "linear_regression", "autograd", x, y, trace, results, claims, single.params(last), printed
    )


def timings(settings: QuadraticParams) -> dict[str, float]:
    """This exercise says nothing of speed."""
    return {}


def _scikit_learn(x: Array, y: Array) -> list[float]:
    fitted = make_pipeline(PolynomialFeatures(2, include_bias=False), LinearRegression()).fit(x[:, None], y)
    slopes = fitted[-1].coef_
    return [float(slopes[1]), float(slopes[0]), float(fitted[-1].intercept_)]


def _claims_of_gradient(problem: Problem, seed: int) -> list[Claim]:
    params = problem.params(problem.start())
    grads = autograd.loss_and_grads(linear_regression, params, problem.X, problem.y)[1]
    of_hessian = problem.quadratic().gradient(problem.start())
    checked = gradient_check.Problem(linear_regression, problem.X, problem.y, NONE)
    return [
        at_most(
            "the Hessian's gradient at the start against autograd's, relative",
            relative_difference(of_hessian, problem.theta(grads)),
            1e-12,
        ),
        *gradient_claims(checked, params, seed, autograd.loss_and_grads),
    ]


def _claims_at_rate(problem: Problem, rate: float) -> list[Claim]:
    """Claim which side of the limit a rate lies on, from one iteration of an error along the top."""
    spectrum = Spectrum.of(problem)
    after, _ = train(autograd, problem, spectrum.solution + spectrum.vectors[:, -1:], rate, 1)
    factor, predicted = spectrum.along_top(after), 1 - rate * spectrum.extremes[1]
    claims = [
        at_most(
            f"at rate {rate:g}, the factor of an error along the top eigenvector, against 1 - ηλmax",
            abs(factor - predicted) / max(1.0, abs(predicted)),
            1e-9,
        )
    ]
    if abs(abs(predicted) - 1) > 1e-9:  # closer to the limit, or to a rate of 0, rounding decides
        claims.append(
            is_true(
                f"at rate {rate:g} such an error grows if and only if the rate exceeds 2/λmax",
                (abs(factor) > 1) == (rate > spectrum.max_learning_rate),
            )
        )
    return claims


def _claims_of_both_sides(results: dict[str, Any]) -> list[Claim]:
    below, above, alone = (
        results[name] for name in ("below_limit", "above_limit", "standardised_above_limit")
    )
    claims = [
        at_most("raw, 1% below the limit: highest loss over the first", _number(below["highest_loss"]), 1.0),
        at_most("raw, 1% below the limit: last loss over the first", _number(below["last_loss"]), 0.5),
        at_least("raw, 1% above the limit: last loss over the first", _number(above["last_loss"]), 1e3),
    ]
    for says, run in (
        ("raw, 1% below the limit", below),
        ("raw, 1% above the limit", above),
        ("standardised and perturbed, 1% above the limit", results["standardised_perturbed"]),
    ):
        claims += [
            at_most(
                f"{says}: growth of the error along the top eigenvector an iteration, from |1 - ηλmax|",
                abs(_number(run["growth"]) - run["growth_predicted"]),
                1e-9,
            ),
            at_most(
                f"{says}: every loss against the one that the eigenvalues predict, relative",
                _number(run["worst_difference"]),
                STRETCH * run["condition_number"] * EPS,  # every iteration rounds, and κ amplifies it
            ),
        ]
    says = "standardised, 1% above the limit"
    return [
        *claims,
        at_most(
            "standardised: share of the start's error that lies along the top eigenvector",
            alone["error_along_top"],
            10 * EPS,
        ),
        at_most(f"{says}: lowest loss over the first", _number(alone["lowest_loss"]), 1e-3),
        at_least(
            f"{says}: last loss over the first, rounding having grown", _number(alone["last_loss"]), 10.0
        ),
        at_most(
            f"{says}: growth of that rounding an iteration, from |1 - ηλmax|",
            abs(_number(alone["last_growth"]) - alone["growth_predicted"]),
            1e-9,
        ),
    ]


def _claims_of_iterations(which: str, found: dict[str, Any]) -> list[Claim]:
    """Hold what running says against the predictions, where it was run."""
    claims = []
    for says, suffix in (("the best rate", ""), (f"rate {found['learning_rate']:g}", "_at_rate")):
        taken, predicted = found[f"iterations_taken{suffix}"], found[f"iterations_predicted{suffix}"]
        if taken is not None:
            claims.append(
                at_most(
                    f"{which}iterations taken at {says}, less those that the eigenvalues predict",
                    abs(taken - predicted),
                    1.0,  # rounding, where the loss passes the tolerance all but exactly
                )
            )
    if found["iterations_taken"] is not None:
        claims.append(
            at_most(
                f"{which}iterations taken at the best rate, over what the condition number allows",
                found["iterations_taken"] / found["iterations_needed"],
                1.0,
            )
        )
    predicted, after = found["loss_left_predicted"], found["loss_left_after"]
    if predicted is not None:
        claims.append(
            at_most(
                f"{which}share of the loss left after {after} iterations in float32, from the prediction",
                abs(_number(found["loss_left"]) - predicted) / max(1.0, predicted),
                10 * (1 + after) * float(np.finfo(np.float32).eps),  # every iteration rounds a few times
            )
        )
    return claims


def _number(value: float | None) -> float:
    return np.nan if value is None else value


def _claims_of_coefficients(results: dict[str, Any], y: Array) -> list[Claim]:
    def apart(name: str, *other: float) -> float:
        return float(np.max(np.abs(np.subtract(results[name] or np.nan, other))))

    rounding = results["coefficients_after"] * EPS
    return [
        at_most("numpy.linalg.lstsq: a, b, c from 1, 0, 0", apart("lstsq", 1, 0, 0), 1e-9),
        at_most(
            "PolynomialFeatures and LinearRegression: a, b, c from 1, 0, 0", apart("sklearn", 1, 0, 0), 1e-9
        ),
        at_most(
            "descent to the end: a, b, c from those of lstsq, over the largest y",
            apart("coefficients", *results["lstsq"]) / float(y[-1]),
            CONVERGED + rounding,
        ),
    ]


def _published(variant: str, trace: Trace, results: dict[str, Any]) -> list[Claim]:
    losses = {row["iteration"]: row["loss"] for row in trace}  # a fault may overflow before the last
    if variant == "asked":
        return [
            # Half a unit of the last digit that float32 has.
            published("loss at iteration 0", losses[0], 25.450000762939453, 1e-6),
            *_published_weights("", trace, (0.57, 0.81, 1.898), 1e-6),
            published("loss at iteration 10", losses.get(10, np.nan), 2.1e11, 0.05e11),
            published("loss at iteration 20", losses.get(20, np.nan), 1.78e21, 0.005e21),
            published("largest stable learning rate", results["max_learning_rate"], 0.004835, 0.5e-6),
            published("largest eigenvalue", results["largest_eigenvalue"], 413.6, 0.05),
            published("condition number", results["condition_number"], 7378, 0.5),
            published(
                "10 points: largest stable learning rate",
                results["points_10"]["max_learning_rate"],
                0.000389,
                0.5e-6,
            ),
        ]
    return [
        # The order of the sum over the samples moves it by a unit of float32's last digit.
        published("loss at iteration 0", losses[0], 0.25755801796913147, 3.1e-8),
        *_published_weights("", trace, (0.49954653, 0.5004535), 5e-8),
        *_published_weights("rate 0.02: ", results["rate_0.02"]["trace"], (0.4996977, 0.5003023), 5e-8),
        published("largest stable learning rate", results["max_learning_rate"], 0.631, 0.5e-3),
        published("condition number", results["condition_number"], 105, 0.5),
    ]


def _published_weights(which: str, trace: Trace, numbers: tuple[float, ...], tolerance: float) -> list[Claim]:
    return [
        published(f"{which}weight {index} after iteration 0", weight, number, tolerance)
        for index, (weight, number) in enumerate(zip(trace[0]["weights"], numbers, strict=True))
    ]


def _print(trace: Trace, coefficients: list[float] | None) -> list[str]:
    """Return a line every tenth iteration and at the last, and the parabola in raw units."""
    lines = [
        f"{row['iteration']} loss {row['loss']:.9g} weights {' '.join(f'{w:.8g}' for w in row['weights'])}"
        + (f" bias {row['bias']:.8g}" if "bias" in row else "")
        for row in trace
        if row["iteration"] % 10 == 0 or row is trace[-1]
    ]
    return lines + (["y = {:.4g} x² {:+.4g} x {:+.4g}".format(*coefficients)] if coefficients else [])
