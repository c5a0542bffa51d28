"""MLflow as this project uses it: quiet, impatient, asking nobody. All other modules take it from here.

MLflow reads its settings from the environment, some of them while it is imported; a setting of the
user's own wins.
"""

import logging
import os
import warnings

SETTINGS = {
    "MLFLOW_DISABLE_AGENT_HINT": "1",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
    "MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR": "false",
    # By default a server that refuses is asked again for four minutes, at every call.
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "3",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
    "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    "MLFLOW_HTTP_REQUEST_BACKOFF_JITTER": "0",
    # A value that is too long is refused rather than cut in silence.
    "MLFLOW_TRUNCATE_LONG_VALUES": "false",
}


def settle() -> None:
    """Set what the user has not: at the import, and again where a process has changed its environment."""
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)


settle()

import mlflow.pyfunc  # noqa: E402
from mlflow import MlflowClient  # noqa: E402
from mlflow.entities import (  # noqa: E402
    Dataset,
    DatasetInput,
    InputTag,
    LoggedModelOutput,
    Metric,
    Param,
    Run,
    RunTag,
)
from mlflow.exceptions import MlflowException  # noqa: E402
from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor  # noqa: E402

# What goes wrong is raised, and reported in one line; what MLflow and its libraries say besides is noise.
for _library in ("mlflow", "alembic", "urllib3", "sqlalchemy"):
    logging.getLogger(_library).setLevel(logging.CRITICAL)
warnings.filterwarnings("ignore", module=r"(mlflow|alembic|pydantic)\b")

__all__ = [
    "Dataset",
    "DatasetInput",
    "InputTag",
    "LoggedModelOutput",
    "Metric",
    "MlflowClient",
    "MlflowException",
    "Param",
    "Run",
    "RunTag",
    "SystemMetricsMonitor",
    "mlflow",
    "settle",
]
