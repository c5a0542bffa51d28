"""MLflow's scoring server, asked only for what the model can answer.

By itself it repeats what was sent and where in its code that went wrong, cuts fractions off, takes text for
numbers, and parses CSV and Parquet as well. So a request is checked before it comes there.
"""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.servers import bodies
from pipeline.servers.guard import refusal
from pipeline.tracking.scored_model import PIXELS

ASKED = {"/ping": "GET", "/health": "GET", "/version": "GET", "/invocations": "POST"}
EXPECTED = (
    f'body: expected {{"inputs": [[…], …]}}, one or more images of {PIXELS} pixels, row by row, each a whole '
    "number from 0 to 255"
)
FAILED = "the server failed; what it printed says why"

Pixel = Annotated[float, Field(ge=0, le=255, multiple_of=1)]
Image = Annotated[list[Pixel], Field(min_length=PIXELS, max_length=PIXELS)]


class Images(BaseModel):
    """What a client sends: N images of raw pixels, 0 to 255."""

    model_config = ConfigDict(extra="forbid", strict=True)

    inputs: Annotated[list[Image], Field(min_length=1)]


def checked(app: ASGIApp) -> ASGIApp:
    """Return MLflow's scoring app, which gets nothing but images and fails in one line."""

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            _require_known(request)
            body = await request.body()
            if request.method == "POST":
                _require_images(request.headers, body)
        except HTTPException as error:
            await refusal(error)(scope, receive, send)
        else:
            answer = _without_details(scope, receive, send)
            await app(_as_json(scope), bodies.replaying(body, receive), answer)

    return call


def _require_known(request: Request) -> None:
    method = ASKED.get(request.url.path)
    if method is None:
        raise HTTPException(404, f"there is nothing here; ask {', '.join(ASKED)}")
    if request.method != method:
        raise HTTPException(405, f"method: expected {method}", {"Allow": method})


def _require_images(headers: Headers, body: bytes) -> None:
    if bodies.require_json(headers).replace(" ", "").lower() not in ("", "charset=utf-8"):
        raise HTTPException(415, "Content-Type: expected application/json in UTF-8")
    try:
        Images.model_validate_json(body)
    except ValidationError:
        raise HTTPException(422, EXPECTED) from None


def _as_json(scope: Scope) -> Scope:
    """Return a request that was checked as MLflow's app knows its type: by its lower-case name alone."""
    headers = MutableHeaders(raw=list(scope["headers"]))
    headers["content-type"] = "application/json"
    return {**scope, "headers": headers.raw}


def _without_details(scope: Scope, receive: Receive, send: Send) -> Send:
    """Return what sends the answer of MLflow's app on, and one line in place of a failure."""
    failed = False

    async def pass_on(message: Message) -> None:
        nonlocal failed
        if message["type"] == "http.response.start" and message["status"] >= 400:
            failed = True
            await refusal(HTTPException(message["status"], FAILED))(scope, receive, send)
        elif not failed:
            await send(message)

    return pass_on
