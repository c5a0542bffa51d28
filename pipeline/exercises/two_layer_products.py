"""The gradient of the second layer's weights: a sum of outer products, and the orders that it can't have."""

from itertools import product
from typing import Any

import numpy as np

from pipeline.exercises.checks import relative_difference
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradients import autograd, manual
from pipeline.learning.models import Model, two_layer
from pipeline.learning.penalty import NONE, Penalty


def sum_of_outer_products(a1: Array, dscores: Array) -> Array:
    """Return the sum over samples of a1ᵢ ⊗ dscoresᵢ (H, C), one at a time; a1 (N, H), dscores (N, C)."""
    dW2 = np.zeros((a1.shape[1], dscores.shape[1]))
    for activations, derivatives in zip(a1, dscores, strict=True):
        dW2 += np.outer(activations, derivatives)  # (H, C) = (H)⊗(C)
    return dW2


def matrix_product(
    model: Model, params: Params, X: Array, y: Array, penalty: Penalty = NONE
) -> tuple[Any, Params]:
    """Return loss and gradient as asked: dW2 = a1ᵀ·dscores."""
    return manual.loss_and_grads(model, params, X, y, penalty=penalty)


def outer_products(
    model: Model, params: Params, X: Array, y: Array, penalty: Penalty = NONE
) -> tuple[Any, Params]:
    """Return loss and gradient as answered: dW2 is the sum of outer products, the rest as it was."""
    loss, grads = manual.loss_and_grads(model, params, X, y)
    grads["W2"] = sum_of_outer_products(*factors(params, X, y))
    penalty.add_gradient(grads, params, len(X))
    return loss + penalty.value(params, len(X)), grads


def factors(params: Params, X: Array, y: Array) -> tuple[Array, Array]:
    """Return what dW2 is made of: a1 (N, H), and dscores (N, C), the mean loss's gradient by the scores."""
    hidden = two_layer.forward(params, X)
    dscores = two_layer.LOSS.value_and_gradient(hidden["scores"], y)[1] / len(X)
    return hidden["a1"], dscores


def from_own_losses(params: Params, X: Array, y: Array) -> float:
    """Return how far N·a1ᵢ ⊗ dscoresᵢ is from autograd's dW2 of sample i alone, over all samples."""
    a1, dscores = factors(params, X, y)
    alone = [
        autograd.loss_and_grads(two_layer, params, X[[i]], y[[i]])[1]["W2"]  # (H, C)
        for i in range(len(X))
    ]
    return relative_difference(len(X) * np.einsum("nh,nc->nhc", a1, dscores), alone)


def wrong_orders(a1: Array, dscores: Array) -> list[dict[str, Any]]:
    """Try the seven other products of the two matrices: either first, either transposed.

    Each has the `error` that it raises, or else its `shape`; where that is dW2's (H, C), also its relative
    `difference` from dW2. Of one sample and one hidden unit a1 is its own transpose: then there are six.
    """
    dW2 = a1.T @ dscores  # (H, C)
    of_a1 = {"a1": a1, "a1.T": a1.T}
    of_dscores = {"dscores": dscores, "dscores.T": dscores.T}
    pairs = [*product(of_a1.items(), of_dscores.items()), *product(of_dscores.items(), of_a1.items())]
    return [
        {"order": f"{left} @ {right}", **_try(A, B, dW2)}
        for (left, A), (right, B) in pairs
        if not (np.array_equal(A, a1.T) and np.array_equal(B, dscores))
    ]


def _try(A: Array, B: Array, dW2: Array) -> dict[str, Any]:
    try:
        found = A @ B
    except ValueError as error:
        return {"error": str(error), "shape": None, "difference": None}
    fits = found.shape == dW2.shape
    return {
        "error": None,
        "shape": list(found.shape),
        "difference": relative_difference(found, dW2) if fits else None,
    }
