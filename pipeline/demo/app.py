"""The server of the page: its files, the networks, and an answer to each drawing.

A drawing comes as a grid of ink, not as a PNG: the page has the pixels anyway, nobody needs a decoder for
what comes from outside, and that it is whole can be told by its length.
"""

from math import isqrt
from pathlib import Path
from typing import Annotated, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Base64Bytes, BaseModel, ConfigDict, Field, ValidationError, model_validator
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from pipeline.datasets.handwriting import NothingDrawnError
from pipeline.demo.networks import Networks
from pipeline.servers import bodies
from pipeline.servers.guard import guarded, refusal

PAGE = Path(__file__).parent / "page"
SMALLEST_SIDE, LARGEST_SIDE = 28, 512
EXPECTED = (
    'body: expected {"ink": "…"}, in base64 the ink of a square, row by row, a byte a pixel, 0 for none; '
    f"{SMALLEST_SIDE} to {LARGEST_SIDE} pixels a side"
)


class Drawing(BaseModel):
    """What the page sends: the ink of each pixel of a square, 0 to 255."""

    model_config = ConfigDict(extra="forbid")

    ink: Annotated[Base64Bytes, Field(min_length=SMALLEST_SIDE**2, max_length=LARGEST_SIDE**2)]

    @model_validator(mode="after")
    def _square(self) -> Self:
        if isqrt(len(self.ink)) ** 2 != len(self.ink):
            raise ValueError("no square")
        return self

    def pixels(self) -> NDArray[np.float32]:
        """Return the ink as (side, side), 0 to 1."""
        side = isqrt(len(self.ink))
        pixels = np.frombuffer(self.ink, np.uint8).reshape(side, side)
        return np.divide(pixels, 255, dtype=np.float32)


def create(networks: Networks, host: str) -> ASGIApp:
    """Return the application, for a server that listens on this host."""
    weights = networks.hidden.incoming().tobytes()

    async def describe(request: Request) -> Response:
        return JSONResponse(networks.described())

    async def send_weights(request: Request) -> Response:
        return Response(weights, media_type="application/octet-stream")

    async def predict(request: Request) -> Response:
        drawing = await _drawing(request)
        try:
            return JSONResponse(networks.answer(drawing.pixels()))
        except NothingDrawnError:
            raise HTTPException(422, "ink: nothing is drawn") from None

    routes = [
        Route("/networks", describe),
        Route("/weights", send_weights),
        Route("/predict", predict, methods=["POST"]),
        Mount("/", StaticFiles(directory=PAGE, html=True)),
    ]
    return guarded(Starlette(routes=routes, exception_handlers={HTTPException: _refuse}), host)


async def _drawing(request: Request) -> Drawing:
    """Return the drawing in a request; HTTPException says why not, and repeats nothing of what was sent."""
    bodies.require_json(request.headers)
    try:
        return Drawing.model_validate_json(await request.body())
    except ValidationError:
        raise HTTPException(422, EXPECTED) from None


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return refusal(error)
