"""The section `regression`: ridge strengths and the polynomial."""

from typing import Annotated, Self

from pydantic import Field, model_validator

from pipeline.params import Section
from pipeline.params.shared import PenaltyParams


class PolynomialParams(Section):
    """Which points to fit a polynomial to, and of which degree."""

    points: int = Field(ge=2, le=1_000)
    degree: int = Field(ge=1, le=6)

    @model_validator(mode="after")
    def _points_determine_it(self) -> Self:
        if self.points <= self.degree:
            raise ValueError(f"more `points` than the degree, {self.degree}")
        return self


class RegressionParams(Section):
    """The ridge is a penalty on the mean squared error; the weaker ones are of the same kind."""

    penalty: PenaltyParams
    weaker: list[Annotated[float, Field(gt=0, le=1e6)]] = Field(max_length=10)
    tolerance: float = Field(gt=0, lt=1)
    polynomial: PolynomialParams
