"""The MLflow UI on the local store."""

import os
import socket
import sys

from pipeline.errors import UserError
from pipeline.tracking import schema, store


def serve(port: int) -> None:
    """Replace this process by the MLflow server on loopback; UserError where the port is taken."""
    _refuse_taken(port)
    database = store.database()
    if database and database.exists():
        schema.check(database)  # the server would migrate it unasked
    print(f"MLflow UI: http://127.0.0.1:{port} (Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port)]
    os.execv(sys.executable, [*command, "--backend-store-uri", store.uri()])


def _refuse_taken(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise UserError(f"port {port}: is taken; name another: make ui PORT={port + 1}") from None
