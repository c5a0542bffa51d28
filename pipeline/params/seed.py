"""The parameter `seed`."""

from pydantic import Field

from pipeline.params import Section


class SeedParams(Section):
    """The seed that, with its purpose, makes every random draw."""

    seed: int = Field(ge=0, lt=2**32)
