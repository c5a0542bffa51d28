"""What makes the manual engine fast, taken back: one thing at a time, to see what it gains."""

from collections.abc import Callable
from typing import Any

import numpy as np

from pipeline.learning import arrays, sgd, tensor_parallel, training
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


def rate_at_the_start() -> None:
    """Multiply every gradient by the learning rate, not the gradient of the scores that all come from."""
    differentiate = manual.differentiate

    def later(*args: Any, rate: float, **more: Any) -> Any:
        loss, grads = differentiate(*args, rate=1.0, **more)
        for grad in grads.values():
            grad *= rate
        return loss, grads

    manual.differentiate = later


def fused_penalty() -> None:
    """Add the penalty to the gradients in a pass of its own."""
    step = sgd.Momentum.step

    def apart(self: Any, downhill: Any, shrinkage: float) -> None:
        for penalised, moving in self._moving:
            for name, value in moving.values.items() if penalised else ():
                downhill[name] += shrinkage * value
        step(self, downhill)

    sgd.Momentum.step = apart


def product() -> None:
    """Update by an operation for each term of the step."""

    def terms(self: Any, step: Any) -> None:
        before, at, after = (self._rows[row] for row in self._turn)
        np.subtract(at, before, out=after)
        after *= step.momentum
        after -= self._rows[self._GRADIENT]
        if step.shrinkage:
            after -= np.multiply(at, step.shrinkage, out=before)
        after += at
        self._steps += 1

    manual.Moving._advance = terms


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
    "rate-at-the-start": rate_at_the_start,
    "fused-penalty": fused_penalty,
    "product": product,
}
