"""Linear regression: affine - squared error, averaged over all elements."""

from pipeline.learning.arrays import Array, Buffers, Params, affine, fresh, matmul
from pipeline.learning.losses import SQUARED_ERROR, Reduction

LOSS = SQUARED_ERROR
REDUCTION: Reduction = "mean"
HIDDEN_AXES: dict[str, int] = {}


def shapes(inputs: int, outputs: int, hidden: int = 0) -> dict[str, tuple[int, ...]]:
    """Return the parameters' shapes: W (D, C), b (C,)."""
    return {"W": (inputs, outputs), "b": (outputs,)}


def forward(params: Params, X: Array, buffer: Buffers = fresh) -> Params:
    """Return the scores, which are the predictions."""
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
    """Return the predictions (N, C) of X (N, D)."""
    return forward(params, X)["scores"]
