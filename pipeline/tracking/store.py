"""Where the runs are shown: the address of the MLflow store. Imports no MLflow."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from pipeline.errors import UserError

SQLITE = "sqlite:///"
# Of SQLite's other addresses a store is in memory, and gone with the process.
STORES = re.compile(r"https?://|(postgresql|mysql|mssql)(\+\w+)?://")


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
    if not _is_address(chosen):
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


def _is_address(text: str) -> bool:
    """Whether MLflow would look for a server or a database there, and a library can take it apart."""
    try:
        urlsplit(text).port  # noqa: B018 - refuses what is no host and no port
    except ValueError:
        return False
    return bool(STORES.match(text))


def _sqlite(path: Path) -> str:
    """Return the address of a file, which stands in it as it is; UserError where it can't."""
    try:
        path = path.resolve()
    except (OSError, RuntimeError) as error:  # a link that leads to itself
        raise UserError(f"{path}: {error}; remove it or set another store") from None
    if found := re.search("[?]|%[0-9A-Fa-f]{2}", str(path)):
        raise UserError(
            f"{path}: SQLite's address can't hold a `{found[0]}`; move the repository or set another store"
        )
    return SQLITE + str(path)
