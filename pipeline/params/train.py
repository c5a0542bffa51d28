"""The section `train`: one subsection a model."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.params import Section
from pipeline.params.shared import DescentParams, Hidden


class DistortionParams(Section):
    """The largest moves, as pipeline/learning/distortions.py defines them."""

    rotation: float = Field(ge=0, le=180)
    scaling: float = Field(ge=0, lt=1)
    shear: float = Field(ge=0, le=1)
    shift: float = Field(ge=0, le=28)
    elasticity: float = Field(ge=0, le=1000)
    smoothness: float = Field(ge=0.01, le=28)


class TrainParams(DescentParams):
    """How a model is trained, and from where it starts."""

    schedule: Literal["constant", "exponential", "cosine"]
    decay: float = Field(gt=0, le=1)
    epochs: int = Field(ge=1, le=10_000)
    replacement: bool
    window: int | None = Field(ge=1, le=1_000_000_000)
    distortion: DistortionParams | None
    initial_std: float | None = Field(gt=0, le=100)
    device: str = Field(pattern=r"^(cpu|cuda(:\d{1,3})?)$")

    @field_validator("window")
    @classmethod
    def _is_of_samples_that_come_once(cls, window: int | None, info: ValidationInfo) -> int | None:
        if window is not None and info.data.get("replacement"):
            raise ValueError("null where `replacement` is true: each sample is drawn from all of them")
        return window


class SoftmaxParams(TrainParams):
    """The softmax classifier."""


class TwoLayerParams(TrainParams):
    """The two-layer network."""

    hidden: Hidden


class AllTrainParams(Section):
    """Every model that is trained."""

    softmax: SoftmaxParams
    two_layer: TwoLayerParams


SECTIONS: dict[str, type[TrainParams]] = {"softmax": SoftmaxParams, "two_layer": TwoLayerParams}
