"""Stage normalize: raw images to standardised arrays, split into training, validation and test."""

from pathlib import Path

import numpy as np

from pipeline import params
from pipeline.datasets import mnist, normalization, splits
from pipeline.errors import UserError
from pipeline.learning.randomness import generator
from pipeline.params.normalize import NormalizeParams
from pipeline.params.seed import SeedParams

RAW = Path("data/raw")
NORMALIZED = Path("data/normalized")
MOMENTS = NORMALIZED / "normalization.safetensors"
# Beside the 20×20 digits: the share of the ink that lay outside of the box.
CROP = "crop.json"


def main() -> None:
    """Split, standardise by the training part alone, and write one array file a split."""
    settings = params.load(NormalizeParams, "normalize")
    seed = params.load_fields(SeedParams).seed
    raw = mnist.load(RAW)
    images, labels = raw.train_images[: settings.limit], raw.train_labels[: settings.limit]
    train, validation = normalization.split(labels, settings.validation, generator(seed, "split"))
    if missing := sorted(set(range(mnist.CLASSES)) - set(labels[train].tolist())):
        raise UserError(
            f"params.yaml: normalize.validation = {settings.validation}: of {len(labels)} images that leaves "
            f"none of digit {', '.join(map(str, missing))} to train on; hold out fewer, or raise the limit"
        )
    standardization = normalization.fit(images[train].reshape(len(train), -1), settings.standardization)

    standardization.save(MOMENTS)
    _write("train", standardization, images[train], labels[train])
    _write("validation", standardization, images[validation], labels[validation])
    _write("test", standardization, raw.test_images[: settings.limit], raw.test_labels[: settings.limit])

    digits, digit_labels, lost = normalization.digits(
        images, labels, settings.digits_per_class, generator(seed, "digits")
    )
    splits.write(NORMALIZED / "digits", digits, digit_labels, notes={CROP: {"ink_lost": lost}})


def _write(
    name: str, standardization: normalization.Standardization, images: np.ndarray, labels: np.ndarray
) -> None:
    splits.write(NORMALIZED / name, standardization.apply(images), labels, beside=MOMENTS)
