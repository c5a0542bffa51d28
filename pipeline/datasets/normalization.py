"""From raw images to what models are trained on: the split, the standardisation, and small digits."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import safetensors.numpy
from safetensors import SafetensorError

from pipeline.errors import UserError
from pipeline.files import write_bytes

PIXELS = 28 * 28
# Not imported from mnist: who reads splits and moments needs nothing of where they came from.
CLASSES = 10
# A tenth of the pixels' range, so that no input is ever more than ten deviations from its mean. Pixel by
# pixel, MNIST's deviations go down to 0 (at the border, where a few test images have ink all the same)
# and 0.013: divided by those, test inputs reach 1,600, and one such pixel outweighs the whole digit.
SMALLEST_STD = 25.5
# Images whose squares are held in memory at a time: 6 MB.
BLOCK = 4096
# MNIST's digits were drawn in a box of 20×20, then centred in 28×28 by their mass.
BOX = slice(4, 24)


def split(labels: np.ndarray, validation: int, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """Draw `validation` samples out of labels (N,); return the indices (training, validation), shuffled.

    The classes stand in the validation part in proportion, rounded by largest remainder. Raises
    UserError where nothing would be left on one of the two sides.
    """
    if not 0 < validation < len(labels):
        raise UserError(
            f"params.yaml: normalize.validation: {validation} of {len(labels)} images; choose at least 1 "
            "and leave at least 1 to train on"
        )
    classes, counts = np.unique(labels, return_counts=True)
    quotas = _largest_remainder(counts, validation)
    held_out = np.concatenate(
        [
            rng.choice(np.flatnonzero(labels == label), quota, replace=False)
            for label, quota in zip(classes, quotas, strict=True)
        ]
    )
    rest = np.setdiff1d(np.arange(len(labels)), held_out, assume_unique=True)
    return rng.permutation(rest), rng.permutation(held_out)


def _largest_remainder(counts: np.ndarray, total: int) -> np.ndarray:
    """Share out `total` in proportion to counts (C,): whole numbers (C,) that add up to it exactly."""
    shares, remainders = np.divmod(total * counts.astype(np.int64), counts.sum())
    # Stable, so that of equal remainders the lower class comes first, on every machine.
    most_wanting = np.argsort(-remainders, kind="stable")[: total - shares.sum()]
    shares[most_wanting] += 1
    return shares


@dataclass(frozen=True)
class Standardization:
    """The mean and the standard deviation of each pixel, in raw units (0 to 255): (D,) float32 both."""

    mean: np.ndarray
    std: np.ndarray

    def apply(self, images: np.ndarray) -> np.ndarray:
        """Return (x − mean) / std in float32, (N, D), of images uint8 (N, D) or (N, height, width)."""
        flat = images.reshape(len(images), -1)
        standardized: np.ndarray = np.subtract(flat, self.mean, dtype=np.float32)
        standardized /= self.std
        return standardized

    def is_global(self) -> bool:
        """Say whether all pixels have one mean and deviation, so that each can stand for another."""
        return bool((self.mean == self.mean[0]).all() and (self.std == self.std[0]).all())

    def save(self, path: Path) -> None:
        """Write `mean` and `std` as safetensors, whole or not at all."""
        write_bytes(path, safetensors.numpy.save({"mean": self.mean, "std": self.std}))


def fit(images: np.ndarray, kind: Literal["global", "per_pixel"]) -> Standardization:
    """Measure the mean and standard deviation of images uint8 (N, D), N at least 1.

    `global` is one number for all pixels, repeated D times. The sums are exact integers, so the result
    depends neither on the order nor on the blocks. No deviation is below SMALLEST_STD: see there.
    """
    sums = np.zeros(images.shape[1], np.uint64)
    squares = np.zeros(images.shape[1], np.uint64)
    for start in range(0, len(images), BLOCK):
        block = images[start : start + BLOCK]
        sums += block.sum(axis=0, dtype=np.uint64)
        squares += np.square(block, dtype=np.uint16).sum(axis=0, dtype=np.uint64)  # 255² fits 16 bits
    if kind == "global":
        mean, std = _moments([int(sums.sum())], [int(squares.sum())], images.size)
    else:
        mean, std = _moments(sums.tolist(), squares.tolist(), len(images))
    return Standardization(*(np.resize(moment, images.shape[1]) for moment in (mean, std)))


def _moments(sums: Sequence[int], squares: Sequence[int], count: int) -> tuple[np.ndarray, np.ndarray]:
    """Return mean and std, float32, from Σx and Σx² in Python's integers: n·Σx² overflows 64 bits."""
    mean = np.array([s / count for s in sums])
    variance = np.array([(count * q - s * s) / count**2 for s, q in zip(sums, squares, strict=True)])
    std = np.maximum(np.sqrt(variance), SMALLEST_STD)
    return mean.astype(np.float32), std.astype(np.float32)


def load(path: Path) -> Standardization:
    """Read what `Standardization.save` wrote.

    Raises UserError naming the file and the remedy where it is missing, damaged or not of that form.
    """
    remedy = "remove it and run `dvc repro`, which makes it again"
    try:
        tensors = safetensors.numpy.load(path.read_bytes())
        loaded = Standardization(tensors["mean"], tensors["std"])
    except (OSError, SafetensorError, KeyError) as error:
        raise UserError(f"{path}: no mean and std to read ({error}); {remedy}") from error
    if not all(t.dtype == np.float32 and t.shape == (PIXELS,) for t in (loaded.mean, loaded.std)):
        raise UserError(f"{path}: mean and std are not float32 ({PIXELS},); {remedy}")
    if not (np.isfinite(loaded.mean).all() and np.isfinite(loaded.std).all() and (loaded.std > 0).all()):
        raise UserError(f"{path}: a mean is not finite or a std is not positive; {remedy}")
    return loaded


def digits(
    images: np.ndarray, labels: np.ndarray, per_class: int, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray, float]:
    """Draw `per_class` images of each digit, in shuffled order, cropped to the central box of 20×20.

    From images uint8 (N, 28, 28) and labels (N,) returns the pixels (10·per_class, 400) float32 in
    0 to 1, row by row, the labels (10·per_class,) uint8, and the share of all ink that the crop loses.
    Raises UserError where a digit has fewer than `per_class` images.
    """
    counts = np.bincount(labels, minlength=CLASSES)
    if counts.min() < per_class:
        raise UserError(
            f"params.yaml: normalize.digits_per_class: {per_class}: there are only {counts.min()} images of "
            f"the digit {counts.argmin()}; choose at most that many"
        )
    drawn = rng.permutation(
        np.concatenate(
            [rng.choice(np.flatnonzero(labels == c), per_class, replace=False) for c in range(CLASSES)]
        )
    )
    whole = images[drawn]
    cropped = whole[:, BOX, BOX]
    ink, kept = (int(pixels.sum(dtype=np.uint64)) for pixels in (whole, cropped))
    pixels = cropped.reshape(len(drawn), -1).astype(np.float32) / np.float32(255)
    return pixels, labels[drawn].astype(np.uint8), 1 - kept / max(ink, 1)
