"""A split of a dataset on disk: images.npy and labels.npy in a directory of its own."""

import hashlib
from pathlib import Path

import numpy as np

from pipeline.errors import UserError
from pipeline.files import replacing

IMAGES, LABELS = "images.npy", "labels.npy"
CLASSES = 10  # not mnist's: training on a split must not depend on where it came from
REMEDY = "remove it and run `dvc repro`, which makes it again"


def write(directory: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """Write images (N, D) float32 and labels (N,) of 0 to 9, as uint8, in place of what is there.

    Both files are complete before either is seen. Raises ValueError for arrays that `read` would refuse.
    """
    digits = labels.astype(np.uint8)
    if not np.array_equal(digits, labels):  # 256 would have become 0
        raise ValueError(f"{directory}: labels from {labels.min()} to {labels.max()}: not all fit uint8")
    if fault := _fault_of_images(images) or _fault_of_labels(digits, len(images)):
        raise ValueError(f"{directory}: {fault}")
    with replacing(directory) as new:
        np.save(new / IMAGES, np.ascontiguousarray(images), allow_pickle=False)
        np.save(new / LABELS, digits, allow_pickle=False)


def read(directory: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return images (N, D) float32 and labels (N,) uint8, mapped into memory and read-only.

    Raises UserError naming the file and the remedy where one is missing or damaged, where the two
    disagree on N, or where a label is no digit.
    """
    images, labels = _map(directory / IMAGES), _map(directory / LABELS)
    if fault := _fault_of_images(images):
        raise UserError(f"{directory / IMAGES}: {fault}; {REMEDY}")
    if fault := _fault_of_labels(labels, len(images)):
        raise UserError(f"{directory / LABELS}: {fault}; {REMEDY}")
    return images, labels


def digest(directory: Path) -> str:
    """Return the SHA-256, in hexadecimal, of the bytes of images.npy and then those of labels.npy.

    Raises UserError naming the file where one can't be read.
    """
    both = hashlib.sha256()
    for path in (directory / IMAGES, directory / LABELS):
        try:
            with path.open("rb") as file:
                hashlib.file_digest(file, lambda: both)
        except OSError as error:
            raise UserError(f"{path}: {error.strerror}; {REMEDY}") from error
    return both.hexdigest()


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
