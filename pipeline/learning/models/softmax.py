"""Softmax classifier: affine - softmax cross-entropy, averaged over the samples."""

import numpy as np

from pipeline.learning.arrays import Array, Buffers, Params, affine, fresh, matmul
from pipeline.learning.losses import CROSS_ENTROPY, Reduction

LOSS = CROSS_ENTROPY
REDUCTION: Reduction = "mean"
HIDDEN_AXES: dict[str, int] = {}


def shapes(inputs: int, outputs: int, hidden: int = 0) -> dict[str, tuple[int, ...]]:
    """Return the parameters' shapes: W (D, C), b (C,)."""
    return {"W": (inputs, outputs), "b": (outputs,)}


def forward(params: Params, X: Array, buffer: Buffers = fresh) -> Params:
    """Return the scores, before the softmax."""
    W, b = params["W"], params["b"]
    return {"scores": affine(X, W, b, out=buffer("scores", X.shape[0], W.shape[1]))}  # (N, C)


def backward(
    params: Params,
    X: Array,
    hidden: Params,
    dscores: Array,
    buffer: Buffers = fresh,
) -> Params:
    """Return dW and db, from dscores (N, C)."""
    dW = matmul(X.T, dscores, out=buffer("dW", *params["W"].shape))  # (D, C) = (D, N)·(N, C)
    db = dscores.sum(0)  # (C,)
    return {"W": dW, "b": db}


def scores(params: Params, X: Array) -> Array:
    """Return the scores (N, C) of X (N, D), before the softmax."""
    return forward(params, X)["scores"]


def largest_curvature(X: np.ndarray) -> float:
    """Return a bound on the eigenvalues of the loss's Hessian, whatever the parameters, from X (N, D).

    The Hessian of one sample's loss by its scores, diag(p) - ppᵀ, is at most 1/2 (Böhning 1992); so that
    by the parameters is at most 1/2 of the largest eigenvalue of X̃ᵀX̃/N, with X̃ = [X, 1].
    """
    sums = X.sum(0)[:, None]  # (D, 1)
    products = np.block([[matmul(X.T, X), sums], [sums.T, np.full((1, 1), len(X))]])  # (D+1, D+1)
    return float(np.linalg.eigvalsh(products.astype(np.float64))[-1]) / (2 * len(X))
