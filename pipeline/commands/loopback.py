"""What every server here has in common: this machine only, a port that is free, a quiet end."""

import errno
import logging
import signal
import socket
import sys
from typing import Any

from pipeline.errors import UserError

HOST = "127.0.0.1"
LAST_PORT = 65535
# Connections at once: each may hold a body, and half a request may wait for the rest as long as it likes.
MOST_CONNECTIONS = 64


def listen(port: int, target: str, host: str = HOST) -> socket.socket:
    """Return a socket that listens on this port, of loopback unless another address is named.

    Who takes it before it loads anything holds the port, and whoever connects meanwhile waits. Raises
    UserError where the port can't be had, naming another for `make <target>`, and where the host can't.
    """
    if not host.strip():  # which a socket takes for all addresses
        raise UserError(f"host {host!r}: is empty; name an address of this machine")
    # By its protocol asyncio knows that it is TCP, and sends each part of an answer at once. Otherwise the
    # last part would wait for the client's acknowledgement of the others, which takes 40 ms to come.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        if isinstance(error, socket.gaierror) or error.errno == errno.EADDRNOTAVAIL:
            raise UserError(f"host {host!r}: {error.strerror}; name an address of this machine") from None
        why = "is taken" if error.errno == errno.EADDRINUSE else str(error.strerror)
        another = port + 1 if port < LAST_PORT else port - 1
        raise UserError(f"port {port}: {why}; name another: make {target} PORT={another}") from None
    return listener


def end_quietly() -> None:
    """From now on end this process with status 0 at Ctrl-C, SIGTERM and the terminal's closing."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit(0))
    if signal.getsignal(signal.SIGHUP) == signal.SIG_DFL:  # nohup has it ignored
        # uvicorn knows the others alone.
        signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))


def run(app: Any, listener: socket.socket, grace: int) -> None:
    """Serve an ASGI application until a signal ends it, which may take `grace` seconds."""
    import uvicorn

    config = uvicorn.Config(
        app,
        log_level=logging.WARNING,
        ws="none",
        server_header=False,
        limit_concurrency=MOST_CONNECTIONS,
        timeout_graceful_shutdown=grace,
    )
    uvicorn.Server(config).run(sockets=[listener])
