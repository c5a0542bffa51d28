"""The MLflow UI on the local store."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

from pipeline.commands import loopback
from pipeline.tracking import experiments, failures, schema, store

# One person looks at it. By default MLflow starts four workers, and more processes that wait for jobs which
# judge language models.
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
OPTIONS = ("--workers", "1", "--uvicorn-opts", "--log-level warning")
# Seconds that it may take to finish what it is answering.
GRACE = 10


def serve(port: int) -> None:
    """Run the MLflow server on loopback until a signal ends it; UserError where the port is taken.

    Where the store is a tracking server it has a UI already, whose address is printed.
    """
    address, database = store.uri(), store.database()
    if address.startswith(("http://", "https://")):
        print(f"MLflow UI: {_page(store.shown())} (of the tracking server)")
        return
    loopback.listen(port, "ui").close()
    if database and database.exists():
        _check(database)
    loopback.end_quietly()
    print(f"MLflow UI: {_page(f'http://{loopback.HOST}:{port}')} (Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", loopback.HOST, "--port", str(port)]
    run([*command, "--backend-store-uri", address, "--allowed-hosts", own_names(port), *OPTIONS])


def _check(database: Path) -> None:
    """Raise UserError where MLflow can't use the store as it is: the server would migrate it unasked."""
    try:
        schema.check(database)
    except sqlite3.Error as error:
        raise failures.unanswered(error) from error


def _page(server: str) -> str:
    return f"{server.rstrip('/')}/#/experiments?{experiments.TRAINING}"


def run(command: Sequence[str], environment: Mapping[str, str] | None = None) -> NoReturn:
    """Run a server of MLflow in this environment besides the present one, and exit with its status."""
    server = subprocess.Popen(
        command,
        env={**ENVIRONMENT, **os.environ, **(environment or {})},
        start_new_session=True,  # a signal is for this process, which ends all of the server's
    )
    try:
        sys.exit(server.wait())
    finally:
        _end(server)


def own_names(port: int) -> str:
    """Return the Host headers to answer: by default MLflow takes 10.site.example for a private address."""
    names = (loopback.HOST, "localhost")
    return ",".join(f"{name}{end}" for name in names for end in ("", f":{port}"))


def _end(server: "subprocess.Popen[bytes]") -> None:
    """End the server with all its processes, which are a session of their own."""
    try:
        with suppress(OSError):
            os.killpg(server.pid, signal.SIGTERM)
        with suppress(subprocess.TimeoutExpired):
            server.wait(GRACE)
    finally:
        with suppress(OSError):
            os.killpg(server.pid, signal.SIGKILL)
