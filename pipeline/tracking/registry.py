"""The registered model: which version is the champion, and its files, verified before anybody uses them.

The files are those of the run that the version comes from. They must have the digest that the run's
fingerprint says, and the logged model must hold the same ones. Of the code stored with a model nothing is
run: what scores is this project's own.
"""

import atexit
import errno
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from safetensors import SafetensorError

from pipeline.errors import UserError, one_line, printable
from pipeline.tracking import connection, failures, logged_model, run_directory, scored_run, store
from pipeline.tracking.quiet_mlflow import MlflowClient, MlflowException, Run, mlflow
from pipeline.tracking.scored_model import ScoredModel

NAME = "gradline-digits"
CHAMPION, CHALLENGER = "champion", "challenger"

# Bytes that the files of a run and of its model may take.
ROOM = 10_000_000
LOGGED, URI = "m-", "models:/"
REMEDY = f"delete this run and its version of {NAME} in `make ui`, then `make publish` and `make promote`"


@dataclass(frozen=True)
class Source:
    """A run and its logged model: what a version of the registered model is made from."""

    run: Run
    model_id: str

    @property
    def name(self) -> str:
        """The name of the run."""
        return str(self.run.info.run_name)

    @property
    def fingerprint(self) -> str:
        """The digest of the run directory; empty where the run is none of this project's."""
        return str(self.run.data.tags.get("fingerprint", ""))

    @property
    def shown(self) -> str:
        """Name and fingerprint, for a message."""
        return f"{self.name} ({self.fingerprint[:12] or 'without a fingerprint'})"


@dataclass(frozen=True)
class Version:
    """A version of the registered model, by its number."""

    number: str
    source: Source


@connection.answering()
def champion(client: MlflowClient) -> Path:
    """Return the folder of the champion's files, a run directory: for this process, which removes it.

    Raises UserError where there is no champion, where a file is missing or none of a run's, where the files
    aren't those of its fingerprint or don't score, and where the store doesn't answer.
    """
    return files(client, require(client).source)


def require(client: MlflowClient) -> Version:
    """Return the champion; UserError where there is none."""
    version = holder(client, CHAMPION)
    if version is None:
        raise UserError(f"{store.shown()}: {NAME} has no champion; `make promote` chooses one")
    return version


def holder(client: MlflowClient, alias: str) -> Version | None:
    """Return the version with this alias, None without one; UserError where it has been deleted."""
    try:
        aliases = client.get_registered_model(NAME).aliases
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None
    if alias not in aliases:
        return None
    number = str(aliases[alias])
    try:
        version = client.get_model_version(NAME, number)
        run = client.get_run(version.run_id or "")
    except MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        raise UserError(
            f"{store.shown()}: {NAME}: the alias {alias!r} points to version {number}, which is deleted or "
            f"whose run is; remove the alias in `make ui` (Models, {NAME}), then `make promote`"
        ) from error
    return Version(number, Source(run, _model_id(version.source or "", run)))


def files(client: MlflowClient, source: Source) -> Path:
    """Return the folder of a run's files, verified; raises UserError as `champion`."""
    folder = Path(tempfile.mkdtemp(prefix="gradline-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    where = f"{store.shown()}: {source.shown}"
    try:
        run = Path(client.download_artifacts(source.run.info.run_id, "run", str(folder)))
        for entry in client.list_logged_model_artifacts(source.model_id, "data"):
            if PurePosixPath(entry.path).name not in logged_model.DATA:
                raise ValueError(f"its logged model has an unexpected file {entry.path!r}")
        location = client.get_logged_model(source.model_id).artifact_location
        model = mlflow.artifacts.download_artifacts(
            artifact_uri=f"{location}/data", dst_path=str(folder), tracking_uri=store.uri()
        )
        _verify(run, Path(model), source.fingerprint)
    except (MlflowException, OSError) as error:
        if shutil.disk_usage(folder).free < ROOM:  # MLflow says no more than that it failed
            full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), tempfile.gettempdir())
            raise UserError(one_line(full)) from error
        why = f"its files can't be read ({failures.reason(error)})"
        raise UserError(f"{where}: {why}; where they are lost, {REMEDY}") from error
    except (ValueError, KeyError, TypeError, SafetensorError) as error:
        raise UserError(f"{where}: {printable(str(error))}; {REMEDY}") from error
    return run


def _verify(run: Path, model: Path, fingerprint: str) -> None:
    """Raise ValueError where the files aren't those of a run with this fingerprint, or can't be scored."""
    for name in scored_run.foreign(run):
        raise ValueError(f"unexpected file {name!r}")
    found = run_directory.fingerprint(run)
    if found != fingerprint:
        raise ValueError(f"its files have the digest {found[:12]}, not that of its fingerprint")
    for name in logged_model.DATA:
        if (run / name).read_bytes() != (model / name).read_bytes():
            raise ValueError(f"{name} of its logged model is not that of its run")
    ScoredModel(run).require_probabilities()


def _model_id(source: str, run: Run) -> str:
    """Return the logged model that a version comes from, or that of its run."""
    logged = source.removeprefix(URI)
    return logged if logged.startswith(LOGGED) else next(iter(connection.models_of(run)), "")
