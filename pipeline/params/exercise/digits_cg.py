"""The section `exercise.digits_cg`."""

from pydantic import Field

from pipeline.params import Section


class DigitsCgParams(Section):
    """A network of sigmoid units on 20×20 digits, by SciPy's conjugate gradient; λ is the penalty."""

    seed: int = Field(ge=0, lt=2**32)
    hidden: int = Field(ge=1, le=1_000)
    penalty: float = Field(ge=0, le=1e6)
    epsilon: float = Field(gt=0, le=10)
    iterations: int = Field(ge=1, le=1_000)
