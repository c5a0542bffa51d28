"""Exercise 4's weights, its two costs of a flat θ, and their training by SciPy's optimisers."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from scipy.optimize import OptimizeResult, minimize

from pipeline.exercises.checks import accuracy
from pipeline.exercises.digits_cg_asked import matrices
from pipeline.exercises.outcome import Trace
from pipeline.learning.arrays import Array, Params, Workspace
from pipeline.learning.gradient_check import Problem
from pipeline.learning.gradients import manual, numeric
from pipeline.params.exercise.digits_cg import DigitsCgParams

CLASSES = 10

# A flat θ to the cost and its gradient.
Evaluate: TypeAlias = Callable[[Array], tuple[float, Array]]


def spread_as_asked(uniform: Array, epsilon: float) -> Array:
    """Return weights between 0 and ε: the parentheses are wrong."""
    return uniform * (2 * epsilon - epsilon)


def spread_as_answered(uniform: Array, epsilon: float) -> Array:
    """Return weights between -ε and ε."""
    return uniform * 2 * epsilon - epsilon


def draw(settings: DigitsCgParams, inputs: int, spread: Callable[[Array, float], Array]) -> Array:
    """Draw θ1 (H, D+1), then θ2 (C, H+1), and return them flat."""
    rng = np.random.RandomState(settings.seed)
    shapes = ((settings.hidden, inputs + 1), (CLASSES, settings.hidden + 1))
    return np.concatenate([spread(rng.rand(*shape), settings.epsilon).ravel() for shape in shapes])


def hidden_units(theta: Array, inputs: int) -> int:
    """Return the H of a flat θ, whose length is H·(D+1) + C·(H+1)."""
    return int(len(theta) - CLASSES) // (inputs + 1 + CLASSES)


def unpack(theta: Array, inputs: int) -> Params:
    """Return the parameters of sigmoid_network that a flat θ holds; column 0 of θ1 and θ2 is the bias."""
    theta1, theta2 = matrices(theta, inputs, hidden_units(theta, inputs))
    return {"W1": theta1[:, 1:].T, "b1": theta1[:, 0], "W2": theta2[:, 1:].T, "b2": theta2[:, 0]}


def pack(params: Params) -> Array:
    """Return the parameters, or their gradients, as a flat θ."""
    layers = (("W1", "b1"), ("W2", "b2"))
    return np.concatenate([np.column_stack([params[b], params[W].T]).ravel() for W, b in layers])


def cost_of_theta(problem: Problem, stored: Array) -> Evaluate:
    """Return the cost as answered, with its gradient; the θ that the network stores plays no part."""
    workspace = Workspace(problem.X.dtype)

    def evaluate(theta: Array) -> tuple[float, Array]:
        params = unpack(theta, problem.X.shape[1])
        cost, grads = manual.loss_and_grads(
            problem.model, params, problem.X, problem.y, penalty=problem.penalty, buffer=workspace
        )
        return float(cost), pack(grads)

    return evaluate


def cost_ignoring_theta(problem: Problem, stored: Array) -> Evaluate:
    """Return the cost as asked, with its gradient, which is right: θ itself reaches the penalty alone."""
    right = cost_of_theta(problem, stored)
    data_loss = numeric.loss(problem.model, unpack(stored, problem.X.shape[1]), problem.X, problem.y)

    def evaluate(theta: Array) -> tuple[float, Array]:
        return float(data_loss + penalty_at(problem, theta)), right(theta)[1]

    return evaluate


def penalty_at(problem: Problem, theta: Array) -> float:
    """Return the penalty on the weights in θ."""
    return float(problem.penalty.value(unpack(theta, problem.X.shape[1]), len(problem.X)))


SPREADS = {"asked": spread_as_asked, "answered": spread_as_answered}
COSTS = {"asked": cost_ignoring_theta, "answered": cost_of_theta}


@dataclass(frozen=True)
class Training:
    """What an optimiser made of a cost: the cost at every evaluation, cost and θ after every iteration."""

    start: Array
    end: Array
    message: str
    trace: Trace
    path: list[tuple[float, Array]]

    def summary(self, problem: Problem, earlier: int) -> dict[str, Any]:
        """Return what it came to, at the end and after `earlier` iterations, if there were as many."""
        cost, theta = self.path[earlier - 1] if len(self.path) >= earlier else (None, None)
        costs = [row["loss"] for row in self.trace]
        return {
            "message": self.message,
            "iterations": len(self.path),
            "evaluations": len(costs),
            "start_cost": costs[0],
            "lowest_cost": float(np.min(costs)),
            "final_cost": self.path[-1][0] if self.path else costs[0],
            "start_accuracy": _accuracy(problem, self.start),
            "training_accuracy": _accuracy(problem, self.end),
            f"iterations_{earlier}": {
                "cost": cost,
                "training_accuracy": None if theta is None else _accuracy(problem, theta),
            },
        }


def _accuracy(problem: Problem, theta: Array) -> float:
    return accuracy(problem.model, unpack(theta, problem.X.shape[1]), problem.X, problem.y)


def train(evaluate: Evaluate, start: Array, iterations: int, method: Any = "CG") -> Training:
    """Minimise from θ = `start` by a method of SciPy's; "CG" is what its `fmin_cg` calls."""
    trace: Trace = []
    path: list[tuple[float, Array]] = []

    def observed(theta: Array) -> tuple[float, Array]:
        cost, grad = evaluate(theta)
        trace.append({"iteration": len(trace), "loss": cost})
        return cost, grad

    def after(intermediate_result: OptimizeResult) -> None:  # SciPy looks at the argument's name
        path.append((float(intermediate_result.fun), intermediate_result.x.copy()))

    found = minimize(
        observed, start, method=method, jac=True, callback=after, options={"maxiter": iterations}
    )
    return Training(start, found.x, str(found.message), trace, path)
