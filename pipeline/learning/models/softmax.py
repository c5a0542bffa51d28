"""Softmax classifier: affine - softmax cross-entropy, averaged over the samples."""

from pipeline.learning.arrays import Array, Buffers, Params, affine, fresh, matmul
from pipeline.learning.losses import CROSS_ENTROPY, Reduction

LOSS = CROSS_ENTROPY
REDUCTION: Reduction = "mean"


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
