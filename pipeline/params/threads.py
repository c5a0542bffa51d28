"""The parameter `threads`."""

from pydantic import Field

from pipeline.params import Section


class ThreadsParams(Section):
    """The threads of every numerical library: another number can mean other bits."""

    threads: int = Field(ge=1, le=64)
