"""Exercise 4: why does the cost not move? Digits by a network of sigmoid units and conjugate gradient.

Source: Machine Learning (Coursera), programming exercise 4; its digits are ours by way of MNIST.
The derivation is in docs/exercises/digits_cg.md.
"""

import json
import timeit
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets import splits
from pipeline.exercises.checks import gradient_claims
from pipeline.exercises.digits_cg_checks import (
    ROUNDING,
    claims_of_directions,
    claims_one_by_one,
    directional_check,
    network_as_asked,
)
from pipeline.exercises.digits_cg_counterparts import mlp_classifier_step, relative_check_grad
from pipeline.exercises.digits_cg_training import (
    COSTS,
    SPREADS,
    Training,
    cost_of_theta,
    draw,
    penalty_at,
    train,
    unpack,
)
from pipeline.exercises.outcome import Claim, Outcome, at_most, is_true
from pipeline.learning.arrays import Array
from pipeline.learning.gradient_check import Problem
from pipeline.learning.models import sigmoid_network
from pipeline.learning.penalty import Penalty
from pipeline.params.exercise.digits_cg import DigitsCgParams

TITLE = "Digits with conjugate gradient"
QUESTION = (
    "A network for handwritten digits is trained by SciPy's conjugate gradient. Its gradient is right, yet "
    "the printed cost hardly moves and the optimiser gives up at once. Why?"
)
ANSWER = (
    "The cost feeds forward with the weights that the network keeps instead of those that the optimiser "
    "passes in, so that only the penalty answers to a step, and no step brings the fall that the gradient "
    "promises. "
    "Besides, the weights were drawn from 0 to ε where -ε to ε was meant, which costs some accuracy even "
    "after the cost is put right."
)
ASKED = "the cost ignores θ but for its penalty, and the weights start between 0 and ε"
ANSWERED = "the cost is that of θ, and the weights start between -ε and ε"
RECIPE = DigitsCgParams(seed=0, hidden=25, penalty=1.0, epsilon=0.12, iterations=50)
DIGITS = Path("data/normalized/digits")
PUBLISHED_DIGITS = 5000
# The iterations after which the accuracy is looked at before the end.
EARLIER = 20
# Iterations after which the cost is half of what it was at the start.
ENOUGH = 5
# Digits enough to hold one implementation against another, and to check a gradient.
FEW, FEWER = 200, 20


def run(variant: str, settings: DigitsCgParams) -> Outcome:
    """Train as asked or as answered, and with each of the two faults put right alone."""
    X, y = _digits()
    problem = Problem(sigmoid_network, X, y, Penalty("per_sample", settings.penalty))
    starts = {name: draw(settings, X.shape[1], spread) for name, spread in SPREADS.items()}

    def trained(cost: str, spread: str) -> Training:
        return train(COSTS[cost](problem, starts[spread]), starts[spread], settings.iterations)

    own = trained(variant, variant)
    cost_fixed, draw_fixed = trained("answered", "asked"), trained("asked", "answered")
    start = starts[variant]
    params, evaluate = unpack(start, X.shape[1]), COSTS[variant](problem, start)
    l_bfgs_b = train(cost_of_theta(problem, start), start, min(EARLIER, settings.iterations), "L-BFGS-B")
    results: dict[str, Any] = {
        **own.summary(problem, EARLIER),
        "directional_check": directional_check(evaluate, problem, start, settings.seed),
        "cost_fixed_alone": {**cost_fixed.summary(problem, EARLIER), "trace": cost_fixed.trace},
        "draw_fixed_alone": {**draw_fixed.summary(problem, EARLIER), "trace": draw_fixed.trace},
        "scipy": {
            "check_grad": relative_check_grad(evaluate, start, settings.seed),
            "l_bfgs_b": l_bfgs_b.summary(problem, EARLIER),
        },
        "ink_lost": _ink_lost(),
        "scikit_learn": {"mlp_step_difference": mlp_classifier_step(_first(FEW, problem), params)},
    }
    penalties = {name: penalty_at(problem, theta) for name, theta in starts.items()}
    claims = [
        *(_published(variant, results) if settings == RECIPE and len(y) == PUBLISHED_DIGITS else []),
        *claims_of_directions(variant, results["directional_check"], results["start_cost"]),
        _stalls("as asked", results, penalties["asked"])
        if variant == "asked"
        else _trains("as answered", results, settings.iterations),
        _stalls("the draw fixed alone", results["draw_fixed_alone"], penalties["answered"]),
        _trains("the cost fixed alone", results["cost_fixed_alone"], settings.iterations),
        _trains("L-BFGS-B", results["scipy"]["l_bfgs_b"], settings.iterations),
        *claims_one_by_one(variant, _first(FEW, problem), start, settings.seed),
        at_most(
            "MLPClassifier's loss after a full-batch step from the same weights, relative difference",
            results["scikit_learn"]["mlp_step_difference"],
            1e-6,
        ),
        # Where no unit is saturated, or differences could not resolve so small a gradient.
        *gradient_claims(_first(FEWER, problem), unpack(starts["answered"], X.shape[1]), settings.seed),
    ]
    learned = {name: value.copy() for name, value in unpack(own.end, X.shape[1]).items()}
    printed = _print(own, results)
    return Outcome("sigmoid_network", "manual", X, y, own.trace, results, claims, learned, printed)


