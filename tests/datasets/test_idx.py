from contextlib import suppress

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from pipeline.datasets.idx import parse_idx
from pipeline.errors import UserError
from tests.datasets.fake_sources import idx

arrays = hnp.arrays(np.uint8, hnp.array_shapes(max_dims=4, max_side=6))


@given(arrays)
def test_what_is_written_in_idx_is_read_back(array: np.ndarray) -> None:
    read = parse_idx(idx(array), "x")
    assert read.dtype == np.uint8
    np.testing.assert_array_equal(read, array, strict=True)


@given(arrays, st.data())
def test_a_file_cut_short_anywhere_is_refused(array: np.ndarray, data: st.DataObject) -> None:
    whole = idx(array)
    cut = data.draw(st.integers(0, len(whole) - 1))
    with pytest.raises(UserError, match=r"^x: (is cut short|starts with)"):
        parse_idx(whole[:cut], "x")


@given(arrays, st.binary(min_size=1))
def test_trailing_bytes_are_refused(array: np.ndarray, more: bytes) -> None:
    with pytest.raises(UserError, match="trailing bytes"):
        parse_idx(idx(array) + more, "x")


@given(arrays, st.data())
def test_any_other_header_byte_is_refused(array: np.ndarray, data: st.DataObject) -> None:
    whole = bytearray(idx(array))
    position = data.draw(st.integers(0, 3 + 4 * array.ndim))
    whole[position] ^= data.draw(st.integers(1, 255))
    with pytest.raises(UserError, match=r"^x: "):
        parse_idx(bytes(whole), "x", shape=array.shape)


@given(st.binary())
def test_no_bytes_at_all_make_anything_but_a_user_error(data: bytes) -> None:
    with suppress(UserError):
        assert parse_idx(data, "x").nbytes < len(data)


def test_absurd_dimensions_are_refused_before_they_are_allocated() -> None:
    bomb = bytes([0, 0, 8, 3]) + b"\xff" * 12 + b"data"
    with pytest.raises(
        UserError, match=r"bomb: is cut short: 20 bytes where .* says 79228162458924105385300197391"
    ):
        parse_idx(bomb, "bomb")


@pytest.mark.parametrize(
    ("dimensions", "body", "words"),
    [
        ((0, *[2**31] * 9), b"", "is that of no array"),
        ((1,) * 65, b"x", "1×1×1×1×1×1×1×1×… is that of no array"),
        ((2**32 - 1,) * 255, b"", "says over 10³⁰"),
    ],
)
def test_a_header_beyond_what_an_array_can_be_is_refused_in_one_line(
    dimensions: tuple[int, ...], body: bytes, words: str
) -> None:
    header = bytes([0, 0, 8, len(dimensions)]) + b"".join(each.to_bytes(4, "big") for each in dimensions)
    with pytest.raises(UserError, match=words.replace("… is", r"…\) is")) as refused:
        parse_idx(header + body, "x")
    assert len(str(refused.value)) < 300


def test_another_shape_than_asked_for_is_named_with_what_was_found() -> None:
    with pytest.raises(UserError, match="x: holds 2×3 elements where 3×2 were expected"):
        parse_idx(idx(np.zeros((2, 3))), "x", shape=(3, 2))


def test_a_compressed_file_is_told_from_a_damaged_one() -> None:
    with pytest.raises(UserError, match=r"starts with 1f8b0808.* still compressed"):
        parse_idx(bytes.fromhex("1f8b080800000000"), "x")
