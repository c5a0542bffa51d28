"""The IDX format of the MNIST files: a magic number, the dimensions, then the bytes.

Big-endian throughout: 0, 0, the type's code, the number of dimensions, each dimension as an unsigned
32-bit integer, and the elements with the last index running fastest.
"""

import math
import struct

import numpy as np

from pipeline.errors import UserError

UNSIGNED_BYTE = 0x08
# Of a header that claims the absurd, a message shows so many dimensions, and no larger number of bytes.
SHOWN, LARGEST = 8, 10**30


def parse_idx(data: bytes, name: str, *, shape: tuple[int, ...] | None = None) -> np.ndarray:
    """Return the content of an IDX file of unsigned bytes: a read-only uint8 array of its own dimensions.

    Raises UserError with `name`, which stands for the file, and what was found where that is no IDX file of
    unsigned bytes, is shorter or longer than its header says, or has another shape than the one asked for.
    """
    found = _dimensions(data, name)
    if shape is not None and found != shape:
        raise UserError(f"{name}: holds {_times(found)} elements where {_times(shape)} were expected")
    # Before anything is allocated: a header can claim 2^32 elements in each dimension.
    header = 4 + 4 * len(found)
    expected = header + math.prod(found)
    if len(data) != expected:
        fault = "is cut short" if len(data) < expected else "has trailing bytes"
        says = expected if expected < LARGEST else "over 10³⁰"
        raise UserError(f"{name}: {fault}: {len(data)} bytes where its header ({_times(found)}) says {says}")
    try:
        return np.frombuffer(data, np.uint8, offset=header).reshape(found)
    except ValueError as error:  # too many dimensions for NumPy, or one of 0 beside others that are too large
        raise UserError(f"{name}: its header ({_times(found)}) is that of no array") from error


def _dimensions(data: bytes, name: str) -> tuple[int, ...]:
    magic = data[:4]
    if len(magic) < 4 or magic[:3] != bytes([0, 0, UNSIGNED_BYTE]) or magic[3] == 0:
        raise UserError(
            f"{name}: starts with {magic.hex() or 'nothing'}, not with 000008 and a number of dimensions: "
            "no IDX file of unsigned bytes (is it still compressed?)"
        )
    if len(data) < 4 + 4 * magic[3]:
        raise UserError(f"{name}: is cut short: it ends inside its header of {magic[3]} dimensions")
    return struct.unpack_from(f">{magic[3]}I", data, offset=4)


def _times(shape: tuple[int, ...]) -> str:
    """Return the shape for a message: of a header with up to 255 dimensions, only the first."""
    return "×".join([*map(str, shape[:SHOWN]), *(["…"] if len(shape) > SHOWN else [])])
