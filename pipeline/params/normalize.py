"""The section `normalize`: the split and the standardisation."""

from typing import Literal, Self

from pydantic import Field, model_validator

from pipeline.params import Section

TRAIN_IMAGES = 60_000


class NormalizeParams(Section):
    """How raw images become the arrays that models are trained on."""

    standardization: Literal["global", "per_pixel"]
    validation: int = Field(ge=10, lt=TRAIN_IMAGES)
    limit: int | None = Field(ge=100, le=TRAIN_IMAGES)
    digits_per_class: int = Field(ge=1, le=5_000)

    @model_validator(mode="after")
    def _leaves_images_to_train_on(self) -> Self:
        images = self.limit or TRAIN_IMAGES
        if self.validation >= images:
            raise ValueError(f"a `validation` of fewer than the {images} images there are")
        return self
