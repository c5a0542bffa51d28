"""The MLflow UI on the local store."""

import os
import signal
import subprocess
import sys
from contextlib import suppress

from pipeline.commands import loopback
from pipeline.tracking import experiments, schema, store

# One person looks at it. By default MLflow starts four workers, and more processes that wait for jobs which
# judge language models.
ENVIRONMENT = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
OPTIONS = ("--workers", "1", "--uvicorn-opts", "--log-level warning")
# Seconds that it may take to finish what it is answering.
GRACE = 10


def serve(port: int) -> None:
    """Run the MLflow server on loopback until a signal ends it; UserError where the port is taken."""
    loopback.listen(port, "ui").close()
    address, database = store.uri(), store.database()
    if database and database.exists():
        schema.check(database)  # the server would migrate it unasked
    loopback.end_quietly()
    page = f"http://{loopback.HOST}:{port}/#/experiments?{experiments.TRAINING}"
    print(f"MLflow UI: {page} (Ctrl-C ends it)", flush=True)
    command = [sys.executable, "-m", "mlflow", "server", "--host", loopback.HOST, "--port", str(port)]
    server = subprocess.Popen(
        [*command, "--backend-store-uri", address, *OPTIONS],
        env={**ENVIRONMENT, **os.environ},
        start_new_session=True,  # a signal is for this process, which ends all of the server's
    )
    try:
        sys.exit(server.wait())
    finally:
        _end(server)


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
