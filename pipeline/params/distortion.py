"""The section `distortion`: how far training images are moved where a model's `distort` asks for it."""

from pydantic import Field

from pipeline.params import Section


class DistortionParams(Section):
    """The largest moves, as pipeline/learning/distortions.py defines them."""

    rotation: float = Field(ge=0, le=180)
    scaling: float = Field(ge=0, lt=1)
    shear: float = Field(ge=0, le=1)
    shift: float = Field(ge=0, le=28)
    elasticity: float = Field(ge=0, le=1000)
    smoothness: float = Field(gt=0, le=28)
