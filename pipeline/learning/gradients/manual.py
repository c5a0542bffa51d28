"""Gradients derived by hand: the model's own backward, on NumPy arrays."""

from typing import Any

import numpy as np

from pipeline.learning.arrays import Array, Buffers, Params, fresh
from pipeline.learning.gradients import Step, check_batch
from pipeline.learning.losses import Reduction, scale
from pipeline.learning.models import Model
from pipeline.learning.penalty import NONE, Penalty

# Numbers of an array that are updated at a time: more blocks cost more calls, fewer leave the cache.
CACHED = 65_536


def loss_and_grads(
    model: Model,
    params: Params,
    X: Array,
    y: Array,
    penalty: Penalty = NONE,
    reduction: Reduction | None = None,
    buffer: Buffers = fresh,
) -> tuple[Any, Params]:
    """Return the penalised loss and its gradient by the model's backward; see `gradients.Engine`."""
    check_batch(model, params, X, y)
    loss, grads = differentiate(model, params, X, y, reduction, buffer=buffer)
    penalty.add_gradient(grads, params, len(X))
    return loss + penalty.value(params, len(X)), grads


def differentiate(
    model: Model,
    params: Params,
    X: Array,
    y: Array,
    reduction: Reduction | None = None,
    rate: float = 1.0,
    buffer: Buffers = fresh,
) -> tuple[Any, Params]:
    """Return the loss without penalty, and `rate` times its gradient; see `gradients.TrainingEngine`.

    With a Workspace as `buffer`, the gradient is valid until the next call with that workspace.
    """
    hidden = model.forward(params, X, buffer)
    factor = scale(model.LOSS, hidden["scores"], reduction or model.REDUCTION)
    loss, dscores = model.LOSS.value_and_gradient(hidden["scores"], y, buffer)
    dscores *= factor * rate  # once, where the backward pass starts, and so in every gradient
    return loss * factor, model.backward(params, X, hidden, dscores, buffer)


def descend(
    value: np.ndarray, velocity: np.ndarray, downhill: np.ndarray, step: Step, buffer: Buffers
) -> None:
    """Take the step, in place. See `gradients.TrainingEngine`."""
    # Rows that the processor's second-level cache holds until the last operation on them.
    rows = max(1, CACHED // (value.size // len(value)))
    for start in range(0, len(value), rows):
        block = slice(start, start + rows)
        w, v, d = value[block], velocity[block], downhill[block]
        v *= step.momentum
        v -= d  # and d stays as it was: what isn't written needn't go back to memory
        if step.shrinkage:
            v -= np.multiply(w, step.shrinkage, out=buffer("descent", *w.shape))
        w += v


def to_native(array: np.ndarray, device: str) -> np.ndarray:
    """Return the array as it is; ValueError for any device but the CPU, where NumPy computes."""
    if device != "cpu":
        raise ValueError(f"device {device!r}: the manual gradient runs on NumPy, on the cpu only")
    return array


def gather(array: np.ndarray, index: np.ndarray, buffer: Buffers) -> np.ndarray:
    """Return the rows at `index` (B,), which must be valid: written straight into the buffer."""
    out = buffer("batch", len(index), *array.shape[1:])
    # Any mode but "raise" lets NumPy write to `out` without a second copy.
    return np.take(array, index, axis=0, out=out, mode="clip")


def to_numpy(array: np.ndarray) -> np.ndarray:
    """Return a copy."""
    return array.copy()
