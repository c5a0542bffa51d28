"""The section `train`: one subsection a model."""

from typing import Literal

from pydantic import Field

from pipeline.params import Section
from pipeline.params.penalty import PenaltyParams


class DescentParams(Section):
    """Minibatch gradient descent with momentum: the part that a baseline is matched with."""

    learning_rate: float = Field(gt=0, le=1e12)
    momentum: float = Field(ge=0, lt=1)
    batch_size: int = Field(ge=1, le=60_000)
    penalty: PenaltyParams


class NetworkParams(DescentParams):
    """The same for a network with a hidden layer."""

    hidden: int = Field(ge=1, le=100_000)


class TrainParams(DescentParams):
    """How any model is trained."""

    schedule: Literal["constant", "exponential", "cosine"]
    decay: float = Field(gt=0, le=1)
    epochs: int = Field(ge=1, le=10_000)
    replacement: bool
    initial_std: float | None = Field(gt=0, le=100)
    device: str = Field(pattern=r"^(cpu|cuda(:\d{1,3})?)$")


class SoftmaxParams(TrainParams):
    """The softmax classifier."""


class TwoLayerParams(TrainParams, NetworkParams):
    """The two-layer network."""


class AllTrainParams(Section):
    """Every model that is trained."""

    softmax: SoftmaxParams
    two_layer: TwoLayerParams


SECTIONS: dict[str, type[TrainParams]] = {"softmax": SoftmaxParams, "two_layer": TwoLayerParams}
