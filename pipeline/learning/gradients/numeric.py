"""Gradients by central differences, (L(θ + h) - L(θ - h)) / 2h: slow, and independent of any derivation."""

from typing import Any

import numpy as np

from pipeline.learning.arrays import Array, Buffers, Params, fresh
from pipeline.learning.gradients import check_batch
from pipeline.learning.losses import Reduction, scale
from pipeline.learning.models import Model
from pipeline.learning.penalty import NONE, Penalty

# The cube root of the rounding unit balances the truncation error, h², against the rounding error, 1/h.
STEP = float(np.cbrt(np.finfo(np.float64).eps))


def loss_and_grads(
    model: Model,
    params: Params,
    X: Array,
    y: Array,
    penalty: Penalty = NONE,
    reduction: Reduction | None = None,
    buffer: Buffers = fresh,  # every evaluation needs arrays of its own
) -> tuple[Any, Params]:
    """Return the penalised loss and its gradient by differences; see `gradients.Engine`.

    Two evaluations a coordinate, in float64 whatever the type of the parameters and of X.
    """
    grads = {}
    for name, value in params.items():
        grad = np.empty(value.size)
        for index in range(value.size):
            grad[index] = partial(model, params, X, y, name, index, penalty, reduction)
        grads[name] = grad.reshape(value.shape).astype(value.dtype)
    return loss(model, params, X, y, penalty, reduction), grads


def loss(
    model: Model,
    params: Params,
    X: Array,
    y: Array,
    penalty: Penalty = NONE,
    reduction: Reduction | None = None,
) -> Any:
    """Return the penalised loss alone: no gradient is derived."""
    check_batch(model, params, X, y)
    scores = model.scores(params, X)
    data_loss = model.LOSS.value(scores, y) * scale(model.LOSS, scores, reduction or model.REDUCTION)
    return data_loss + penalty.value(params, len(X))


def partial(
    model: Model,
    params: Params,
    X: Array,
    y: Array,
    name: str,
    index: int,
    penalty: Penalty = NONE,
    reduction: Reduction | None = None,
) -> float:
    """Return the loss's derivative by one coordinate: element `index` of the flattened parameter `name`."""
    direction = {key: np.zeros(value.shape) for key, value in params.items()}
    direction[name].flat[index] = 1.0
    return directional(model, params, X, y, direction, penalty, reduction)


def directional(
    model: Model,
    params: Params,
    X: Array,
    y: Array,
    direction: Params,
    penalty: Penalty = NONE,
    reduction: Reduction | None = None,
) -> float:
    """Return the loss's derivative along `direction`, which has the keys and shapes of `params`."""

    def shifted(h: float) -> Any:
        moved = {key: value.astype(np.float64) + h * direction[key] for key, value in params.items()}
        return loss(model, moved, X.astype(np.float64), y, penalty, reduction)

    return float((shifted(STEP) - shifted(-STEP)) / (2 * STEP))
