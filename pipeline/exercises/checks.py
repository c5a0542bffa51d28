"""Claims that several exercises make of their gradients."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.exercises.outcome import Claim, at_most, is_true
from pipeline.learning import gradient_check
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradient_check import BOUNDS, Problem
from pipeline.learning.gradients import manual
from pipeline.learning.models import Model
from pipeline.learning.randomness import generator

DIRECTIONS = 3


def relative_difference(ours: Any, theirs: Any) -> float:
    """Return ‖ours - theirs‖ / ‖theirs‖ over all elements, in float64; 0 where both are zero."""
    a, b = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    if a.shape != b.shape:
        return np.inf
    distance, size = np.linalg.norm(a - b), np.linalg.norm(b)
    return float(distance / size) if size > 0 else (0.0 if distance == 0 else np.inf)


def worst_difference(ours: Params, theirs: Params) -> float:
    """Return the largest relative difference of two sets of parameters or gradients of the same names."""
    if ours.keys() != theirs.keys():
        return np.inf
    return float(np.max([relative_difference(ours[name], theirs[name]) for name in theirs]))


def accuracy(model: Model, params: Params, X: Array, y: Array) -> float:
    """Return the share of the samples X (N, D) whose highest score is that of their label y (N,)."""
    return float((model.scores(params, X).argmax(axis=1) == y).mean())


def gradient_claims(problem: Problem, params: Params, seed: int, engine: Any = None) -> list[Claim]:
    """Claim that the hand-derived gradient is right, leaves its inputs alone, and penalises no bias.

    The gradient is held against central differences along random directions, parameter by parameter.
    """
    gradient = engine or manual.loss_and_grads
    name = problem.model.__name__.rpartition(".")[2]  # type: ignore[attr-defined]  # a model is a module
    rng = generator(seed, "directions")
    try:
        error = np.max(
            list(gradient_check.along_directions(problem, params, gradient, DIRECTIONS, rng).values())
        )
    except ValueError:  # a gradient of a wrong shape
        error = np.inf
    claims = [
        at_most(f"{name}: gradient against central differences, relative", error, BOUNDS["directions"]),
        _inputs_stay(name, problem, params, gradient),
    ]
    if problem.penalty.strength:
        claims.append(_only_weights_are_penalised(name, problem, params, gradient))
    return claims


def _only_weights_are_penalised(
    name: str, problem: Problem, params: Params, gradient: Callable[..., tuple[Any, Params]]
) -> Claim:
    """Compare the gradient with the penalty and without: 2c·W more for each weight, nothing for a bias."""
    model, X, y, penalty = problem.model, problem.X, problem.y, problem.penalty
    with_penalty = gradient(model, params, X, y, penalty=penalty)[1]
    without = gradient(model, params, X, y)[1]
    factor = 2 * penalty.coefficient(len(X))
    parts = [
        relative_difference(with_penalty[key] - without[key], factor * value)
        if key.startswith("W") and factor
        else float(np.abs(with_penalty[key] - without[key]).max())
        for key, value in params.items()
    ]
    # The difference of two gradients has the rounding of the gradients.
    sizes = [np.abs(without[key]).max() for key in params]
    weights = [np.abs(factor * value).max() for value in params.values() if np.any(value) and factor]
    rounding = 1e-12 * max(1.0, max(sizes) / min(weights, default=1.0))
    return at_most(
        f"{name}: the penalty's gradient is that of the weights alone, relative", np.max(parts), rounding
    )


def _inputs_stay(
    name: str, problem: Problem, params: Params, gradient: Callable[..., tuple[Any, Params]]
) -> Claim:
    """Compute a gradient from copies and compare them with the originals, bit by bit."""
    X, y = problem.X.copy(), problem.y.copy()
    copies = {key: value.copy() for key, value in params.items()}
    gradient(problem.model, copies, X, y, penalty=problem.penalty)
    pairs: list[tuple[Array, Array]] = [(X, problem.X), (y, problem.y)]
    pairs += [(copies[key], params[key]) for key in params]
    return is_true(
        f"{name}: inputs and parameters stay as they are", all(np.array_equal(a, b) for a, b in pairs)
    )
