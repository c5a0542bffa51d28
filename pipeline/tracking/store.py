"""Where the runs are shown: the address of the MLflow store. Imports no MLflow."""

import os
import re
from pathlib import Path

from pipeline.errors import UserError

SQLITE = "sqlite:///"
STORES = re.compile(r"https?://|(sqlite|postgresql|mysql|mssql)(\+\w+)?://")


def uri() -> str:
    """Return the store's address: MLFLOW_TRACKING_URI, else mlflow.db at the repository's root.

    UserError where there is neither, and for what MLflow takes for no server and no database.
    """
    chosen = os.environ.get("MLFLOW_TRACKING_URI", "").strip()
    if not chosen:
        return _sqlite(root() / "mlflow.db")
    if chosen.startswith(SQLITE):
        # A relative one is of the main repository, also where DVC runs an experiment in a copy.
        return _sqlite(Path(os.environ.get("DVC_ROOT", "")) / chosen.removeprefix(SQLITE))
    if not STORES.match(chosen):
        raise UserError(
            f"MLFLOW_TRACKING_URI = {without_credentials(chosen)[:100]!r}: allowed is the address of a "
            "server, http:// or https://, or of a database, such as sqlite:///mlflow.db"
        )
    return chosen


def root() -> Path:
    """Return the repository's root; of the main one where DVC runs an experiment in a copy.

    UserError outside any repository.
    """
    if main := os.environ.get("DVC_ROOT"):
        return Path(main).resolve()
    here = Path.cwd().resolve()
    for folder in (here, *here.parents):
        if (folder / ".dvc").is_dir():
            return folder
    raise UserError(
        f"{here}: not in a DVC repository, so there is no place for MLflow's store; set MLFLOW_TRACKING_URI"
    )


def database() -> Path | None:
    """Return the store's file where it is SQLite, else None. UserError as for `uri`."""
    address = uri()
    return Path(address.removeprefix(SQLITE)) if address.startswith(SQLITE) else None


def shown() -> str:
    """Return the address for a message: without a user name or password."""
    try:
        return without_credentials(uri())
    except UserError:
        return "MLflow"


def without_credentials(text: str) -> str:
    """Return the text with `user:password@` taken out of every address in it."""
    return re.sub(r"(?<=//)[^/\s]*@", "", text)


def _sqlite(path: Path) -> str:
    """SQLAlchemy takes the path as it is, unquoted; only a `?` would begin something else."""
    path = path.resolve()
    if "?" in str(path):
        raise UserError(
            f"{path}: SQLite's address can't hold a `?`; move the repository or set another store"
        )
    return SQLITE + str(path)
