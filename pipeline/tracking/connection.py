"""A client of the store, and the experiments in it. Runs only in processes of its own: imports MLflow."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock
from sqlalchemy import create_engine
from sqlalchemy.exc import SQLAlchemyError

from pipeline.errors import UserError
from pipeline.tracking import experiments, failures, schema, store
from pipeline.tracking.quiet_mlflow import MlflowClient, MlflowException, Run

# How long the first user of a new store may take to create it while others wait.
CREATION = 30.0
LONGEST_TAG = 5000
# What a store that can't be had raises: MLflow's own, and what it lets pass of the libraries that it asks.
ERRORS = (MlflowException, OSError, sqlite3.Error, SQLAlchemyError, ImportError)


def connect() -> MlflowClient:
    """Return a client of the store, which is created where it is a SQLite file that isn't there yet.

    Raises UserError where there is no place for a store, or where it is another MLflow's, and exceptions of
    MLflow and SQLite where it doesn't answer.
    """
    prepare()
    if database := store.database():
        schema.check(database)
    elif not store.uri().startswith("http"):
        create_engine(store.uri()).connect().close()  # MLflow would try for minutes
    return MlflowClient(store.uri())


@contextmanager
def answering(remedy: str = failures.REMEDY) -> Iterator[None]:
    """Raise UserError in one line, with the remedy, where the store doesn't do what the block asks of it."""
    try:
        yield
    except ERRORS as error:
        raise failures.unanswered(error, remedy) from error


def import_store() -> None:
    """Import what a SQLite store takes: MLflow would do it at the first call, and it takes a second."""
    if store.database():
        from mlflow.store.tracking import sqlalchemy_store  # noqa: F401


def prepare() -> None:
    """Create a new SQLite store, which takes seconds and waits for no server.

    Only one process creates it; the others wait. Raises UserError where there is no place for it.
    """
    database = store.database()
    if not database or database.exists():
        return
    from mlflow.store.tracking import sqlalchemy_store

    create: Any = sqlalchemy_store.SqlAlchemyStore  # has no types
    try:
        database.parent.mkdir(parents=True, exist_ok=True)
        with FileLock(f"{database}.lock", timeout=CREATION):
            if not database.exists():
                _migrate(create, database)
    except OSError as error:
        raise UserError(f"{error.filename or database}: {error.strerror or error}") from error


def experiment_id(client: MlflowClient, name: str) -> str:
    """Return the id of the experiment of this name, created with its description if need be.

    Raises UserError where it has been deleted.
    """
    found = client.get_experiment_by_name(name)
    if found is None:
        try:
            return _create_experiment(client, name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            found = client.get_experiment_by_name(name)  # another process was faster
    if found is None or found.lifecycle_stage == "deleted":
        number = found.experiment_id if found else "ID"
        raise UserError(
            f"{store.shown()}: experiment {name!r} is deleted; "
            f"`mlflow experiments restore --experiment-id {number}` brings it back"
        )
    return str(found.experiment_id)


def finished_runs(client: MlflowClient, fingerprint: str, experiment: str | None = None) -> list[Run]:
    """Return the FINISHED runs of this fingerprint, the newest first, in one experiment or in all of ours."""
    condition = f"tags.fingerprint = '{fingerprint}' and attributes.status = 'FINISHED'"
    return runs_where(client, condition, [experiment] if experiment else None)


def runs_where(client: MlflowClient, condition: str, experiments: list[str] | None = None) -> list[Run]:
    """Return every run of which MLflow's filter holds, the newest first; in all experiments of ours."""
    found = _experiments(client) if experiments is None else experiments
    newest_first = ["attributes.start_time DESC"]
    runs: list[Run] = []
    token = None
    while found:
        page = client.search_runs(found, condition, order_by=newest_first, page_token=token)
        runs += page
        token = page.token
        if not token:
            break
    return runs


def running_runs(client: MlflowClient) -> list[Run]:
    """Return every RUNNING run in the experiments of ours that there are."""
    return runs_where(client, "attributes.status = 'RUNNING'")


def models_of(run: Run) -> list[str]:
    """Return the ids of the logged models that came out of a run."""
    return [str(output.model_id) for output in run.outputs.model_outputs] if run.outputs else []


def abandon(client: MlflowClient, run: Run, failure: str, status: str = "FAILED") -> None:
    """End a run that won't be complete, with the reason as its tag `failure`; where that fails, let it be."""
    with suppress(Exception):
        client.set_tag(run.info.run_id, "failure", failure[:LONGEST_TAG])
        client.set_terminated(run.info.run_id, status)


def _experiments(client: MlflowClient) -> list[str]:
    named = (client.get_experiment_by_name(name) for name in experiments.EXPERIMENTS)
    return [found.experiment_id for found in named if found and found.lifecycle_stage == "active"]


def _create_experiment(client: MlflowClient, name: str) -> str:
    database = store.database()
    location = (_artifacts(database) / name).as_uri() if database else None
    return str(client.create_experiment(name, artifact_location=location, tags=experiments.tags(name)))


def _artifacts(database: Path) -> Path:
    return database.with_name("mlartifacts")


def _migrate(create: Any, database: Path) -> None:
    """Create the store under another name and rename it: who is killed meanwhile leaves no half of one."""
    temporary = database.with_name(f"{database.name}.{os.getpid()}.tmp")
    try:
        create(f"{store.SQLITE}{temporary}", _artifacts(database).as_uri()).engine.dispose()
        temporary.rename(database)
    finally:
        temporary.unlink(missing_ok=True)
