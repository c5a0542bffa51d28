"""Additions in place: what NumPy would compute, whatever the arrays are and wherever they lie."""

import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from pipeline.learning import blas
from pipeline.learning.blas import Sum

# As many numbers as are asked of the BLAS directly, and too few for it.
LARGE, FEW = (160, 24, 128), (5, 3, 2)
SIZES = pytest.mark.parametrize("sizes", [LARGE, FEW], ids=["large", "few"])
FLOATS = pytest.mark.parametrize("dtype", [np.float32, np.float64])
WAYS = pytest.mark.parametrize("asked", [True, False], ids=["BLAS", "NumPy"])
Layout = Callable[[np.ndarray], np.ndarray]


def every_other_row(array: np.ndarray) -> np.ndarray:
    return np.repeat(array, 2, axis=0)[::2]


def of_the_other_byte_order(array: np.ndarray) -> np.ndarray:
    return array.astype(array.dtype.newbyteorder())


def off_its_place(array: np.ndarray) -> np.ndarray:
    """Copy the array to where its numbers begin in the middle of a word."""
    memory = np.zeros(array.nbytes + 1, np.uint8)[1:]
    moved = memory.view(array.dtype).reshape(array.shape)
    moved[:] = array
    return moved


LAYOUTS: list[Layout] = [
    np.ascontiguousarray,
    np.asfortranarray,
    every_other_row,
    of_the_other_byte_order,
    off_its_place,
]


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a test is run in both ways: as if NumPy had another BLAS."""
    if "asked" in request.fixturenames and not request.getfixturevalue("asked"):
        monkeypatch.setattr(blas, "_openblas", lambda dtype: None)


def drawn(*shape: int, dtype: Any) -> np.ndarray:
    return np.random.default_rng(len(shape)).standard_normal(shape).astype(dtype)


def assert_close(found: np.ndarray, expected: np.ndarray, terms: int) -> None:
    """Equal but for the rounding of a sum of so many terms of about 1."""
    np.testing.assert_allclose(found, expected, rtol=0, atol=8 * terms * np.finfo(found.dtype).eps)


@WAYS
@SIZES
@FLOATS
@pytest.mark.parametrize("right", LAYOUTS)
@pytest.mark.parametrize("left", LAYOUTS)
def test_a_product_is_added_however_the_matrices_lie(
    left: Layout, right: Layout, sizes: tuple[int, int, int], dtype: type, asked: bool
) -> None:
    rows, inner, columns = sizes
    A, B = drawn(rows, inner, dtype=dtype), drawn(inner, columns, dtype=dtype)
    start = drawn(rows, columns, dtype=dtype)
    place = Sum(start.copy())
    for times in (1, 2):
        place.add_product(left(A), right(B))
        expected = start.astype(np.float64) + times * (A.astype(np.float64) @ B.astype(np.float64))
        assert_close(place.array, expected, inner)


@WAYS
@SIZES
@FLOATS
@pytest.mark.parametrize("layout", LAYOUTS)
def test_it_is_added_to_an_array_that_lies_anyhow_and_to_nothing_beside_it(
    layout: Layout, sizes: tuple[int, int, int], dtype: type, asked: bool
) -> None:
    rows, inner, columns = sizes
    A, B = drawn(rows, inner, dtype=dtype), drawn(inner, columns, dtype=dtype)
    expected = A.astype(np.float64) @ B.astype(np.float64)
    place = Sum(layout(np.zeros((rows, columns), dtype)))
    place.add_product(A, B)
    assert_close(place.array.astype(dtype), expected, inner)
    memory = np.full(rows * columns + 64, 7, dtype)
    within = memory[32:-32].reshape(rows, columns)
    within[:] = 0
    Sum(within).add_product(A, B)
    assert_close(within, expected, inner)
    assert (memory[:32] == 7).all()
    assert (memory[-32:] == 7).all()


@WAYS
@FLOATS
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("size", [1, 17, 40_000])
def test_a_multiple_is_added_and_to_nothing_beside(
    size: int, layout: Layout, dtype: type, asked: bool
) -> None:
    x, memory = drawn(size, dtype=dtype), np.full(size + 64, 7, dtype)
    within = memory[32:-32]
    Sum(within).add_multiple(-0.3, Sum(layout(x)))
    assert_close(within, 7 - 0.3 * x.astype(np.float64), 8)
    assert (memory[:32] == 7).all()
    assert (memory[-32:] == 7).all()


@WAYS
def test_what_is_added_stays_as_it_is(asked: bool) -> None:
    A, B, place = np.ones((160, 24)), np.ones((24, 128)), Sum(np.zeros((160, 128)))
    place.add_product(A, B)
    other = Sum(np.ones((160, 128)))
    place.add_multiple(2.0, other)
    for array in (A, B, other.array):
        np.testing.assert_array_equal(array, 1)
    np.testing.assert_array_equal(place.array, 26)


@WAYS
def test_a_product_over_nothing_adds_nothing(asked: bool) -> None:
    place = Sum(np.ones((200, 200)))
    place.add_product(np.ones((200, 0)), np.ones((0, 200)))
    np.testing.assert_array_equal(place.array, 1)


@pytest.mark.parametrize("layout", [every_other_row, of_the_other_byte_order, off_its_place])
def test_a_blas_is_handed_nothing_that_its_interface_does_not_allow(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blas, "_openblas", lambda dtype: blas._Routines(refused, refused))
    A, B, place = np.ones((160, 24)), np.ones((24, 128)), Sum(np.zeros((160, 128)))
    place.add_product(layout(A), B)
    place.add_product(A, layout(B))
    place.add_product(A[:, :0], B[:0])  # lines hold at least one number
    place.add_product(A.astype(np.float32), B)
    Sum(layout(np.zeros((160, 128)))).add_product(A, B)
    Sum(layout(np.zeros((160, 128)))).add_multiple(1.0, place)
    place.add_multiple(1.0, Sum(layout(np.ones((160, 128)))))
    np.testing.assert_array_equal(place.array, 3 * 24 + 1)


def refused(*arguments: Any) -> None:
    raise AssertionError("the BLAS was asked")


@WAYS
def test_a_multiple_of_another_type_is_added(asked: bool) -> None:
    x, place = drawn(160, 128, dtype=np.float32), Sum(np.ones((160, 128)))
    place.add_multiple(0.5, Sum(x))
    assert_close(place.array, 1 + 0.5 * x.astype(np.float64), 8)


def test_a_sum_stays_that_of_the_array_it_took() -> None:
    place = Sum(np.zeros((160, 128)))
    with pytest.raises(AttributeError, match="no setter"):
        place.array = np.zeros((160, 128))  # type: ignore[misc]


@WAYS
def test_shapes_that_do_not_fit_are_refused_and_nothing_is_written(asked: bool) -> None:
    place = Sum(np.zeros((160, 128)))
    for left, right in (((160, 24), (23, 128)), ((160, 24), (24, 1)), ((1, 24), (24, 128))):
        with pytest.raises(ValueError, match=r"have no product of shape \(160, 128\)$"):
            place.add_product(np.ones(left), np.ones(right))
    for shape in [(128,), (128, 160)]:
        told = re.escape(f"a multiple of shape {shape} can't be added to shape (160, 128)")
        with pytest.raises(ValueError, match=f"^{told}$"):
            place.add_multiple(1.0, Sum(np.ones(shape)))
    assert not place.array.any()


@WAYS
def test_an_array_that_may_not_be_written_is_refused(asked: bool) -> None:
    held = np.zeros((160, 128))
    held.flags.writeable = False
    with pytest.raises(ValueError, match="read-only"):
        Sum(held).add_product(np.ones((160, 24)), np.ones((24, 128)))
    assert not held.any()


def test_the_blas_of_numpys_wheels_is_asked_directly() -> None:
    wheels = [each for each in threadpool_info() if "libscipy_openblas64_" in each["filepath"]]
    if not wheels:
        pytest.skip("NumPy has another BLAS here")
    assert blas._openblas(np.dtype(np.float32)) is not None
    assert blas._openblas(np.dtype(np.float64)) is not None
    assert blas._openblas(np.dtype(np.int64)) is None


def test_no_second_array_is_made_where_the_blas_adds() -> None:
    if blas._openblas(np.dtype(np.float32)) is None:
        pytest.skip("NumPy has another BLAS here")
    place = Sum(np.zeros((160, 128), np.float32))
    place.add_product(np.ones((24, 160), np.float32).T, np.ones((24, 128), np.float32))
    place.add_multiple(1.0, Sum(np.ones((160, 128), np.float32)))
    assert "_scratch" not in vars(place)
    np.testing.assert_array_equal(place.array, 25)
