"""MLflow stores without runs: empty, or refusing."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def create(database: Path) -> Path:
    """Make an empty SQLite store; that takes MLflow seconds, copying it none."""
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
