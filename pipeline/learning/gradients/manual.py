"""Gradients derived by hand: the model's own backward, on NumPy arrays."""

from collections.abc import Set
from typing import Any

import numpy as np

from pipeline.learning.arrays import Array, Buffers, Params, fresh
from pipeline.learning.blas import Sum
from pipeline.learning.gradients import check_batch
from pipeline.learning.losses import Reduction, scale
from pipeline.learning.models import Model
from pipeline.learning.penalty import NONE, Penalty


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

    With a Workspace as `buffer`, the gradient is valid until the next call with that workspace; what is lent
    to it comes back as the Sum that it is, with the gradient added.
    """
    hidden = model.forward(params, X, buffer)
    factor = scale(model.LOSS, hidden["scores"], reduction or model.REDUCTION)
    loss, dscores = model.LOSS.value_and_gradient(hidden["scores"], y)
    dscores *= factor * rate  # once, where the backward pass starts, and so in every gradient
    return loss * factor, model.backward(params, X, hidden, dscores, buffer)


class Moving:
    """Parameters in descent, of any shapes; see `gradients.Moving`.

    Not the velocity v is kept, but the sum Σ of which it is -u·Σ, and the unit u is multiplied by μ at every
    step: so the velocity decays without being touched. A gradient, times 1/u, is added to Σ, which the BLAS
    does as it multiplies, Σ ← XᵀdZ + Σ: no large gradient is written to memory and read again.
    """

    _SMALLEST_UNIT = 2.0**-10

    def __init__(self, params: Params, penalised: Set[str]) -> None:
        order = sorted(params, key=lambda name: name not in penalised)
        theta = np.concatenate([params[name].ravel() for name in order])
        total = np.zeros_like(theta)
        self._theta, self._sum, self._unit = Sum(theta), Sum(total), 1.0
        shrinking = slice(sum(params[name].size for name in penalised))
        self._shrinking = Sum(theta[shrinking]), Sum(total[shrinking])
        ends = np.cumsum([params[name].size for name in order])

        def arranged(flat: np.ndarray) -> Params:
            parts = zip(order, np.split(flat, ends[:-1]), strict=True)
            return {name: part.reshape(params[name].shape) for name, part in parts}

        self.values, self._totals = arranged(theta), arranged(total)
        # Of the products, which are large; the biases' gradients are added in `step`.
        self.sums = {name: Sum(self._totals[name]) for name in penalised}

    @property
    def scale(self) -> float:
        """See `gradients.Moving`."""
        return 1 / self._unit

    def step(self, downhill: Params, momentum: float, shrinkage: float) -> None:
        """Take the step. See `gradients.Moving`."""
        for name, total in self._totals.items():
            if downhill[name] is not self.sums.get(name):
                total += downhill[name]
        if shrinkage:
            weights, sums = self._shrinking
            sums.add_multiple(shrinkage / self._unit, weights)
        self._theta.add_multiple(-self._unit, self._sum)
        self._unit *= momentum
        if self._unit < self._SMALLEST_UNIT:  # before what is divided by it overflows
            everything = self._sum.array
            everything *= self._unit
            self._unit = 1.0


def moving(params: Params, penalised: Set[str]) -> Moving:
    """Return copies that can be trained. See `gradients.TrainingEngine`."""
    return Moving(params, penalised)


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
