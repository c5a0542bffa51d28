"""MLflow stores without runs."""

from pathlib import Path

import pytest


def create(database: Path) -> Path:
    """Make an empty SQLite store; that takes MLflow seconds, copying it none."""
    from pipeline.tracking import connection

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{database}")
        connection.connect()
    return database
