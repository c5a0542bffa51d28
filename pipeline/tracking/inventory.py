"""What MLflow has of the run directories that DVC has as outputs."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dvc.config import ConfigError
from dvc.exceptions import DvcException
from dvc.repo import Repo

from pipeline.errors import UserError, printable
from pipeline.tracking import connection, run_directory
from pipeline.tracking.quiet_mlflow import MlflowClient
from pipeline.tracking.stored import RUNS

State = Literal["published", "duplicated", "stale", "missing", "absent"]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True)
class Entry:
    """A run directory, and the ids of the runs that show it.

    published   one FINISHED run has its fingerprint
    duplicated  several have, as after `dvc repro --force`
    stale       none has; the newest FINISHED run of its name, which is listed, shows what isn't on disk
    missing     none has, and none has its name
    absent      it isn't on disk, so that nothing can be said
    """

    name: str
    stage: str
    fingerprint: str | None
    runs: list[str]
    state: State


def take(client: MlflowClient) -> list[Entry]:
    """Return an entry for each run directory of the stages in dvc.yaml, in their order.

    Raises UserError outside a DVC repository and for a dvc.yaml that DVC refuses.
    """
    return [_entry(client, path, stage) for path, stage in _directories().items()]


def _directories() -> dict[Path, str]:
    """Return every run directory that is an output of a stage, whether it ran or not, with the stage."""
    try:
        stages = Repo(".").index.stages
    except DvcException as error:
        file = ".dvc/config" if isinstance(error, ConfigError) else "dvc.yaml"
        remedy = f"`git checkout HEAD -- {file}` brings back that of the last commit"
        raise UserError(f"{file}: {printable(str(error))}; {remedy}") from error
    outputs = ((Path(out.def_path), stage.addressing) for stage in stages for out in stage.outs)
    return {path: stage for path, stage in outputs if path.parent == RUNS}


def _entry(client: MlflowClient, path: Path, stage: str) -> Entry:
    if not (path / run_directory.RECORD).exists():
        return Entry(path.name, stage, None, [], "absent")
    fingerprint = run_directory.fingerprint(path)
    runs = [run.info.run_id for run in connection.finished_runs(client, fingerprint)]
    if runs:
        return Entry(path.name, stage, fingerprint, runs, "published" if len(runs) == 1 else "duplicated")
    condition = f"attributes.run_name = '{path.name}' and attributes.status = 'FINISHED'"
    others = [run.info.run_id for run in connection.runs_where(client, condition)][:1]
    return Entry(path.name, stage, fingerprint, others, "stale" if others else "missing")
