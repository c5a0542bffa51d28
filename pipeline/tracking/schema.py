"""Whether a SQLite store is one that the installed MLflow can use as it is. Imports no MLflow.

MLflow refuses one whose schema is another, but where tables are missing it migrates it first, unasked and
without a backup.
"""

import re
import shlex
import sqlite3
from contextlib import closing
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from pipeline.errors import UserError
from pipeline.tracking import store

MIGRATIONS = "store/db_migrations/versions"


def check(database: Path) -> None:
    """Raise UserError where the store is older or newer than MLflow, or is none, with the remedy.

    An empty one is fine: MLflow fills it. Raises sqlite3.OperationalError where it is locked.
    """
    found, newest, known = _revision(database), *_revisions()
    if found in (newest, None):
        return
    address = f"{store.SQLITE}{database}"
    if found in known:
        raise UserError(
            f"{address}: is of an older MLflow than {version('mlflow')}; copy the file as a backup, then "
            f"`mlflow db upgrade {shlex.quote(address)}`"
        )
    raise UserError(
        f"{address}: is of a newer MLflow than {version('mlflow')}; install that one, or move the file away "
        "and a new store is made"
    )


def _revision(database: Path) -> str | None:
    """Return the last migration of the store; None where it has no tables yet."""
    try:
        with closing(sqlite3.connect(f"{database.as_uri()}?mode=rw", uri=True)) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if not tables:
                return None
            if "alembic_version" in tables:
                [(revision,)] = connection.execute("SELECT version_num FROM alembic_version")
                return str(revision)
    except sqlite3.OperationalError:
        raise  # it is locked
    except (sqlite3.DatabaseError, ValueError):
        pass
    raise UserError(f"{store.SQLITE}{database}: is no store of MLflow; move it away and a new one is made")


def _revisions() -> tuple[str, set[str]]:
    """Return MLflow's newest migration, which no other builds upon, and all of them."""
    spec = find_spec("mlflow")
    [package] = spec.submodule_search_locations or [""] if spec else [""]
    files = (Path(package) / MIGRATIONS).glob("*.py")
    sources = "\n".join(file.read_text(encoding="utf-8") for file in files)
    known = set(re.findall(r'^revision = "(\w+)"', sources, re.MULTILINE))
    before = set(re.findall(r'^down_revision = "(\w+)"', sources, re.MULTILINE))
    [newest] = known - before
    return newest, known
