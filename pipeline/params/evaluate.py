"""The section `evaluate`: how the test results are summed up and shown."""

from pydantic import Field

from pipeline.params import Section


class EvaluateParams(Section):
    """Bins of the calibration error, and how many of the worst mistakes are shown."""

    calibration_bins: int = Field(ge=2, le=100)
    worst_mistakes: int = Field(ge=1, le=100)
