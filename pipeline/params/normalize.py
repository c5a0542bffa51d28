"""The section `normalize`: the split and the standardisation."""

from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from pipeline.params import Section

TRAIN_IMAGES = 60_000


class NormalizeParams(Section):
    """How raw images become the arrays that models are trained on."""

    standardization: Literal["global", "per_pixel"]
    validation: int = Field(ge=10, lt=TRAIN_IMAGES)
    limit: int | None = Field(ge=100, le=TRAIN_IMAGES)
    digits_per_class: int = Field(ge=1, le=5_000)

    @field_validator("limit")
    @classmethod
    def _leaves_images_to_train_on(cls, limit: int | None, info: ValidationInfo) -> int | None:
        held_out = info.data.get("validation", 0)
        if limit is not None and limit <= held_out:
            raise ValueError(f"null or more than the {held_out} images of `validation`")
        return limit
