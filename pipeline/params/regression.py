"""The section `regression`: ridge strengths and the polynomial."""

from typing import Annotated

from pydantic import Field, ValidationInfo, field_validator

from pipeline.params import Section
from pipeline.params.shared import PenaltyParams


class PolynomialParams(Section):
    """Which points to fit a polynomial to, and of which degree."""

    points: int = Field(ge=2, le=1_000)
    degree: int = Field(ge=1, le=6)

    @field_validator("degree")
    @classmethod
    def _is_determined_by_the_points(cls, degree: int, info: ValidationInfo) -> int:
        points = info.data.get("points", degree + 1)
        if degree >= points:
            raise ValueError(f"less than the {points} `points`")
        return degree


class RegressionParams(Section):
    """The ridge is a penalty on the mean squared error; the weaker ones are of the same kind."""

    penalty: PenaltyParams
    weaker: list[Annotated[float, Field(gt=0, le=1e6)]] = Field(max_length=10)
    tolerance: float = Field(ge=1e-12, lt=1)  # float64 ends some way below that
    polynomial: PolynomialParams
