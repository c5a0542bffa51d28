"""Two-layer ReLU regression without biases: linear - ReLU - linear - sum of squared errors."""

from pipeline.learning.arrays import Array, Buffers, Params, fresh, matmul, relu, relu_backward
from pipeline.learning.losses import SQUARED_ERROR, Reduction

LOSS = SQUARED_ERROR
REDUCTION: Reduction = "sum"
HIDDEN_AXES = {"W1": 1, "W2": 0}


def shapes(inputs: int, outputs: int, hidden: int) -> dict[str, tuple[int, ...]]:
    """Return the parameters' shapes: W1 (D, H), W2 (H, C)."""
    return {"W1": (inputs, hidden), "W2": (hidden, outputs)}


def forward(params: Params, X: Array, buffer: Buffers = fresh) -> Params:
    """Return the hidden activations a1 and the scores, which are the predictions."""
    W1, W2 = params["W1"], params["W2"]
    N, (H, C) = X.shape[0], W2.shape
    a1 = buffer("a1", N, H)
    a1 = relu(matmul(X, W1, out=a1), out=a1)  # (N, H)
    scores = matmul(a1, W2, out=buffer("scores", N, C))  # (N, C)
    return {"a1": a1, "scores": scores}


def backward(params: Params, X: Array, hidden: Params, dscores: Array, buffer: Buffers = fresh) -> Params:
    """Return dW1 and dW2, from dscores (N, C): the layers' products in reverse."""
    W1, W2, a1 = params["W1"], params["W2"], hidden["a1"]
    dW2 = matmul(a1.T, dscores, out=buffer("dW2", *W2.shape))  # (H, C) = (H, N)·(N, C)
    da1 = matmul(dscores, W2.T, out=buffer("da1", *a1.shape))  # (N, H) = (N, C)·(C, H)
    dz1 = relu_backward(da1, a1)  # (N, H)
    dW1 = matmul(X.T, dz1, out=buffer("dW1", *W1.shape))  # (D, H) = (D, N)·(N, H)
    return {"W1": dW1, "W2": dW2}


def scores(params: Params, X: Array) -> Array:
    """Return the predictions (N, C) of X (N, D)."""
    return forward(params, X)["scores"]
