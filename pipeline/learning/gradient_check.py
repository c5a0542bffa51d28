"""Holding a gradient against others: autograd on every element, central differences along directions.

Shapes first, then the size of the difference relative to the gradient's own: an absolute tolerance
would let any small gradient pass.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradients import numeric
from pipeline.learning.models import Model
from pipeline.learning.penalty import Penalty

LossAndGrads: TypeAlias = Callable[..., tuple[Any, Params]]
Errors: TypeAlias = dict[str, float]

# Largest relative errors of a right gradient, by kind of check.
BOUNDS = {
    "autograd_float64": 1e-10,
    "autograd_float32": 1e-4,
    "directions": 1e-6,
    "coordinates": 1e-6,
}
# A direction along which a ReLU switches within the difference's step has no derivative to compare.
REDRAWS = 100


@dataclass(frozen=True)
class Problem:
    """A loss to differentiate: model, batch X (N, D) and y, penalty."""

    model: Model
    X: Array
    y: Array
    penalty: Penalty

    def gradient(self, engine: LossAndGrads, params: Params, dtype: str) -> Params:
        """Return the gradient at `params` by an engine, computed in a floating-point type."""
        y = self.y if self.model.LOSS.takes_labels else self.y.astype(dtype)
        typed = {name: value.astype(dtype) for name, value in params.items()}
        grads = engine(self.model, typed, self.X.astype(dtype), y, penalty=self.penalty)[1]
        for name, value in params.items():
            if grads[name].shape != value.shape:
                raise ValueError(f"gradient of {name}: shape {grads[name].shape}, expected {value.shape}")
        return grads


def against(
    problem: Problem,
    params: Params,
    engine: LossAndGrads,
    other: LossAndGrads,
    dtype: str,
    sizes: Mapping[str, float] | None = None,
) -> Errors:
    """Return, for each parameter, ‖difference‖ / ‖other's gradient‖.

    Where `sizes` has a larger norm, it's relative to that: of a gradient that is a sum of terms which
    nearly cancel, as a regression's bias has once it fits, float32 leaves little but rounding.
    """
    ours, theirs = (problem.gradient(way, params, dtype) for way in (engine, other))
    own = {name: float(np.linalg.norm(grad)) for name, grad in theirs.items()}
    return {
        name: _relative(ours[name] - theirs[name], max(own[name], (sizes or own)[name])) for name in params
    }


def along_directions(
    problem: Problem, params: Params, engine: LossAndGrads, count: int, rng: np.random.Generator
) -> Errors:
    """Return, for each parameter, the worst error of its gradient along random unit directions.

    Each direction moves one parameter alone, so that a small gradient is not lost beside a large one.
    The error is relative to ‖gradient‖/√n, the size that the derivative along such a direction has.
    """
    grads = problem.gradient(engine, params, "float64")
    errors = {}
    for name, grad in grads.items():
        typical = np.linalg.norm(grad) / np.sqrt(grad.size)
        directions = [_smooth_direction(problem, params, name, rng) for _ in range(count)]
        differences = [_difference(problem, params, name, d) - np.vdot(grad, d) for d in directions]
        errors[name] = float(np.max([_relative(difference, typical) for difference in differences]))
    return errors


def at_coordinates(
    problem: Problem, params: Params, engine: LossAndGrads, count: int, rng: np.random.Generator
) -> Errors:
    """Return, for each parameter, the worst error at a random sample of single coordinates.

    Relative to the gradient's largest element; coordinates at which a ReLU switches are left out.
    """
    grads = problem.gradient(engine, params, "float64")
    errors = {}
    for name, grad in grads.items():
        errors[name] = 0.0
        for index in rng.choice(grad.size, size=min(count, grad.size), replace=False):
            direction = np.zeros(grad.shape)
            direction.flat[index] = 1.0
            if _is_smooth(problem, params, name, direction):
                difference = _difference(problem, params, name, direction) - grad.flat[index]
                # np.maximum, unlike max, lets no error that is no number be forgotten.
                errors[name] = float(np.maximum(errors[name], _relative(difference, np.abs(grad).max())))
    return errors


def _difference(problem: Problem, params: Params, name: str, direction: Array) -> float:
    along = {key: direction if key == name else np.zeros(value.shape) for key, value in params.items()}
    return numeric.directional(problem.model, params, problem.X, problem.y, along, problem.penalty)


def _smooth_direction(problem: Problem, params: Params, name: str, rng: np.random.Generator) -> Array:
    for _ in range(REDRAWS):
        direction = rng.standard_normal(params[name].shape)
        direction /= np.linalg.norm(direction)
        if _is_smooth(problem, params, name, direction):
            return direction
    raise ValueError(f"no direction of {name} in {REDRAWS} leaves every ReLU as it is; take fewer samples")


def _is_smooth(problem: Problem, params: Params, name: str, direction: Array) -> bool:
    """Return whether no hidden unit switches between on and off within the difference's step."""

    def active(h: float) -> Array:
        moved = {**params, name: params[name] + h * direction}
        hidden = problem.model.forward(moved, problem.X.astype(np.float64))
        return hidden["a1"] > 0 if "a1" in hidden else np.zeros(0)

    return np.array_equal(active(numeric.STEP), active(-numeric.STEP))


def _relative(difference: Any, size: Any) -> float:
    """Return |difference| / size; where the gradient is all zero any difference is infinitely wrong."""
    distance = float(np.linalg.norm(difference))
    return distance / float(size) if size > 0 else (0.0 if distance == 0 else np.inf)
