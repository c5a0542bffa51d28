"""The parameter `threads`."""

from pydantic import Field

from pipeline.params import Section


class ThreadsParams(Section):
    """The threads that compute at a time: a numerical library's, or one each of a network's parts.

    Of several, one makes the minibatches where these are distorted. Another number can mean other bits.
    """

    threads: int = Field(ge=1, le=64)
