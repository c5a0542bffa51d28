"""MNIST as every program gets it: standardised float32 images, read into memory."""

from pathlib import Path

import numpy as np


def read(folder: Path, dtype: type = np.float32) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return training images (N, 784) and labels (N,), and test images and labels."""
    return (*_split(folder / "train", dtype), *_split(folder / "test", dtype))


def _split(folder: Path, dtype: type) -> tuple[np.ndarray, np.ndarray]:
    images = np.load(folder / "images.npy").astype(dtype, copy=False)
    return images, np.load(folder / "labels.npy").astype(np.int64)
