"""Additions in place, as a BLAS makes them: C ← AB + C while it multiplies, and y ← ax + y in one pass.

NumPy asks its BLAS for products only, and would add them in a pass of its own. Where NumPy comes with the
OpenBLAS of its wheels, that is asked directly; where it has another BLAS, NumPy computes and adds in two
passes.
"""

import ctypes
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any, NamedTuple

import numpy as np
from threadpoolctl import ThreadpoolController

# Of cblas.h: rows one after another; a matrix as it lies there, or the transpose of what does.
ROW_MAJOR, AS_IT_LIES, TRANSPOSED = 101, 111, 112
# The letter by which a BLAS calls the numbers that it computes with, and their type in C.
TYPES = {np.dtype(np.float32): ("s", ctypes.c_float), np.dtype(np.float64): ("d", ctypes.c_double)}
# Numbers in a result below which asking for it directly takes longer than a second pass.
SMALL = 1 << 14


class Sum:
    """An array to which results are added, where other arrays are overwritten by them."""

    def __init__(self, array: np.ndarray) -> None:
        """Take the array (N, M) or (N,), of floating-point numbers in any layout, to write to it."""
        self._array, self._address = array, array.ctypes.data
        self._routines = _openblas(array.dtype) if array.flags.carray else None

    @property
    def array(self) -> np.ndarray:
        """The array that was taken, and no other later: a BLAS knows it by its address."""
        return self._array

    def add_product(self, A: np.ndarray, B: np.ndarray) -> None:
        """Add A (N, K) times B (K, M), which don't overlap with the array; ValueError for other shapes."""
        array, (N, K), (inner, M) = self._array, A.shape, B.shape
        if inner != K or array.shape != (N, M):
            raise ValueError(f"shapes {A.shape} and {B.shape} have no product of shape {array.shape}")
        small = N * M < SMALL or K == 0
        if self._routines is None or small or not (self._may_read(A) and self._may_read(B)):
            array += np.matmul(A, B, out=self._scratch)
            return
        order_of_A, address_of_A, line_of_A = _matrix(A)
        order_of_B, address_of_B, line_of_B = _matrix(B)
        self._routines.gemm(
            *(ROW_MAJOR, order_of_A, order_of_B, N, M, K),
            *(1.0, address_of_A, line_of_A, address_of_B, line_of_B),
            *(1.0, self._address, M),
        )

    def add_multiple(self, factor: float, other: "Sum") -> None:
        """Add `factor` times another array, which doesn't overlap; ValueError where the shapes differ."""
        array, x = self._array, other._array
        if array.shape != x.shape:
            raise ValueError(f"a multiple of shape {x.shape} can't be added to shape {array.shape}")
        if self._routines is None or self._routines is not other._routines:
            array += np.multiply(x, factor, out=self._scratch)
            return
        self._routines.axpy(array.size, factor, other._address, 1, self._address, 1)

    @cached_property
    def _scratch(self) -> np.ndarray:
        return np.empty_like(self._array)

    def _may_read(self, matrix: np.ndarray) -> bool:
        return matrix.dtype == self._array.dtype and matrix.flags.forc and matrix.flags.aligned


def _matrix(array: np.ndarray) -> tuple[int, int, int]:
    """Return how a contiguous matrix lies in memory, where, and how long its lines are there."""
    if array.flags.c_contiguous:
        return AS_IT_LIES, array.ctypes.data, array.shape[1]
    return TRANSPOSED, array.ctypes.data, array.shape[0]


class _Routines(NamedTuple):
    gemm: Callable[..., None]
    axpy: Callable[..., None]


@cache
def _openblas(dtype: np.dtype[Any]) -> _Routines | None:
    """Return the routines of the OpenBLAS in NumPy's wheels for numbers of a type; None where there are none.

    The suffix of their names says that sizes are of 64 bits: those of no other library are known to be.
    """
    if dtype not in TYPES:
        return None
    letter, number = TYPES[dtype]
    for library in ThreadpoolController().select(internal_api="openblas").lib_controllers:
        gemm, axpy = (
            getattr(library.dynlib, f"scipy_cblas_{letter}{name}64_", None) for name in ("gemm", "axpy")
        )
        if gemm and axpy:
            size, array, choice = ctypes.c_int64, ctypes.c_void_p, ctypes.c_int
            matrix = (array, size)
            gemm.argtypes = (*[choice] * 3, *[size] * 3, number, *matrix, *matrix, number, *matrix)
            axpy.argtypes = (size, number, *matrix, *matrix)
            gemm.restype = axpy.restype = None
            return _Routines(gemm, axpy)
    return None
