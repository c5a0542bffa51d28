"""Two-layer network: affine - ReLU - affine - softmax cross-entropy, averaged over the samples."""

from pipeline.learning.arrays import Array, Buffers, Params, affine, fresh, matmul, relu, relu_backward
from pipeline.learning.losses import CROSS_ENTROPY, Reduction

LOSS = CROSS_ENTROPY
REDUCTION: Reduction = "mean"
HIDDEN_AXES = {"W1": 1, "b1": 0, "W2": 0}


def shapes(inputs: int, outputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Return the parameters' shapes: W1 (D, H), b1 (H,), W2 (H, C), b2 (C,)."""
    return {"W1": (inputs, hidden), "b1": (hidden,), "W2": (hidden, outputs), "b2": (outputs,)}


def forward(params: Params, X: Array, buffer: Buffers = fresh) -> Params:
    """Return the hidden activations a1 and the scores."""
    W1, b1, W2, b2 = (params[name] for name in ("W1", "b1", "W2", "b2"))
    N, (H, C) = X.shape[0], W2.shape
    a1 = buffer("a1", N, H)
    a1 = relu(affine(X, W1, b1, out=a1), out=a1)  # (N, H)
    scores = affine(a1, W2, b2, out=buffer("scores", N, C))  # (N, C)
    return {"a1": a1, "scores": scores}


def backward(params: Params, X: Array, hidden: Params, dscores: Array, buffer: Buffers = fresh) -> Params:
    """Return dW1, db1, dW2 and db2, from dscores (N, C): the layers' products in reverse."""
    W1, W2, a1 = params["W1"], params["W2"], hidden["a1"]
    dW2 = matmul(a1.T, dscores, out=buffer("dW2", *W2.shape))  # (H, C) = (H, N)·(N, C)
    db2 = dscores.sum(0)  # (C,)
    da1 = matmul(dscores, W2.T, out=buffer("da1", *a1.shape))  # (N, H) = (N, C)·(C, H)
    dz1 = relu_backward(da1, a1)  # (N, H)
    dW1 = matmul(X.T, dz1, out=buffer("dW1", *W1.shape))  # (D, H) = (D, N)·(N, H)
    db1 = dz1.sum(0)  # (H,)
    return {"W1": dW1, "b1": db1, "W2": dW2, "b2": db2}


def scores(params: Params, X: Array) -> Array:
    """Return the scores (N, C) of X (N, D), before the softmax."""
    return forward(params, X)["scores"]
