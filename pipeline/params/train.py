"""The section `train`: one subsection a model."""

from typing import Literal

from pydantic import Field

from pipeline.params import Section
from pipeline.params.penalty import PenaltyParams


class TrainParams(Section):
    """Minibatch gradient descent with momentum."""

    learning_rate: float = Field(gt=0, le=1e12)
    schedule: Literal["constant", "exponential", "cosine"]
    decay: float = Field(gt=0, le=1)
    momentum: float = Field(ge=0, lt=1)
    batch_size: int = Field(ge=1, le=60_000)
    epochs: int = Field(ge=1, le=10_000)
    replacement: bool
    penalty: PenaltyParams
    initial_std: float | None = Field(gt=0, le=100)
    device: str = Field(pattern=r"^(cpu|cuda(:\d{1,3})?)$")


class SoftmaxParams(TrainParams):
    """The softmax classifier."""


class TwoLayerParams(TrainParams):
    """The two-layer network."""

    hidden: int = Field(ge=1, le=100_000)


class AllTrainParams(Section):
    """Every model that is trained."""

    softmax: SoftmaxParams
    two_layer: TwoLayerParams


SECTIONS: dict[str, type[TrainParams]] = {"softmax": SoftmaxParams, "two_layer": TwoLayerParams}
