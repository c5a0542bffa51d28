"""Runs that are open: once, however often a server was asked, and only while somebody fills them.

A run's tag `publisher` names the process that fills it: machine, process, and a number of its own.
"""

import os
import socket
import uuid

import psutil

from pipeline.tracking import connection, store
from pipeline.tracking.lineage import Tags
from pipeline.tracking.quiet_mlflow import MlflowClient, Run

PUBLISHER = "publisher"
LOST = "the process that published it was killed, or lost the connection"


def create(client: MlflowClient, experiment: str, name: str, tags: Tags | None = None) -> Run:
    """Open a run, RUNNING until it is ended.

    MLflow asks a server a second time where its reply is lost; the run that the first one made is deleted.
    """
    publisher = f"{socket.gethostname()} {os.getpid()} {uuid.uuid4().hex}"
    run = client.create_run(experiment, run_name=name, tags={**(tags or {}), PUBLISHER: publisher})
    if _is_server():
        for same in client.search_runs([experiment], f"tags.{PUBLISHER} = '{publisher}'"):
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


def end_abandoned(client: MlflowClient) -> list[Run]:
    """End every run that a process of this machine opened and can't end any more; return them."""
    found = connection.running(client)
    abandoned = [run for run in found if _is_abandoned(run.data.tags.get(PUBLISHER, ""))]
    for run in abandoned:
        connection.abandon(client, run, LOST)
    return abandoned


def _is_server() -> bool:
    return store.database() is None


def _is_abandoned(publisher: str) -> bool:
    """Tell whether the process was one of this machine's and is no more."""
    machine, _, rest = publisher.partition(" ")
    number = rest.partition(" ")[0]
    if machine != socket.gethostname() or not number.isdecimal():
        return False
    try:
        # Its number may have gone to another program.
        return not any("pipeline" in part for part in psutil.Process(int(number)).cmdline())
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False
