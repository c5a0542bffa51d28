"""Exercise 4's checks: a cost against its own gradient, and the vectorised against one sample at a time."""

import numpy as np

from pipeline.exercises.checks import relative_difference
from pipeline.exercises.digits_cg_asked import NetworkAsAsked
from pipeline.exercises.digits_cg_training import COSTS, Evaluate, hidden_units, penalty_at
from pipeline.exercises.outcome import Claim, Row, at_least, at_most
from pipeline.learning.arrays import Array
from pipeline.learning.gradient_check import BOUNDS, Problem
from pipeline.learning.randomness import generator

# Of the directional check: the length of a step, and how many are tried.
STEP, DIRECTIONS = 1e-4, 5
# Of a difference of two costs, relative to the cost: each is rounded as a sum of two parts.
ROUNDING = 4 * float(np.finfo(np.float64).eps)


def directional_check(evaluate: Evaluate, problem: Problem, theta: Array, seed: int) -> list[Row]:
    """Take a short step δ in each of a few random directions: what g·δ predicts, and what is found."""
    rng = generator(seed, "steps")
    cost, grad = evaluate(theta)
    rows = []
    for _ in range(DIRECTIONS):
        step = rng.standard_normal(len(theta))
        step *= STEP / np.linalg.norm(step)
        there, back = evaluate(theta + step)[0], evaluate(theta - step)[0]
        rows.append(
            {
                "predicted": float(np.dot(grad, step)),
                "found": there - cost,
                "central": (there - back) / 2,
                "penalty": penalty_at(problem, theta + step) - penalty_at(problem, theta),
            }
        )
    return rows


def claims_of_directions(variant: str, rows: list[Row], cost: float) -> list[Claim]:
    """Claim that steps change the cost as its gradient says; as asked, that only the penalty changes."""
    predicted, found, central, penalty = (
        [row[key] for row in rows] for key in ("predicted", "found", "central", "penalty")
    )
    if variant == "answered":
        error = relative_difference(central, predicted)
        return [at_most("change of the cost by ±δ against g·δ, relative", error, BOUNDS["directions"])]
    apart = np.max(np.abs(np.subtract(found, penalty)))
    return [
        at_most(
            "change of the cost by δ less the penalty's, relative to the cost",
            apart / cost,
            ROUNDING,
        ),
        at_least(
            "change of the cost by δ misses g·δ by, relative",
            relative_difference(found, predicted),
            0.5,
        ),
    ]


def claims_one_by_one(variant: str, problem: Problem, start: Array, seed: int) -> list[Claim]:
    """Claim that what is trained by is the same as one sample at a time, at three θ."""
    rng = generator(seed, "other weights")
    costs, grads = [], []
    for distance in (0.0, 0.1, 0.1):
        theta = start + distance * rng.standard_normal(len(start))
        stored = start if variant == "asked" else theta  # put right, the cost is that of θ
        network, evaluate = network_as_asked(stored, problem), COSTS[variant](problem, stored)
        cost, grad = evaluate(theta)
        costs.append(relative_difference(cost, network.cost(theta, problem.X, problem.y)))
        grads.append(relative_difference(grad, network.gradient(theta, problem.X, problem.y)))
    return [
        at_most("cost, vectorised against one sample at a time, relative", np.max(costs), 1e-12),
        at_most("gradient, vectorised against one sample at a time, relative", np.max(grads), 1e-12),
    ]


def network_as_asked(theta: Array, problem: Problem) -> NetworkAsAsked:
    """Return the network that keeps the weights in θ."""
    inputs = problem.X.shape[1]
    return NetworkAsAsked(theta, inputs, hidden_units(theta, inputs), problem.penalty.strength)
