"""The images of a split as they were before they were standardised: for models that take raw pixels."""

from pathlib import Path

import numpy as np

from pipeline.datasets import normalization, splits
from pipeline.errors import UserError


def read(split: Path, standardization: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return a split's raw pixels uint8 (N, 784), exactly, and labels uint8 (N,).

    `standardization` is the file with the mean and deviation that the split was made with. Raises UserError
    where one of them is missing or damaged, and where they don't belong together.
    """
    if not split.is_dir():
        raise UserError(f"{split}: no such folder; `dvc pull` or `make repro` brings it")
    inputs = normalization.load(standardization)
    images, labels = splits.read(split)
    if images.shape[1] != normalization.PIXELS:
        raise UserError(f"{split}: images of {images.shape[1]} pixels, expected {normalization.PIXELS}")
    pixels = images * inputs.std
    pixels += inputs.mean
    with np.errstate(invalid="ignore"):  # what is no number isn't found again below
        raw = np.rint(pixels).astype(np.uint8)
    if not np.array_equal(inputs.apply(raw), images):
        raise UserError(f"{split}: not standardised by {standardization}; `dvc repro normalize` makes both")
    return raw, labels
