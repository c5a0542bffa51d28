"""What makes the manual engine fast, taken back: one thing at a time, to see what it gains."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.learning import arrays, blas, tensor_parallel, training
from pipeline.learning.gradients import manual


def ranks() -> None:
    """Train by one process, whose BLAS has all threads."""
    tensor_parallel._size = lambda *anything: 1


def reused_arrays() -> None:
    """Allocate the result of every operation."""

    class Fresh(arrays.Workspace):
        __call__ = staticmethod(arrays.fresh)

    training.Workspace = Fresh


def single_copy() -> None:
    """Gather a minibatch in NumPy's default mode, which copies it a second time."""
    take = np.take
    manual.np = _Patched(take=lambda *args, mode, **more: take(*args, mode="raise", **more))


def gradient_in_place() -> None:
    """Write every product to an array of its own, and add it in a pass of its own, as NumPy does."""

    def in_two_passes(self: blas.Sum, A: np.ndarray, B: np.ndarray) -> None:
        array = self.array
        array += np.matmul(A, B, out=self._scratch)

    blas.Sum.add_product = in_two_passes


def update_in_place() -> None:
    """Write what the weights and the sum are moved by to an array of its own, and add it in a second pass."""

    def in_two_passes(self: blas.Sum, factor: float, other: blas.Sum) -> None:
        array = self.array
        array += np.multiply(other.array, factor, out=self._scratch)

    blas.Sum.add_multiple = in_two_passes


def rate_at_the_start() -> None:
    """Multiply every gradient by the learning rate, not the gradient of the scores that all come from."""
    differentiate, own = manual.differentiate, dict[Any, arrays.Workspace]()

    def later(*args: Any, rate: float, buffer: Any, **more: Any) -> Any:
        apart = own.setdefault(buffer, arrays.Workspace(args[2].dtype))  # where nothing is lent
        loss, grads = differentiate(*args, rate=1.0, buffer=apart, **more)
        for grad in grads.values():
            grad *= rate
        return loss, grads

    manual.differentiate = later


def penalty_in_place() -> None:
    """Compute the penalty's gradient as an array of its own, weight by weight, and add that."""
    step = manual.Moving.step

    def apart(self: Any, downhill: Any, momentum: float, shrinkage: float) -> None:
        for name, place in self.sums.items():
            array = place.array
            array += self.scale * shrinkage * self.values[name]
        step(self, downhill, momentum, 0.0)

    manual.Moving.step = apart


def float32() -> None:
    """Compute in float64, as NumPy does unless told otherwise."""
    convert = manual.to_native

    def doubled(array: np.ndarray, device: str) -> np.ndarray:
        return convert(array.astype(np.float64) if array.dtype == np.float32 else array, device)

    manual.to_native = doubled


class _Patched:
    """NumPy, but for a few functions."""

    def __init__(self, **functions: Any) -> None:
        self.__dict__.update(functions)

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)


STEPS: dict[str, Callable[[], None]] = {
    "ranks": ranks,
    "float32": float32,
    "reused-arrays": reused_arrays,
    "single-copy": single_copy,
    "gradient-in-place": gradient_in_place,
    "update-in-place": update_in_place,
    "rate-at-the-start": rate_at_the_start,
    "penalty-in-place": penalty_in_place,
}
