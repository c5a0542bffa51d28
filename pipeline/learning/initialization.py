"""The parameters that training starts from."""

from typing import Any

import numpy as np
import numpy.typing as npt

from pipeline.learning.arrays import Params


def normal(
    shapes: dict[str, tuple[int, ...]],
    std: float | None,
    rng: np.random.Generator,
    dtype: npt.DTypeLike = np.float32,
) -> Params:
    """Return weights from std·N(0, 1), drawn in the order of `shapes`, and zero biases.

    Without `std` it is sqrt(2 / inputs of the layer): He et al. 2015, which keeps the variance of a
    ReLU layer's activations from growing or shrinking.
    """

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
        if name.startswith("b"):
            return np.zeros(shape, dtype)
        layer_std = np.sqrt(2 / shape[0]) if std is None else std
        return (layer_std * rng.standard_normal(shape)).astype(dtype)

    return {name: draw(name, shape) for name, shape in shapes.items()}
