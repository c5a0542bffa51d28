"""The section `exercise.spiral`."""

from pydantic import Field

from pipeline.params import Section


class SpiralParams(Section):
    """Three arms in the plane, full-batch descent; a linear classifier and a network of hidden units."""

    seed: int = Field(ge=0, lt=2**32)
    points: int = Field(ge=4, le=10_000)
    noise: float = Field(ge=0, le=10)
    initial_std: float = Field(gt=0, le=100)
    learning_rate: float = Field(gt=0, le=1e3)
    penalty: float = Field(ge=0, le=1e3)
    iterations: int = Field(ge=1, le=10_000)
    hidden: int = Field(ge=1, le=10_000)
    network_iterations: int = Field(ge=1, le=100_000)