def timings(settings: DigitsCgParams) -> dict[str, float]:
    """Measure one evaluation of cost and gradient on all digits, one at a time and vectorised."""
    X, y = _digits()
    problem = Problem(sigmoid_network, X, y, Penalty("per_sample", settings.penalty))
    theta = draw(settings, X.shape[1], SPREADS["answered"])
    network, evaluate = network_as_asked(theta, problem), cost_of_theta(problem, theta)
    evaluate(theta)  # makes the arrays that it will write to
    loops, products = [], []
    for _ in range(2):
        loops += timeit.repeat(
            lambda: (network.cost(theta, X, y), network.gradient(theta, X, y)), repeat=1, number=1
        )
        products += timeit.repeat(lambda: evaluate(theta), repeat=7, number=1)
    one_by_one, vectorised = float(np.median(loops)), float(np.median(products))
    return {
        "one_by_one_seconds": one_by_one,
        "vectorised_seconds": vectorised,
        "speedup": one_by_one / vectorised,
    }


def _digits() -> tuple[Array, Array]:
    """Return the pixels (N, 400) in float64, 0 to 1, and the labels (N,)."""
    images, labels = splits.read(DIGITS)
    return images.astype(np.float64), labels.astype(np.int64)


def _ink_lost() -> float | None:
    """Return the share of the ink that the crop to 20×20 lost, as the stage normalize measured it."""
    measured = DIGITS / "crop.json"
    return float(json.loads(measured.read_text())["ink_lost"]) if measured.exists() else None


def _first(count: int, problem: Problem) -> Problem:
    return Problem(problem.model, problem.X[:count], problem.y[:count], problem.penalty)


def _stalls(name: str, found: dict[str, Any], penalty: float) -> Claim:
    """Claim that a cost that ignores θ falls by its penalty at the start at most: nothing else moves."""
    fall = found["start_cost"] - found["lowest_cost"]
    return at_most(f"{name}: the cost falls by", fall, penalty + ROUNDING * found["start_cost"])


def _trains(name: str, found: dict[str, Any], iterations: int) -> Claim:
    """Claim that the cost is halved, if the iterations asked for are enough to; it must not rise anyhow."""
    return at_most(
        f"{name}: cost at the end over that at the start",
        found["final_cost"] / found["start_cost"],
        0.5 if iterations >= ENOUGH else 1.0,
    )


def _published(variant: str, results: dict[str, Any]) -> list[Claim]:
    """Hold the run to the published accuracy and to what was measured on MNIST's digits."""
    cost_fixed, draw_fixed = results["cost_fixed_alone"], results["draw_fixed_alone"]
    from_0, both_signs = cost_fixed["start_cost"], draw_fixed["start_cost"]
    claims = [
        Claim("weights from 0 to ε: cost at the start, measured as 15.6", from_0, 15.55, 15.65),
        Claim("weights from -ε to ε: cost at the start, measured as 6.9", both_signs, 6.85, 6.95),
        _accuracy("the cost fixed alone", "measured as 93%", cost_fixed, 0.92, 0.94),
        *_gives_up("the draw fixed alone", draw_fixed),
    ]
    if variant == "asked":
        return [*claims, *_gives_up("as asked", results)]
    return [*claims, _accuracy("as answered", "published as 95.3% ± 1, measured as 97%", results, 0.94, 0.98)]


def _accuracy(name: str, said: str, found: dict[str, Any], low: float, high: float) -> Claim:
    return Claim(f"{name}: training accuracy, {said}", found["training_accuracy"], low, high)


def _gives_up(name: str, found: dict[str, Any]) -> list[Claim]:
    share = 1 - found["lowest_cost"] / found["start_cost"]
    return [
        at_most(f"{name}: share of the cost that the optimiser takes off", share, 1e-3),
        is_true(
            f"{name}: the optimiser gives up for loss of precision", "precision loss" in found["message"]
        ),
    ]


def _print(own: Training, results: dict[str, Any]) -> list[str]:
    """Return the first costs and every tenth, and what a step changes beside what the gradient predicts."""
    return [
        *(
            f"evaluation {row['iteration']}: cost {row['loss']:.5f}"
            for row in own.trace
            if row["iteration"] < 4 or row["iteration"] % 10 == 0
        ),
        f"after {results['iterations']} iterations: {results['message']}",
        f"training accuracy: {results['training_accuracy']:.2%}",
        *(
            f"a step that should change the cost by {row['predicted']:+.3e} changes it by {row['found']:+.3e}"
            for row in results["directional_check"]
        ),
    ]
