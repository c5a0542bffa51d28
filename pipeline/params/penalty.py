"""An L2 penalty, as several sections have one."""

from typing import Literal

from pydantic import Field

from pipeline.params import Section


class PenaltyParams(Section):
    """The kind, one of those in pipeline/learning/penalty.py, and the strength."""

    kind: Literal["sum", "half", "per_sample"]
    strength: float = Field(ge=0, le=1e6)
