"""Three ways to differentiate the same forward: by hand, by torch, by differences."""

from collections.abc import Set
from importlib import import_module
from typing import Any, Protocol, cast

import numpy as np
from array_api_compat import array_namespace

from pipeline.learning.arrays import Array, Buffers, Params
from pipeline.learning.blas import Sum
from pipeline.learning.losses import Reduction
from pipeline.learning.models import Model
from pipeline.learning.penalty import Penalty

TRAINABLE = ("manual", "autograd")
NAMES = (*TRAINABLE, "numeric")


class Engine(Protocol):
    """What a module of this package provides."""

    def loss_and_grads(
        self,
        model: Model,
        params: Params,
        X: Array,
        y: Array,
        penalty: Penalty = ...,
        reduction: Reduction | None = None,
        buffer: Buffers = ...,
    ) -> tuple[Any, Params]:
        """Return the penalised loss of X (N, D) against y, and its gradient.

        y holds integer labels (N,), or targets (N, C) for a regression. `reduction` replaces the
        model's own: "mean" or "sum" of the data loss; the penalty is no part of it. The gradient
        has the keys, shapes and type of `params`; no input is changed. Nothing may be lent to the
        `buffer`. A wrong shape or a label that is no class is a ValueError.
        """


class Moving(Protocol):
    """Parameters that are trained together, with their velocities, which begin as zeros."""

    values: Params
    """The parameters as the last step left them, in arrays that stay the same."""
    sums: dict[str, Sum]
    """Where the gradients of some are best added, so that a step needn't do it.

    Whatever is added there is in the next step: one gradient, computed once.
    """

    @property
    def scale(self) -> float:
        """What the gradients of the next step are to be multiplied by, beside the learning rate."""

    def step(self, downhill: Params, momentum: float, shrinkage: float) -> None:
        """Take a step: v ← momentum·v - (downhill / scale + shrinkage·θ); θ ← θ + v.

        `downhill` is the learning rate times the gradient without the penalty's, times `scale`; of what was
        added to one of `sums` it holds that one. `shrinkage` is the rate times the penalty's 2c, not times
        `scale`, and 0 for those that are not penalised.
        """


class TrainingEngine(Engine, Protocol):
    """An engine that can train: it works on arrays of its own, unchecked, and in place."""

    def differentiate(
        self,
        model: Model,
        params: Params,
        X: Array,
        y: Array,
        reduction: Reduction | None = ...,
        rate: float = ...,
        buffer: Buffers = ...,
    ) -> tuple[Any, Params]:
        """Return the loss without penalty, and `rate` times its gradient; `check_batch` must have passed.

        The factor costs nothing here: the backward pass is linear in the gradient of the scores.
        """

    def moving(self, params: Params, penalised: Set[str]) -> Moving:
        """Return native parameters as ones that can be trained: the same arrays, or copies.

        `penalised` are the names of those that the penalty shrinks.
        """

    def to_native(self, array: np.ndarray, device: str) -> Array:
        """Return the array in the type that this engine computes with, on the device."""

    def gather(self, array: Array, index: np.ndarray, buffer: Buffers) -> Array:
        """Return the rows of a native array at `index` (B,)."""

    def to_numpy(self, array: Array) -> np.ndarray:
        """Return a native array as NumPy's, in memory of its own."""


def get(name: str) -> Engine:
    """Return the engine of this name, importing no other; ValueError lists the names there are."""
    if name not in NAMES:
        raise ValueError(f"gradient {name!r}: choose one of {', '.join(NAMES)}")
    return cast(Engine, import_module(f"{__name__}.{name}"))


def get_trainable(name: str) -> TrainingEngine:
    """Return the engine of this name to train with; ValueError lists those there are."""
    if name not in TRAINABLE:
        raise ValueError(f"gradient {name!r}: choose {' or '.join(TRAINABLE)} to train with")
    return cast(TrainingEngine, get(name))


def check_batch(model: Model, params: Params, X: Array, y: Array) -> None:
    """Raise ValueError where X (N, D) and y don't fit the parameters, are empty, or a label is no class."""
    shapes = {name: tuple(value.shape) for name, value in params.items()}
    inputs, hidden = (*shapes.get("W1", shapes.get("W", ())), 0, 0)[:2]
    outputs = (*shapes.get("W2", shapes.get("W", ())), 0, 0)[1]
    if X.ndim != 2 or X.shape[1] != inputs or shapes != model.shapes(inputs, outputs, hidden):
        raise ValueError(f"X of shape {tuple(X.shape)} does not fit parameters of shapes {shapes}")
    if len(X) == 0:
        raise ValueError("no samples: their mean loss is no number")
    if model.LOSS.takes_labels:
        if not _holds_integers(y):
            raise ValueError(f"labels of type {y.dtype}: expected integers")
        if y.ndim != 1 or len(y) != len(X):
            raise ValueError(f"labels of shape {tuple(y.shape)}: expected ({len(X)},)")
        # On a GPU the question would make the processor wait for every step before.
        if str(y.device) == "cpu" and (y.min() < 0 or y.max() >= outputs):
            raise ValueError(f"labels from {int(y.min())} to {int(y.max())}: expected 0 to {outputs - 1}")
    elif tuple(y.shape) != (len(X), outputs):
        raise ValueError(f"targets of shape {tuple(y.shape)}: expected ({len(X)}, {outputs})")


def _holds_integers(array: Array) -> bool:
    if isinstance(array, np.ndarray):  # of which the namespace takes longer to import than ten training steps
        return np.issubdtype(array.dtype, np.integer)
    return bool(array_namespace(array).isdtype(array.dtype, "integral"))
