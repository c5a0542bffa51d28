"""The section `gradients`: where the gradients of every model are compared."""

from typing import Annotated

from pydantic import Field

from pipeline.params import Section


class GradientsParams(Section):
    """Points of a training trajectory, random parameters, and directions to take differences along."""

    samples: int = Field(ge=2, le=10_000)
    hidden: int = Field(ge=1, le=10_000)
    steps: list[Annotated[int, Field(ge=0, le=100_000)]] = Field(min_length=1, max_length=100)
    random_draws: int = Field(ge=0, le=100)
    directions: int = Field(ge=1, le=1_000)
    coordinates: int = Field(ge=1, le=10_000)
