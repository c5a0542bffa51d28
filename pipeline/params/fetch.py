"""The section `fetch`: where the data comes from."""

from typing import Annotated

from pydantic import Field

from pipeline.params import Section

# A control character in an address could end a line or a header that it is written to.
Source = Annotated[str, Field(min_length=1, max_length=1000, pattern=r"^[^\x00-\x1f\x7f]+$")]


class FetchParams(Section):
    """Sources in the order they are tried, and the seconds each may take."""

    deadline: float = Field(gt=0, le=86_400)
    sources: list[Source] = Field(min_length=1, max_length=20)
