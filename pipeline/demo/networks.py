"""The three networks side by side, and what goes on inside the one whose gradient is derived by hand."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import safetensors.numpy
from numpy.typing import NDArray

from pipeline.datasets import handwriting, normalization
from pipeline.datasets.normalization import Standardization
from pipeline.errors import UserError
from pipeline.learning.models import two_layer
from pipeline.tracking import run_directory, scored_run
from pipeline.tracking.scored_model import ScoredModel

# By run: the name on the page, and what it is.
SHOWN = {
    "two_layer-manual": ("By hand", "our network, its gradient derived by hand"),
    "two_layer-autograd": ("By autograd", "our network, its gradient by PyTorch"),
    "baseline-mlp_classifier": ("scikit-learn", "its MLPClassifier, of the same size"),
}
INSIDE = "two_layer-manual"


@dataclass(frozen=True)
class Hidden:
    """The hidden layer of a two-layer network, of H units."""

    params: dict[str, NDArray[np.float32]]
    """W1 (784, H), b1 (H,), W2 (H, 10) and b2 (10,)."""
    standardization: Standardization

    def activations(self, image: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Return how strongly each unit fires, (H,), at an image (28, 28); 0 is silent."""
        X = self.standardization.apply(image[None])  # (1, 784)
        activations: NDArray[np.float32] = two_layer.forward(self.params, X)["a1"][0]
        return activations

    def incoming(self) -> NDArray[np.int8]:
        """Return each unit's incoming weights, (H, 784), from -127 to 127: of the unit's largest."""
        W1 = self.params["W1"].T
        largest = np.maximum(np.abs(W1).max(axis=1, keepdims=True), np.finfo(np.float32).tiny)
        weights: NDArray[np.int8] = np.round(127 * W1 / largest).astype(np.int8)
        return weights


@dataclass(frozen=True)
class Networks:
    """The models by run, in the order of the page, and the hidden layer that is shown."""

    models: dict[str, ScoredModel]
    hidden: Hidden

    def answer(self, ink: NDArray[np.float32]) -> dict[str, Any]:
        """Return what the networks see in ink (height, width) of 0 to 1, and what they make of it.

        Raises NothingDrawnError where there is none.
        """
        image = handwriting.centred(ink)
        return {
            "image": image.ravel().tolist(),
            "networks": [
                {"run": run, "digit": int(row.argmax()), "probabilities": row.tolist()}
                for run, model in self.models.items()
                for row in model.predict(image[None])
            ],
            "hidden": self.hidden.activations(image).tolist(),
        }

    def described(self) -> dict[str, Any]:
        """Return the names of the networks, and how much each hidden unit adds to each digit's score."""
        return {
            "networks": [{"run": run, "name": name, "is": what} for run, (name, what) in SHOWN.items()],
            "outgoing": self.hidden.params["W2"].tolist(),
        }


def load(runs: Path) -> Networks:
    """Read the run directories. Raises UserError naming the file and the remedy where one isn't right."""
    models = {run: scored_run.load(runs / run) for run in SHOWN}
    directory = runs / INSIDE
    params = safetensors.numpy.load_file(directory / run_directory.WEIGHTS)
    if not {"W1", "b1", "W2", "b2"} <= params.keys():
        raise UserError(f"{directory}: is no two-layer network; {run_directory.REMEDY}")
    inputs = normalization.load(directory / run_directory.NORMALIZATION)
    return Networks(models, Hidden(params, inputs))
