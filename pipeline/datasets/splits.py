"""A split of a dataset on disk: images.npy and labels.npy in a directory of its own.

Beside them stands SHA256SUMS, as `sha256sum --check` reads it. DVC goes by size and modification time, and
takes what is in its cache unread: only these sums tell of a bit that has flipped since.
"""

import hashlib
import os
from collections.abc import Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UserError
from pipeline.files import replacing, write_json, write_text

IMAGES, LABELS, SUMS = "images.npy", "labels.npy", "SHA256SUMS"
CLASSES = 10  # not mnist's: training on a split must not depend on where it came from
REMEDY = "remove it and run `dvc repro`, which makes it again"


def write(
    directory: Path,
    images: np.ndarray,
    labels: np.ndarray,
    *,
    notes: Mapping[str, Any] | None = None,
    beside: Path | None = None,
) -> None:
    """Write images (N, D) float32 and labels (N,) of 0 to 9, as uint8, in place of what is there.

    `notes` are JSON files of the directory, by name; `beside` is a file outside of it that belongs to the
    images: `read` verifies its bytes as well. All is complete before any of it is seen. Raises ValueError
    for arrays that `read` would refuse.
    """
    digits = labels.astype(np.uint8)
    if not np.array_equal(digits, labels):  # 256 would have become 0
        raise ValueError(f"{directory}: labels from {labels.min()} to {labels.max()}: not all fit uint8")
    if fault := _fault_of_images(images) or _fault_of_labels(digits, len(images)):
        raise ValueError(f"{directory}: {fault}")
    with replacing(directory) as new:
        np.save(new / IMAGES, np.ascontiguousarray(images), allow_pickle=False)
        np.save(new / LABELS, digits, allow_pickle=False)
        for name, value in (notes or {}).items():
            write_json(new / name, value)
        seal(new, [*(notes or {}), *([os.path.relpath(beside, directory)] if beside else [])])


def seal(directory: Path, others: Iterable[str] = ()) -> None:
    """Write the sums of images and labels, and of other files by their paths from the directory."""
    names = [IMAGES, LABELS, *others]
    write_text(
        directory / SUMS, "".join(f"{_hash(directory / name).hexdigest()}  {name}\n" for name in names)
    )


def read(directory: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, D) float32 and labels (N,) uint8, mapped into memory and read-only.

    Raises UserError naming the file and the remedy where one is missing or is not, to the bit, what was
    written, where the two disagree on N, or where a label is no digit.
    """
    images, labels = _map(directory / IMAGES), _map(directory / LABELS)
    if fault := _fault_of_images(images):
        raise UserError(f"{directory / IMAGES}: {fault}; {REMEDY}")
    if fault := _fault_of_labels(labels, len(images)):
        raise UserError(f"{directory / LABELS}: {fault}; {REMEDY}")
    digest(directory)
    return images, labels


def digest(directory: Path) -> str:
    """Return the SHA-256, in hexadecimal, of the bytes of images.npy and then those of labels.npy.

    Raises UserError naming the file and the remedy where one is missing or is not, to the bit, what was
    written.
    """
    sums = directory / SUMS
    for name, written in _sums(sums).items():
        path = Path(os.path.normpath(directory / name))
        try:
            found = _hash(directory / name).hexdigest()
        except OSError as error:
            raise UserError(f"{sums}: {path}: {error.strerror}; {REMEDY}") from error
        if found != written:
            raise UserError(
                f"{path}: changed since it was written: SHA-256 {found[:12]}… where {sums} says "
                f"{written[:12]}…; {REMEDY}"
            )
    both = _hash(directory / IMAGES).copy()
    both.update((directory / LABELS).read_bytes())
    return both.hexdigest()


def _sums(path: Path) -> dict[str, str]:
    try:
        lines = [line.split("  ") for line in path.read_text(encoding="utf-8").splitlines()]
        sums = {name: written for written, name in lines}
    except OSError as error:
        raise UserError(f"{path}: {error.strerror}; {REMEDY}") from error
    except ValueError as error:
        raise UserError(f"{path}: no line of a sum and a name ({error}); {REMEDY}") from error
    if missing := {IMAGES, LABELS} - sums.keys():
        raise UserError(f"{path}: says nothing of {min(missing)}; {REMEDY}")
    return sums


def _hash(path: Path) -> "hashlib._Hash":
    state = path.stat()
    return _hash_once(path.resolve(), state.st_ino, state.st_size, state.st_mtime_ns)


@lru_cache(maxsize=16)  # a stage reads a split, and its record names the digest: one pass over the bytes
def _hash_once(path: Path, *state: int) -> "hashlib._Hash":
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256")


def _map(path: Path) -> np.ndarray:
    try:
        array: np.ndarray = np.load(path, mmap_mode="r", allow_pickle=False)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}; {REMEDY}") from error
    except (ValueError, EOFError) as error:
        raise UserError(f"{path}: not a whole .npy file ({error}); {REMEDY}") from error
    return array


def _fault_of_images(images: np.ndarray) -> str | None:
    if images.dtype != np.float32 or images.ndim != 2:
        return f"{images.dtype} of shape {images.shape} where float32 (N, D) was expected"
    return None


def _fault_of_labels(labels: np.ndarray, samples: int) -> str | None:
    if labels.dtype != np.uint8 or labels.shape != (samples,):
        return f"{labels.dtype} of shape {labels.shape} where uint8 ({samples},) was expected"
    if labels.max(initial=0) >= CLASSES:
        return f"label {labels.max()}: only 0 to {CLASSES - 1} are digits"
    return None
