"""The parameter `threads`."""

from pydantic import Field

from pipeline.params import Section


class ThreadsParams(Section):
    """The threads that compute at a time: of a numerical library, less one that makes its minibatches.

    Another number can mean other bits.
    """

    threads: int = Field(ge=1, le=64)
