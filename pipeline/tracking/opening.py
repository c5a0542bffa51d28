"""Runs and models that are there once, however often a server was asked for them.

MLflow repeats a request whose reply is lost, so that the server may have done it twice.
"""

from pipeline.tracking import connection, ownership, store
from pipeline.tracking.lineage import Tags
from pipeline.tracking.quiet_mlflow import LoggedModelOutput, MlflowClient, MlflowException, Run


def create(client: MlflowClient, experiment: str, name: str, tags: Tags | None = None) -> Run:
    """Open a run, RUNNING until it is ended; a second one that a lost reply left is deleted."""
    owner = ownership.tags()
    run = client.create_run(experiment, run_name=name, tags={**(tags or {}), **owner})
    if _is_server():
        for same in client.search_runs([experiment], f"tags.{ownership.TAG} = '{owner[ownership.TAG]}'"):
            if same.info.run_id != run.info.run_id:
                client.delete_run(same.info.run_id)
    return run


def delete_other_models(client: MlflowClient, run: Run, model_id: str) -> None:
    """Delete what a lost reply left of the run's model: a second one, without contents."""
    if _is_server():
        for model in client.search_logged_models(
            [run.info.experiment_id], f"source_run_id = '{run.info.run_id}'"
        ):
            if model.model_id != model_id:
                client.delete_logged_model(model.model_id)


def log_output(client: MlflowClient, run_id: str, model_id: str) -> None:
    """Say that the model came out of the run; a server that has it from a lost request refuses a second."""
    try:
        client.log_outputs(run_id, [LoggedModelOutput(model_id, step=0)])
    except MlflowException:
        if model_id not in connection.models_of(client.get_run(run_id)):
            raise


def _is_server() -> bool:
    return store.database() is None
