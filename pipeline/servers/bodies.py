"""How large a request may be, and how long it may take to arrive."""

import asyncio

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive

MOST_BYTES = 1_000_000
# Seconds that a body may take to arrive.
SLOWEST = 10.0
TOO_LARGE = f"body: at most {MOST_BYTES} bytes are taken"
TOO_SLOW = f"body: took longer than {SLOWEST:g} seconds to arrive"


async def read(headers: Headers, receive: Receive) -> bytes:
    """Return the whole body of a request; of one that is too large no more than that is kept.

    Raises HTTPException, which says why not, for a body that is too large, too slow or cut short.
    """
    if _announced(headers) > MOST_BYTES:
        raise HTTPException(413, TOO_LARGE)
    try:
        async with asyncio.timeout(SLOWEST):
            return await _collect(receive)
    except TimeoutError:
        # Whoever sends so slowly would hold the connection for as long as they like.
        raise HTTPException(408, TOO_SLOW, {"Connection": "close"}) from None


def require_json(headers: Headers) -> str:
    """Return the parameters of the Content-Type; HTTPException where the body says that it is no JSON."""
    kind, _, parameters = headers.get("content-type", "").partition(";")
    # A form of another page can't send this type without asking first.
    if kind.strip().lower() != "application/json":
        raise HTTPException(415, "Content-Type: expected application/json")
    return parameters


def replaying(body: bytes, receive: Receive) -> Receive:
    """Return what gives an application the body that was read, and then what else comes."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay


def _announced(headers: Headers) -> int:
    """Return the length that the client announces; a server has refused what is no number."""
    return int(headers.get("content-length") or 0)


async def _collect(receive: Receive) -> bytes:
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] != "http.request":
            raise HTTPException(400, "body: is cut short")
        body += message.get("body", b"")
        if len(body) > MOST_BYTES:
            raise HTTPException(413, TOO_LARGE)
        if not message.get("more_body", False):
            return bytes(body)
