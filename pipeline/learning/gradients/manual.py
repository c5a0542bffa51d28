"""Gradients derived by hand: the model's own backward, on NumPy arrays."""

from typing import Any

import numpy as np

from pipeline.learning.arrays import Array, Buffers, Params, fresh
from pipeline.learning.gradients import Step, check_batch
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

    With a Workspace as `buffer`, the gradient is valid until the next call with that workspace.
    """
    hidden = model.forward(params, X, buffer)
    factor = scale(model.LOSS, hidden["scores"], reduction or model.REDUCTION)
    loss, dscores = model.LOSS.value_and_gradient(hidden["scores"], y, buffer)
    dscores *= factor * rate  # once, where the backward pass starts, and so in every gradient
    return loss * factor, model.backward(params, X, hidden, dscores, buffer)


class Moving:
    """Parameters in descent, of any shapes; see `gradients.Moving`.

    No velocity is kept: it is θ - θ₋, what the last step added (Polyak 1964). So a step is one product,
    θ' = [-μ, 1 + μ - s, -1]·[θ₋; θ; d]: the BLAS reads each of the three once, and shares the work among
    its threads as it did the gradient. NumPy's loops for μ·v, v - d, s·θ and so on would each go through
    memory, and fetch what another processor has in its cache.

    A product can't be written over what it reads, so the parameters go round, from row 0 of an array to 1,
    3, 4 and 0 again, about their gradient in row 2: any two neighbours on that way lie evenly spaced with
    it, as the rows of a matrix do.
    """

    _GRADIENT = 2
    _TURNS = ((0, 1, 3), (1, 3, 4), (3, 4, 0), (4, 0, 1))
    """The rows of θ₋, of θ and of θ', by turns."""

    def __init__(self, params: Params) -> None:
        sizes = [value.size for value in params.values()]
        self._rows = np.zeros((5, sum(sizes)), np.result_type(*params.values()))

        def arranged(row: np.ndarray) -> Params:
            parts = np.split(row, np.cumsum(sizes)[:-1])
            return {
                name: part.reshape(value.shape)
                for (name, value), part in zip(params.items(), parts, strict=True)
            }

        self._values = {row: arranged(self._rows[row]) for row, _, _ in self._TURNS}
        self.downhill = arranged(self._rows[self._GRADIENT])
        self._steps = 0
        for row in self._turn[:2]:  # θ₋ and θ are the same: the velocity begins as zero
            for name, value in params.items():
                self._values[row][name][:] = value

    @property
    def values(self) -> Params:
        """The parameters as the last step left them."""
        return self._values[self._turn[1]]

    @property
    def _turn(self) -> tuple[int, int, int]:
        return self._TURNS[self._steps % 4]

    def step(self, downhill: Params, step: Step) -> None:
        """Take the step. See `gradients.Moving`."""
        for name, place in self.downhill.items():
            if downhill[name] is not place:
                place[:] = downhill[name]
        self._advance(step)

    def _advance(self, step: Step) -> None:
        before, at, after = self._turn
        newer = self._rows.dtype.type(1 + step.momentum - step.shrinkage)
        # Of a parameter at rest 1 - s is left, to its last place, which 1 + μ - s is too large to have.
        older = 1 - step.shrinkage - float(newer)
        factors = {before: older, at: newer, self._GRADIENT: -1}
        first, second, last = sorted(factors)
        np.matmul(
            np.array([factors[first], factors[second], factors[last]], self._rows.dtype),
            self._rows[first : last + 1 : second - first],
            out=self._rows[after],
        )
        self._steps += 1


def moving(params: Params) -> Moving:
    """Return copies that can be trained. See `gradients.TrainingEngine`."""
    return Moving(params)


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
