"""The section `exercise.two_layer`."""

from pydantic import Field

from pipeline.params import Section


class TwoLayerExerciseParams(Section):
    """The toy network: the seed draws its weights, the seed after it the data."""

    seed: int = Field(ge=0, lt=2**32 - 1)
    samples: int = Field(ge=1, le=1_000)
    inputs: int = Field(ge=1, le=1_000)
    hidden: int = Field(ge=1, le=1_000)
    classes: int = Field(ge=2, le=1_000)
    initial_std: float = Field(gt=0, le=100)
    checked_penalty: float = Field(ge=0, le=1e6)
    penalty: float = Field(ge=0, le=1e6)
    learning_rate: float = Field(gt=0, le=1e3)
    decay: float = Field(gt=0, le=1)
    iterations: int = Field(ge=1, le=10_000)
    batch_size: int = Field(ge=1, le=10_000)
