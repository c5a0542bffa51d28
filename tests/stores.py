"""MLflow stores without runs: empty, or refusing."""

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from filelock import FileLock


def empty(temporary: pytest.TempPathFactory) -> Path:
    """Return an empty SQLite store, to copy. MLflow takes seconds to make one: all processes share it."""
    folder = temporary.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    database = folder / "mlflow.db"
    with FileLock(folder / "mlflow.lock"):
        if not database.exists():
            _create(folder / "unfinished.db").rename(database)
    return database


def _create(database: Path) -> Path:
    from pipeline.tracking import connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
        connection.connect()
    return database


@contextmanager
def refusing() -> Iterator[str]:
    """Yield the host and port of a server that refuses every connection."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound and not listening
        yield f"127.0.0.1:{taken.getsockname()[1]}"
