"""From scores to class probabilities: what each kind of classifier says its scores mean."""

from collections.abc import Callable
from typing import Literal, TypeAlias, get_args

import numpy as np

from pipeline.learning.arrays import Array, log_softmax

Name: TypeAlias = Literal["softmax", "one_vs_rest", "clipped"]

# Least squares estimates probabilities but may leave [0, 1]: no class is quite impossible.
SMALLEST = 1e-6


def softmax(scores: Array) -> Array:
    """Scores (N, C) are log-probabilities up to a constant a row."""
    return np.exp(log_softmax(scores))


def one_vs_rest(scores: Array) -> Array:
    """Each score (N, C) is a logistic classifier of its own; their probabilities are scaled to sum to 1.

    Through their logarithms, log σ(s) = -log(1 + exp(-s)): all of them may be too small for a number.
    """
    return softmax(-np.logaddexp(0, -scores))


def clipped(scores: Array) -> Array:
    """Scores (N, C) of one-hot least squares estimate the probabilities themselves: cut to 1e-6 ... 1."""
    estimates = np.clip(scores, SMALLEST, 1)
    return estimates / estimates.sum(axis=1, keepdims=True)


def get(name: str) -> Callable[[Array], Array]:
    """Return the function of this name; ValueError lists the names there are."""
    if name not in get_args(Name):
        raise ValueError(f"probabilities {name!r}: choose one of {', '.join(get_args(Name))}")
    return {"softmax": softmax, "one_vs_rest": one_vs_rest, "clipped": clipped}[name]
