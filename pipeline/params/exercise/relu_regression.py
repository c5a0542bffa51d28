"""The section `exercise.relu_regression`."""

from pydantic import Field

from pipeline.params import Section


class ReluRegressionParams(Section):
    """Random inputs, targets and weights, all N(0, 1); full-batch descent on the sum of squares."""

    seed: int = Field(ge=0, lt=2**32)
    samples: int = Field(ge=1, le=10_000)
    inputs: int = Field(ge=1, le=10_000)
    hidden: int = Field(ge=1, le=10_000)
    outputs: int = Field(ge=1, le=1_000)
    learning_rate: float = Field(gt=0, le=1e3)
    iterations: int = Field(ge=1, le=10_000)
