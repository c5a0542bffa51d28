"""An MLflow server for a team: users with passwords, and PostgreSQL behind it where that is named.

All that is secret comes from the environment or from files, never from the command line, which everybody on
the machine can read; what is kept is in a folder for this user alone.
"""

import configparser
import os
import secrets
import sys
from pathlib import Path

from pipeline.commands import loopback, ui
from pipeline.errors import UserError
from pipeline.tracking import failures, store

PASSWORD, DATABASE = "TEAM_SERVER_PASSWORD", "TRACKING_DATABASE_URL"
SHORTEST = 12
# Seconds that the database may take to answer.
PATIENCE = 10
FOLDER = "team-server"
ADMINISTRATOR = "admin"


def serve(port: int, host: str, names: list[str]) -> None:
    """Run the server until a signal ends it, answering to this machine's names and to `names`.

    Raises UserError without a password of at least SHORTEST characters, for a database that isn't
    PostgreSQL or doesn't answer, and where the port is taken.
    """
    password, database = _password(), _database()
    loopback.listen(port, "team-server", host).close()
    loopback.end_quietly()
    os.umask(0o077)
    folder = store.root() / FOLDER
    folder.mkdir(exist_ok=True)
    folder.chmod(0o700)
    users, runs = (database, database) if database else (_sqlite(folder, "users"), _sqlite(folder, "mlflow"))
    environment = {
        "MLFLOW_AUTH_CONFIG_PATH": str(_settings(folder, users)),
        "MLFLOW_AUTH_ADMIN_PASSWORD": password,
        "MLFLOW_FLASK_SERVER_SECRET_KEY": _secret_key(folder),
        "MLFLOW_BACKEND_STORE_URI": runs,
    }
    print(
        f"MLflow for a team: http://{host}:{port}, administrator {ADMINISTRATOR!r}, runs in "
        f"{'PostgreSQL' if database else folder / 'mlflow.db'} (Ctrl-C ends it)",
        flush=True,
    )
    hosts = ",".join([ui.own_names(port), *(f"{name}{end}" for name in names for end in ("", f":{port}"))])
    command = [sys.executable, "-m", "mlflow", "server", "--app-name", "basic-auth"]
    command += ["--host", host, "--port", str(port), "--allowed-hosts", hosts, *ui.OPTIONS]
    origins = ",".join(f"https://{name}" for name in names)
    command += ["--cors-allowed-origins", origins] if names else []
    ui.run([*command, "--artifacts-destination", str(folder / "artifacts")], environment)


def _password() -> str:
    """Return the administrator's password; there is none by default."""
    password = os.environ.get(PASSWORD, "")
    if file := os.environ.get(f"{PASSWORD}_FILE"):
        try:
            password = Path(file).read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise UserError(f"{PASSWORD}_FILE: {file}: can't be read ({error})") from error
    if len(password) < SHORTEST:
        raise UserError(
            f"{PASSWORD}: has {len(password)} characters, at least {SHORTEST} are needed; set it, or "
            f"{PASSWORD}_FILE to a file that holds it"
        )
    return password


def _database() -> str:
    """Return the address of a PostgreSQL that answers; empty where none is named."""
    address = os.environ.get(DATABASE, "").strip()
    if not address:
        return ""
    from sqlalchemy import create_engine, make_url
    from sqlalchemy.exc import ArgumentError, SQLAlchemyError

    try:
        url = make_url(address)
        if url.get_backend_name() != "postgresql":
            raise ValueError(address)
    except (ArgumentError, ValueError):
        raise UserError(f"{DATABASE}: is no postgresql://user:password@host/name") from None
    try:
        # MLflow would say that it runs, and try for minutes.
        create_engine(url, connect_args={"connect_timeout": PATIENCE}).connect().close()
    except (SQLAlchemyError, ImportError) as error:
        where = f"{DATABASE}: {url.host or 'localhost'}"
        raise UserError(f"{where}: {failures.reason(error)}; start it, or name another") from None
    return address


def _sqlite(folder: Path, name: str) -> str:
    return f"{store.SQLITE}{folder / name}.db"


def _settings(folder: Path, users: str) -> Path:
    """Write MLflow's settings of its users, who may all log to every experiment; return the file."""
    settings = configparser.ConfigParser(interpolation=None)
    settings["mlflow"] = {
        "default_permission": "EDIT",
        "database_uri": users.replace("%", "%%"),
        "admin_username": ADMINISTRATOR,
        "authorization_function": "mlflow.server.auth:authenticate_request_basic_auth",
    }
    path = folder / "users.ini"
    with path.open("w", encoding="utf-8") as file:
        settings.write(file)
    return path


def _secret_key(folder: Path) -> str:
    """Return the key that the server signs its forms with, made at the first start."""
    path = folder / "secret-key"
    if not path.exists():
        path.write_text(secrets.token_urlsafe(32), encoding="utf-8")
    return path.read_text(encoding="utf-8")
