"""Runs in MLflow that nobody will end."""

from collections.abc import Iterator

from pipeline.errors import UserError
from pipeline.tracking import store


def runs() -> Iterator[str]:
    """Yield a line for each RUNNING run whose publisher is gone or unknown, and where MLflow is away."""
    try:
        database = store.database()
    except UserError as error:
        yield f"tracking: {error}"
        return
    if database and not database.exists():
        return
    from pipeline.tracking import connection, failures, ownership

    try:
        for run in connection.running_runs(connection.connect()):
            named = f"{run.info.run_name}: run {run.info.run_id} is RUNNING"
            if ownership.is_abandoned(run):
                yield f"{named}, and its publisher is gone; `python -m pipeline publish` ends it as FAILED"
            elif ownership.TAG not in run.data.tags:
                yield f"{named} for nobody knows whom; `mlflow runs delete --run-id {run.info.run_id}`"
    except UserError as error:  # names the store and the remedy
        yield f"tracking: {error}"
    except connection.ERRORS as error:
        yield str(failures.unanswered(error, "start the server, or set another MLFLOW_TRACKING_URI"))
