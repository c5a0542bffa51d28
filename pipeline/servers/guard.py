"""Who may ask: programs on this machine, and a browser on it with this server's own page.

Any site that a browser shows can send requests to servers on its machine. By a name that the site points to
this machine, it could even read the answers. Both say so in a header.
"""

import ipaddress
import re
from collections.abc import Callable

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.servers import bodies

LOOPBACK = {"127.0.0.1", "localhost"}
EVERYWHERE = "0.0.0.0"
HOST = re.compile(r"(?P<name>[\w.-]+|\[[0-9A-Fa-f:.]+\])(:\d*)?", re.ASCII)
SAFE = {"GET", "HEAD", "OPTIONS"}
SENT = {
    "Content-Security-Policy": "default-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'; object-src 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",
}


def guarded(app: ASGIApp, host: str) -> ASGIApp:
    """Return the app behind the guard, for a server that listens on this host.

    Another Host than this machine's, and another Origin in what changes or computes something, is answered
    with 403, a body that is too large or too slow with 413 or 408. The app gets a body when it is whole.
    """
    is_here = _hosts(host)

    async def call(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":  # the start and the end of the server
            await app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(SENT)
            await send(message)

        headers = Headers(scope=scope)
        try:
            _require_own(scope["method"], headers, is_here)
            body = await bodies.read(headers, receive)
        except HTTPException as error:
            await refusal(error)(scope, receive, send_guarded)
        else:
            await app(scope, bodies.replaying(body, receive), send_guarded)

    return call


def refusal(error: HTTPException) -> JSONResponse:
    """Return the answer to what is refused: one line, which repeats nothing of what was sent."""
    return JSONResponse({"error": error.detail}, error.status_code, error.headers)


def _require_own(method: str, headers: Headers, is_here: Callable[[str], bool]) -> None:
    host, origin = headers.get("host", ""), headers.get("origin")
    if not is_here(_name(host)):
        raise HTTPException(403, "Host: is not this server's; open the address that it printed")
    if method not in SAFE and origin is not None and _address(origin) != host:
        raise HTTPException(403, "Origin: another page may not ask")


def _hosts(host: str) -> Callable[[str], bool]:
    """Return what says whether a name in a Host header is this server's."""
    if host == EVERYWHERE:
        # No site has a bare address that leads to another machine than that.
        return lambda name: name in LOOPBACK or _is_address(name)
    own = LOOPBACK | {host.lower()}
    return lambda name: name in own


def _name(host: str) -> str:
    """Return the name in a Host header, `name` or `name:port`; nothing for what is neither."""
    found = HOST.fullmatch(host)
    return found["name"].strip("[]").lower() if found else ""


def _address(origin: str) -> str:
    """Return `host:port` of an origin, as the header Host has it; `null` has none."""
    scheme, _, address = origin.partition("://")
    return address if scheme in ("http", "https") else ""


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
