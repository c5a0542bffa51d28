"""The code of a logged model: raw pixels in, probabilities out. It is stored with the model, as it is.

MLflow calls `_load_pyfunc` (its `loader_module`) with the folder of the model's data: record, weights and
normalisation of the run directory. Nothing is unpickled, and no MLflow is imported.
"""

import json
import math
from pathlib import Path

import numpy as np
import safetensors.numpy

from pipeline.errors import UserError
from pipeline.learning import models, probabilities

PIXELS = 28 * 28
# A matrix product of few rows adds up in another order than one of many. Filled up to so many rows, an image
# has the same probabilities alone and among others, wherever the BLAS adds up all rows alike.
ROWS = 256


class ScoredModel:
    """A trained model with the standardisation of its inputs and the meaning of its scores."""

    def __init__(self, directory: Path) -> None:
        record = json.loads((directory / "record.json").read_text(encoding="utf-8"))
        self._model = models.get(record["model"])
        self._probabilities = probabilities.get(record["probabilities"])
        self._weights = safetensors.numpy.load_file(directory / "weights.safetensors")
        inputs = safetensors.numpy.load_file(directory / "normalization.safetensors")
        self._mean, self._std = inputs["mean"], inputs["std"]
        if not all(value.size for value in self._weights.values()):
            raise ValueError("weights.safetensors: holds an empty array")

    def predict(self, images: np.ndarray, params: object = None) -> np.ndarray:
        """Return probabilities (N, 10), float64, of raw pixels 0 to 255, images (N, 784) or (N, 28, 28).

        The digit is the argmax. Raises UserError for another shape, or a pixel that is no number of 0 to
        255.
        """
        pixels = np.asarray(images)
        flat = pixels.reshape(len(pixels), math.prod(pixels.shape[1:]))
        if flat.shape[1] != PIXELS:
            raise UserError(f"images of shape {pixels.shape}: expected (N, {PIXELS})")
        if not ((flat >= 0) & (flat <= 255)).all():  # also false for NaN
            raise UserError("images: a pixel is no number of 0 to 255; the model takes raw pixels")
        # In float32 from the first operation, as `normalize` does it for training.
        X = np.zeros((max(len(flat), ROWS), PIXELS), np.float32)
        np.subtract(flat, self._mean, out=X[: len(flat)], dtype=np.float32)
        X /= self._std
        scores = self._model.scores(self._weights, X)[: len(flat)]
        return np.asarray(self._probabilities(scores), np.float64)

    def require_probabilities(self) -> None:
        """Raise ValueError where a black and a white image don't get probabilities of ten digits."""
        with np.errstate(all="ignore"):  # what overflows is told below
            found = self.predict(np.repeat(np.array([[0], [255]], np.uint8), PIXELS, axis=1))
        if found.shape != (2, 10) or not np.isfinite(found).all():
            raise ValueError("weights.safetensors: gives no probabilities of ten digits")


def _load_pyfunc(path: str) -> ScoredModel:
    return ScoredModel(Path(path))
