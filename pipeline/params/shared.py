"""What several sections have."""

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from pipeline.params import Section

Hidden: TypeAlias = Annotated[int, Field(ge=1, le=100_000)]


class PenaltyParams(Section):
    """An L2 penalty: the kind, one of those in pipeline/learning/penalty.py, and the strength."""

    kind: Literal["sum", "half", "per_sample"]
    strength: float = Field(ge=0, le=1e6)


class DescentParams(Section):
    """Minibatch gradient descent with momentum."""

    learning_rate: float = Field(gt=0, le=1e12)
    momentum: float = Field(ge=0, lt=1)
    batch_size: int = Field(ge=1, le=60_000)
    penalty: PenaltyParams
