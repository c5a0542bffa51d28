"""The section `exercise.quadratic`."""

from pydantic import Field

from pipeline.params import Section


class QuadraticParams(Section):
    """y = x² at x = 1, 2, …, points, by full-batch gradient descent; the seed draws a perturbed start."""

    seed: int = Field(ge=0, lt=2**32)
    points: int = Field(ge=3, le=100)
    more_points: int = Field(ge=3, le=100)
    iterations: int = Field(ge=1, le=10_000)
    asked_learning_rate: float = Field(gt=0, le=1e3)
    answered_learning_rate: float = Field(gt=0, le=1e3)
    other_learning_rate: float = Field(gt=0, le=1e3)
    tolerance: float = Field(gt=0, lt=1)
