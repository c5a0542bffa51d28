"""The section `exercise.softmax_loops`."""

from pydantic import Field

from pipeline.params import Section


class SoftmaxLoopsParams(Section):
    """Random inputs and labels; W is drawn `draws` times from initial_std·N(0, 1)."""

    seed: int = Field(ge=0, lt=2**32)
    samples: int = Field(ge=1, le=10_000)
    inputs: int = Field(ge=1, le=10_000)
    classes: int = Field(ge=2, le=1_000)
    initial_std: float = Field(gt=0, le=100)
    penalty: float = Field(ge=0, le=1e6)
    draws: int = Field(ge=1, le=100)
