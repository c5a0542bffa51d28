"""Runs in MLflow that nobody will end."""

from collections.abc import Iterator

from pipeline.errors import UserError
from pipeline.tracking import store


def runs() -> Iterator[str]:
    """Yield a line for each RUNNING run whose publisher is gone or unknown, and where MLflow is away."""
    database = store.database()
    if database and not database.exists():
        return
    from pipeline.tracking import connection, ownership

    try:
        for run in connection.running_runs(connection.connect()):
            named = f"{run.info.run_name}: run {run.info.run_id} is RUNNING"
            if ownership.is_abandoned(run):
                yield f"{named}, and its publisher is gone; `python -m pipeline publish` ends it as FAILED"
            elif ownership.TAG not in run.data.tags:
                yield f"{named} for nobody knows whom; `mlflow runs delete --run-id {run.info.run_id}`"
    except (*connection.ERRORS, UserError) as error:
        why = str(error) if isinstance(error, UserError) else connection.reason(error)
        yield f"tracking: {store.shown()}: {why}; start the server, or set another MLFLOW_TRACKING_URI"
