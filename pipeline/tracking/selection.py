"""Which run is meant: by its id, by the beginning of its id, or by its name."""

import difflib
import re
from collections.abc import Iterable

from pipeline.errors import UserError
from pipeline.tracking import connection, store
from pipeline.tracking.quiet_mlflow import MlflowClient, MlflowException, Run

ID = re.compile("[0-9a-f]{32}")
BEGINNING = re.compile("[0-9a-f]{6,31}")
# How many runs an error names.
CANDIDATES = 5
# How much of an id is shown: more than `find` asks for.
SHOWN = 8


def find(client: MlflowClient, wanted: str) -> Run:
    """Return the run of this id, the newest FINISHED one of this name, or the one whose id begins so.

    Raises UserError, with the candidates, where there is none or where several begin so.
    """
    found = _of_id(client, wanted) if ID.fullmatch(wanted) else _of_name(client, wanted)
    if found is None and BEGINNING.fullmatch(wanted):
        found = _beginning(client, wanted)
    if found is None:
        names = {run.info.run_name for run in connection.runs_where(client, "")}
        nearest = difflib.get_close_matches(wanted, names, CANDIDATES, cutoff=0)
        candidates = f"the nearest names are {', '.join(nearest)}" if nearest else "`make publish` fills it"
        raise UserError(f"run {wanted!r}: there is none in {store.shown()}; {candidates}")
    return found


def words(run: Run) -> str:
    """Return the run's name, the beginning of its id and the DVC experiment that it belongs to, if any."""
    experiment = run.data.tags.get("dvc.exp.name")
    of = f" of the experiment {experiment}" if experiment else ""
    return f"{run.info.run_name} ({run.info.run_id[:SHOWN]}{of})"


def _of_id(client: MlflowClient, wanted: str) -> Run | None:
    try:
        run = client.get_run(wanted)
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            return None
        raise
    if run.info.lifecycle_stage == "deleted":
        raise UserError(f"run {wanted}: is deleted; `mlflow runs restore --run-id {wanted}` brings it back")
    return run


def _of_name(client: MlflowClient, wanted: str) -> Run | None:
    if "'" in wanted:  # no run of ours, and MLflow's filter would end there
        return None
    runs = connection.runs_where(client, f"attributes.run_name = '{wanted}'")
    finished = [run for run in runs if run.info.status == "FINISHED"]
    if runs and not finished:
        raise UserError(f"run {wanted!r}: none is FINISHED; there are {_listed(runs)}")
    return next(iter(finished), None)


def _beginning(client: MlflowClient, wanted: str) -> Run | None:
    runs = connection.runs_where(client, f"attributes.run_id LIKE '{wanted}%'")
    if len(runs) > 1:
        raise UserError(f"run {wanted!r}: several ids begin so; name more of one: {_listed(runs)}")
    return next(iter(runs), None)


def _listed(runs: Iterable[Run]) -> str:
    listed = [f"{run.info.run_id} ({run.info.run_name}, {run.info.status})" for run in runs]
    more = len(listed) - CANDIDATES
    return ", ".join([*listed[:CANDIDATES], *([f"and {more} more"] if more > 0 else [])])
