"""The gradient of the softmax loss, one step at a time, each held against central differences.

The steps are those of docs/exercises/softmax_loops.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.exercises.checks import relative_difference
from pipeline.exercises.outcome import Claim, at_most
from pipeline.learning.arrays import Array, Params, log_softmax
from pipeline.learning.gradient_check import BOUNDS
from pipeline.learning.gradients import manual, numeric
from pipeline.learning.models import softmax
from pipeline.learning.penalty import Penalty
from pipeline.learning.probabilities import softmax as probabilities
from pipeline.learning.randomness import generator

# Weights that are moved one by one: two evaluations for each of all of them would take seconds.
COORDINATES = 50
BY_DIFFERENCES = BOUNDS["coordinates"]
SAYS = {
    "log_probabilities": ("step 1: d log p_j/ds_k = 1{j=k} - p_k", BY_DIFFERENCES),
    "probabilities": ("step 1: dp_j/ds_k = p_j·(1{j=k} - p_k)", BY_DIFFERENCES),
    "loss_by_scores": ("step 2: dL_i/ds_j = p_j - 1{j=y_i}", BY_DIFFERENCES),
    "scores_by_weights": ("step 3: ds_j/dw_j = x_i, and ds_k/dw_j = 0 for k ≠ j", BY_DIFFERENCES),
    "loss_by_weights": ("step 3: dL_i/dw_j = (p_j - 1{j=y_i})·x_i", BY_DIFFERENCES),
    # The same products, added up in another order.
    "all_samples": ("step 4: dL/dW = 1/N·Σ_i (p - onehot(y_i)) x_iᵀ + r·W", 1e-12),
}


@dataclass(frozen=True)
class Steps:
    """What was found, and where."""

    W: Array  # (C, D)
    errors: dict[str, float]
    """The relative error of each formula, by its name in SAYS."""
    sample: dict[str, Any]
    """The first sample's label, and for each class its score, probability and gradient."""


def check(X: Array, y: Array, penalty: Penalty, classes: int, seed: int) -> Steps:
    """Check each step at random weights, on X (D, N) and y (N,); all but the last on the first sample."""
    D = len(X)
    # Scores near 1. At small weights every p_j is 1/C, and a formula with p_j in p_k's place is right too.
    W = generator(seed, "steps").standard_normal((classes, D)) / np.sqrt(D)  # (C, D)
    params = without_bias(W.T)
    scores = softmax.scores(params, X.T)  # (N, C)
    dscores = softmax.LOSS.value_and_gradient(scores, y)[1]  # (N, C)
    differences = _by_each(lambda s: softmax.LOSS.value(s[None], y[:1]), scores[0])  # (C,)
    sample = {
        "label": int(y[0]),
        "scores": scores[0].tolist(),
        "probabilities": probabilities(scores[:1])[0].tolist(),
        "dscores": dscores[0].tolist(),
        "differences": differences.tolist(),
    }
    errors = {
        **_probabilities(scores[0]),
        "loss_by_scores": relative_difference(dscores[0], differences),
        **_one_sample(params, X[:, :1].T, y[:1], dscores[0], seed),
        "all_samples": _all_samples(params, X, y, dscores, penalty),
    }
    return Steps(W, errors, sample)


def without_bias(W: Array) -> Params:
    """Return W (D, C) as the parameters of the softmax model, whose bias is 0: here an input is constant."""
    return {"W": W, "b": np.zeros(W.shape[1])}


def claims(errors: dict[str, float]) -> list[Claim]:
    """Return the claim that each step makes."""
    return [at_most(f"{says}, relative error", errors[name], bound) for name, (says, bound) in SAYS.items()]


def _probabilities(s: Array) -> dict[str, float]:
    """Step 1: log p_j = s_j - log Σ exp(s_k); s (C,)."""
    p, same = probabilities(s[None])[0], np.eye(len(s))  # (C,), (C, C) 1{j=k}
    log_jacobian = same - p  # (C, C): 1{j=k} - p_k
    jacobian = p[:, None] * log_jacobian  # (C, C): dp_j = p_j·d log p_j
    return {
        "log_probabilities": relative_difference(
            log_jacobian, _by_each(lambda row: log_softmax(row[None])[0], s)
        ),
        "probabilities": relative_difference(jacobian, _by_each(lambda row: probabilities(row[None])[0], s)),
    }


def _one_sample(params: Params, x: Array, y: Array, dscores: Array, seed: int) -> dict[str, float]:
    """Step 3: s_j = w_j·x, moving one weight at a time; x (1, D), y (1,), dscores (C,)."""
    W = params["W"]  # (D, C)
    outer = np.outer(x[0], dscores)  # (D, C): (p_j - 1{j=y})·x_d
    chosen = generator(seed, "coordinates").choice(W.size, size=min(COORDINATES, W.size), replace=False)
    inputs, classes = np.unravel_index(chosen, W.shape)
    moved = np.zeros((len(chosen), W.shape[1]))  # (chosen, C)
    moved[np.arange(len(chosen)), classes] = x[0, inputs]
    partials = [numeric.partial(softmax, params, x, y, "W", index) for index in chosen]
    return {
        "scores_by_weights": relative_difference(moved, [_scores_move(params, x, at) for at in chosen]),
        "loss_by_weights": relative_difference(outer.flat[chosen], partials),
    }


def _scores_move(params: Params, x: Array, index: int) -> Array:
    """Return the derivative of one sample's scores (C,) by one weight: element `index` of W, flattened."""

    def scores(h: float) -> Array:
        W = params["W"].copy(order="C")
        W.flat[index] += h
        return softmax.scores({**params, "W": W}, x)[0]

    return (scores(numeric.STEP) - scores(-numeric.STEP)) / (2 * numeric.STEP)


def _all_samples(params: Params, X: Array, y: Array, dscores: Array, penalty: Penalty) -> float:
    """Step 4: add up the samples' outer products, divide by N, add r·W; compare with the matrix product."""
    total = np.zeros(params["W"].T.shape)  # (C, D)
    for ds, x in zip(dscores, X.T, strict=True):
        total += np.outer(ds, x)
    dW = total / len(y) + penalty.strength * params["W"].T  # (C, D)
    grads = manual.loss_and_grads(softmax, params, X.T, y, penalty=penalty)[1]
    return relative_difference(grads["W"].T, dW)


def _by_each(function: Callable[[Array], Any], s: Array) -> Array:
    """Return central differences of a number or a vector by each score of s (C,), the last axis."""
    h = numeric.STEP
    return np.stack([(function(s + h * e) - function(s - h * e)) / (2 * h) for e in np.eye(len(s))], axis=-1)
