"""The operations that models are written in, on NumPy arrays and torch tensors alike.

An operation that is given `out` writes its result there instead of allocating. The arrays to
write to come from a `Buffers` function: `fresh` hands out none, so every result is a new array
(which torch needs, to differentiate); a `Workspace` hands out the same array at every step.
"""

from collections.abc import Callable
from typing import Any, Protocol, TypeAlias

import numpy as np

Array: TypeAlias = Any  # numpy.ndarray or torch.Tensor; neither library's types cover both
Params: TypeAlias = dict[str, Array]
Buffers: TypeAlias = Callable[..., Any]


class Accumulator(Protocol):
    """An array to which products are added, where others are overwritten by them: see `blas.Sum`.

    Not that class itself: which BLAS adds, and how, is no matter of whoever computes without one.
    """

    @property
    def array(self) -> np.ndarray:
        """The array."""

    def add_product(self, A: np.ndarray, B: np.ndarray) -> None:
        """Add A (N, K) times B (K, M), in place; ValueError for other shapes."""


def fresh(name: str, *shape: int) -> None:
    """Hand out no array: the operation allocates its result."""


class Workspace:
    """Arrays by name and shape, made at their first use and overwritten at each later one.

    The result of a step is valid until the next step with the same workspace.
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._dtype = dtype
        self._arrays: dict[tuple[str, tuple[int, ...]], Any] = {}

    def __call__(self, name: str, *shape: int) -> Any:
        """Return the array of this name and shape, or the accumulator that was lent."""
        key = (name, shape)
        if key not in self._arrays:
            self._arrays[key] = np.empty(shape, self._dtype)
        return self._arrays[key]

    def lend(self, name: str, place: Accumulator) -> None:
        """Hand out `place` under the name from now on, instead of an array: what is written there adds up."""
        self._arrays[name, place.array.shape] = place


def matmul(A: Array, B: Array, out: Array | None = None) -> Array:
    """A (N, K) times B (K, M): (N, M); it is added to an `out` that is an Accumulator."""
    if out is None:
        return A @ B
    if isinstance(out, np.ndarray):
        return np.matmul(A, B, out=out)
    out.add_product(A, B)
    return out


def affine(X: Array, W: Array, b: Array, out: Array | None = None) -> Array:
    """X (N, D) times W (D, M), plus b (M,) in every row: (N, M)."""
    if hasattr(b, "addmm"):  # torch's own, which adds as it multiplies
        return b.addmm(X, W)
    if out is None:
        return X @ W + b
    np.matmul(X, W, out=out)
    out += b
    return out


def relu(z: Array, out: Array | None = None) -> Array:
    """max(z, 0), elementwise. torch's own has derivative 0 at exactly 0, as our backward does."""
    if hasattr(z, "relu"):
        return z.relu()
    # A row of zeros and not one 0: NumPy's loop over two arrays is several times as fast.
    return np.maximum(z, np.zeros(z.shape[-1:], z.dtype), out=out)


def relu_backward(dy: Array, y: Array) -> Array:
    """Let dy through where the ReLU's output y is positive; dy (N, H) is overwritten."""
    dy *= y > 0
    return dy


def sigmoid(z: Array) -> Array:
    """1 / (1 + exp(-z)), which overflows for no z: exp sees only -|z|.

    torch has its own: it would differentiate the |z| of ours to 0 at exactly 0.
    """
    if hasattr(z, "sigmoid"):
        return z.sigmoid()
    e = np.exp(-np.abs(z))
    return np.where(z >= 0, 1 / (1 + e), e / (1 + e))


def log_softmax(scores: Array) -> Array:
    """Log-probabilities of the classes, scores (N, C): (N, C), on NumPy class by class in memory.

    The shift keeps exp from overflowing.
    """
    if hasattr(scores, "log_softmax"):  # torch's own is one operation, forward and backward
        return scores.log_softmax(1)
    by_class = scores.T.copy()  # (C, N): NumPy's loops along rows of a few classes take three times as long
    shifted = by_class - by_class.max(axis=0)
    return (shifted - np.log(np.exp(shifted).sum(axis=0))).T


def of_labels(scores: Array, y: Array) -> Array:
    """Return of each row of scores (N, C) the element at the label y (N,), added up: a scalar."""
    if hasattr(scores, "log_softmax"):  # torch's own is one operation, forward and backward
        from torch.nn.functional import nll_loss  # which whoever has a tensor has imported

        return -nll_loss(scores, y, reduction="sum")
    return scores[np.arange(len(y)), y].sum()


def sum_of_squares(W: Array) -> Array:
    """ΣW² over all elements: a scalar."""
    flat = W.ravel()
    return flat @ flat
