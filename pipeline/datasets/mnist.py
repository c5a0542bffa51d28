"""The four canonical files of MNIST, and the arrays in them."""

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.datasets.idx import parse_idx
from pipeline.errors import UserError

CLASSES = 10


@dataclass(frozen=True)
class IdxFile:
    """What a decompressed IDX file must be: the SHA-256 of its bytes and its dimensions."""

    sha256: str
    shape: tuple[int, ...]

    @property
    def size(self) -> int:
        """Bytes: the magic number, four for each dimension, and one for each element."""
        return 4 + 4 * len(self.shape) + math.prod(self.shape)


FILES: Mapping[str, IdxFile] = {
    "train-images-idx3-ubyte": IdxFile(
        "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db", (60_000, 28, 28)
    ),
    "train-labels-idx1-ubyte": IdxFile(
        "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5", (60_000,)
    ),
    "t10k-images-idx3-ubyte": IdxFile(
        "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7", (10_000, 28, 28)
    ),
    "t10k-labels-idx1-ubyte": IdxFile(
        "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2", (10_000,)
    ),
}


@dataclass(frozen=True)
class Mnist:
    """Images of 28×28 pixels, 0 to 255, and their digits; every array is read-only uint8."""

    train_images: np.ndarray  # (60000, 28, 28)
    train_labels: np.ndarray  # (60000,)
    test_images: np.ndarray  # (10000, 28, 28)
    test_labels: np.ndarray  # (10000,)


def load(directory: Path, *, files: Mapping[str, IdxFile] = FILES) -> Mnist:
    """Read the four files, in the order of the table, each verified before a byte of it is used.

    Raises UserError naming the file, what was found and the remedy where one is missing or is not, to
    the bit, the canonical file, or where a label is no digit.
    """
    arrays = [_read(directory / name, expected) for name, expected in files.items()]
    return Mnist(*arrays)


def _read(path: Path, expected: IdxFile) -> np.ndarray:
    try:
        with path.open("rb") as file:
            data = file.read(expected.size + 1)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; `dvc repro fetch` brings the file") from error
    found = hashlib.sha256(data).hexdigest()
    if found != expected.sha256:
        # DVC itself may not see the change: it trusts size and modification time. A missing file it sees.
        raise UserError(
            f"{path}: not the canonical file: SHA-256 {found[:12]}… where {expected.sha256[:12]}… was "
            "expected; remove it and run `dvc repro`, which brings it again"
        )
    array = parse_idx(data, str(path), shape=expected.shape)
    if array.ndim == 1 and array.max(initial=0) >= CLASSES:
        raise UserError(f"{path}: label {array.max()}: only 0 to {CLASSES - 1} are digits")
    return array
