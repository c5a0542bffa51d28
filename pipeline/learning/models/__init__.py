"""The models. Each is one module: forward and hand-derived backward side by side."""

from importlib import import_module
from typing import Protocol, cast

from pipeline.learning.arrays import Array, Buffers, Params
from pipeline.learning.losses import Loss, Reduction

NAMES = ("linear_regression", "softmax", "two_layer", "two_layer_regression", "sigmoid_network")


class Model(Protocol):
    """What a module of this package provides. D inputs, H hidden units, C outputs, N samples."""

    LOSS: Loss
    REDUCTION: Reduction
    HIDDEN_AXES: dict[str, int]
    """The axis of the hidden units in each parameter that has one: of a network that is the sum over them."""

    def shapes(self, inputs: int, outputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
        """Return the shape of each parameter, by name; single-layer models have no hidden units."""

    def forward(self, params: Params, X: Array, buffer: Buffers = ...) -> Params:
        """Return every intermediate result of X (N, D), by name; the last one is `scores` (N, C)."""

    def backward(
        self, params: Params, X: Array, hidden: Params, dscores: Array, buffer: Buffers = ...
    ) -> Params:
        """Return the gradients of the parameters, by name, from dscores (N, C) and forward's results.

        That of a weight W goes to the buffer dW, for which training lends an accumulator.
        """

    def scores(self, params: Params, X: Array) -> Array:
        """Return the scores (N, C) of X (N, D), before the softmax or sigmoid."""


def get(name: str) -> Model:
    """Return the model of this name, importing no other; ValueError lists the names there are."""
    if name not in NAMES:
        raise ValueError(f"model {name!r}: choose one of {', '.join(NAMES)}")
    return cast(Model, import_module(f"{__name__}.{name}"))
