"""Losses of the scores, each with its hand-derived gradient under it.

Every loss here is a *sum*. What it is averaged over belongs to the model's reduction, and stands in
one place: `scale`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from array_api_compat import array_namespace

from pipeline.learning.arrays import Array, log_softmax, of_labels, sigmoid

Reduction: TypeAlias = Literal["mean", "sum"]


@dataclass(frozen=True)
class Loss:
    """A loss of scores (N, C) against y, summed over samples and outputs."""

    value: Callable[[Array, Array], Array]
    """(scores, y) -> scalar; differentiable by torch."""
    value_and_gradient: Callable[[Array, Array], tuple[Array, Array]]
    """(scores, y) -> scalar and dscores (N, C), an array the caller may overwrite."""
    mean_over: Literal["samples", "elements"]
    """What `reduction="mean"` divides by: N, or N·C."""
    takes_labels: bool
    """Whether y holds integer labels (N,), or targets (N, C)."""


def scale(loss: Loss, scores: Array, reduction: Reduction) -> float:
    """Return the factor that turns the sum into `reduction`: 1, 1/N or 1/(N·C); ValueError for another."""
    if reduction == "sum":
        return 1.0
    if reduction != "mean":
        raise ValueError(f"reduction {reduction!r}: choose mean or sum")
    samples, outputs = scores.shape
    count: int = samples * outputs if loss.mean_over == "elements" else samples
    return 1.0 / count


def _cross_entropy(scores: Array, y: Array) -> Array:
    return -of_labels(log_softmax(scores), y)


def _cross_entropy_and_gradient(scores: Array, y: Array) -> tuple[Array, Array]:
    log_probs = log_softmax(scores)  # (N, C)
    loss = -of_labels(log_probs, y)
    dscores = np.exp(log_probs, out=log_probs)  # (N, C) probabilities ...
    dscores[np.arange(len(y)), y] -= 1  # ... minus 1 at the label: p - onehot(y)
    return loss, dscores


def _squared_error(scores: Array, y: Array) -> Array:
    residuals = scores - y
    return (residuals * residuals).sum()


def _squared_error_and_gradient(scores: Array, y: Array) -> tuple[Array, Array]:
    residuals = scores - y  # (N, C)
    loss = np.vdot(residuals, residuals)
    residuals *= 2
    return loss, residuals


def _binary_cross_entropy(scores: Array, y: Array) -> Array:
    # -log σ(s) = log(1 + exp(-s)) where the target is 1, and -log(1 - σ(s)) = log(1 + exp(s)) where it is 0
    xp = array_namespace(scores)
    against = (1 - 2 * _one_hot(y, scores)) * scores  # (N, C)
    return xp.sum(xp.logaddexp(against, xp.zeros_like(against)))


def _binary_cross_entropy_and_gradient(scores: Array, y: Array) -> tuple[Array, Array]:
    return _binary_cross_entropy(scores, y), sigmoid(scores) - _one_hot(y, scores)  # (N, C)


def _one_hot(y: Array, scores: Array) -> Array:
    """Targets (N, C) of 0 and 1, in the scores' type, from labels (N,)."""
    xp = array_namespace(scores)
    classes = xp.arange(scores.shape[1], device=scores.device)
    return xp.astype(y[:, None] == classes[None, :], scores.dtype)


CROSS_ENTROPY = Loss(_cross_entropy, _cross_entropy_and_gradient, mean_over="samples", takes_labels=True)
"""-log p of the label, p = softmax(scores); y: labels (N,)."""
SQUARED_ERROR = Loss(_squared_error, _squared_error_and_gradient, mean_over="elements", takes_labels=False)
"""(scores - y)²; y: targets (N, C)."""
BINARY_CROSS_ENTROPY = Loss(
    _binary_cross_entropy, _binary_cross_entropy_and_gradient, mean_over="samples", takes_labels=True
)
"""Logistic loss of each output against the one-hot label, summed over the outputs; y: labels (N,)."""
