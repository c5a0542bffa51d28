"""MLflow for a team: who gets in, in front of SQLite and of a real PostgreSQL."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import httpx
import pytest

from tests.faults import champions
from tests.loopback import free_port

PASSWORD = "correct horse battery"
USERS = "/api/2.0/mlflow/users"
SEARCH = "/api/2.0/mlflow/experiments/search?max_results=5"
EXPERIMENT = "/api/2.0/mlflow/experiments/create"


@pytest.fixture(scope="module")
def repository(tmp_path_factory):
    return champions.leave(tmp_path_factory.mktemp("team"))


@pytest.fixture
def postgresql():
    """The address of an empty database, in a server of its own that ends with the test."""
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not programs:
        pytest.skip("PostgreSQL is missing: apt-get install postgresql")
    control, initdb = programs[-1].with_name("pg_ctl"), programs[-1]
    # It refuses to run as root. Its user must reach the folder, which pytest's own doesn't allow.
    user = ["runuser", "-u", "postgres", "--"] if os.getuid() == 0 else []
    folder = Path(tempfile.mkdtemp(prefix="gradline-postgresql-"))
    if user:
        shutil.chown(folder, "postgres")
    port = free_port()

    def call(*command):
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}  # else it holds the pipe
        subprocess.run([*user, *command], cwd=folder, check=True, **quiet)

    data = folder / "data"
    password = folder / "password"
    password.write_text("se%20cret\n")
    password.chmod(0o644)
    call(initdb, "-D", data, "-U", "team", "--auth=scram-sha-256", f"--pwfile={password}", "--no-sync")
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    call(control, "-D", data, "-w", "-l", folder / "log", "-o", options, "start")
    try:
        yield f"postgresql://team:se%2520cret@127.0.0.1:{port}/postgres"
    finally:
        call(control, "-D", data, "-m", "immediate", "stop")
        shutil.rmtree(folder)


def publish(repository, address, user, password):
    who = {"MLFLOW_TRACKING_USERNAME": user, "MLFLOW_TRACKING_PASSWORD": password}
    return champions.command(repository, "publish", champions.CHAMPION, MLFLOW_TRACKING_URI=address, **who)


@pytest.mark.fault("Nobody in", "a team server without a password, or with a short one")
def test_a_team_server_needs_a_password(repository, happened):
    for given in ({}, {"TEAM_SERVER_PASSWORD": "x" * 11}, {"TEAM_SERVER_PASSWORD_FILE": "nowhere"}):
        done = champions.command(repository, "team-server", "--port", str(free_port()), **given)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith("error: TEAM_SERVER_PASSWORD")
        assert "x" * 11 not in line
    happened("it doesn't start, and names the variable")


@pytest.mark.slow
@pytest.mark.fault("Tracking", "the team server's PostgreSQL doesn't answer, or is none")
def test_a_team_server_needs_a_database_that_answers(repository, happened):
    nobody = f"postgresql://team:secret@127.0.0.1:{free_port()}/runs"
    for address, said in (
        (nobody, "127.0.0.1: connection refused; "),
        ("postgresqlfoo", "is no postgresql://"),
    ):
        settings = {"TEAM_SERVER_PASSWORD": PASSWORD, "TRACKING_DATABASE_URL": address}
        done = champions.command(repository, "team-server", "--port", str(free_port()), **settings)
        assert (done.returncode, done.stdout) == (2, "")
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"error: TRACKING_DATABASE_URL: {said}")
        assert "secret" not in line
    happened("it doesn't start, and names the variable and the host")


@pytest.mark.slow
@pytest.mark.fault("Nobody in", "somebody without a user, or with a wrong password, at the team server")
def test_only_users_get_into_the_team_server_and_what_they_publish_stays(repository, postgresql, happened):
    settings = {"TEAM_SERVER_PASSWORD": PASSWORD, "TRACKING_DATABASE_URL": postgresql}
    with champions.serving(repository, "team-server", **settings) as server:
        for process in server.processes():
            assert not any(word in " ".join(process.cmdline()) for word in (PASSWORD, "cret", "team:"))
        assert httpx.get(server.address + SEARCH).status_code == 401
        foreign = {"Host": "10.site.example"}
        administrator = ("admin", PASSWORD)
        assert httpx.get(server.address + SEARCH, auth=administrator, headers=foreign).status_code == 403
        origin = {"Origin": "https://site.example"}
        posted = httpx.post(
            server.address + EXPERIMENT, auth=administrator, headers=origin, json={"name": "x"}
        )
        assert posted.status_code == 403
        member = {"username": "member", "password": "another long one"}
        created = httpx.post(server.address + USERS + "/create", json=member, auth=administrator)
        assert created.status_code == 200, created.text
        refused = publish(repository, server.address, "member", "wrong password")
        assert refused.returncode == 2
        assert refused.stderr.splitlines() == [
            f"error: tracking: {server.address}: user or password is wrong; set MLFLOW_TRACKING_USERNAME and "
            "MLFLOW_TRACKING_PASSWORD; run `make publish` again when the store answers"
        ]
        done = publish(repository, server.address, "admin", PASSWORD)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "publish: 1 run added" in done.stdout
    with champions.serving(repository, "team-server", **settings) as server:
        done = publish(repository, server.address, "member", member["password"])
        assert (done.returncode, done.stderr) == (0, ""), done.stdout
        assert "publish: 0 runs added, 1 already there" in done.stdout
        with httpx.Client(base_url=server.address + USERS, auth=administrator) as users:
            changed = {**member, "password": "yet another long one"}
            assert users.patch("/update-password", json=changed).status_code == 200
            assert httpx.get(server.address + SEARCH, auth=tuple(member.values())).status_code == 401
            assert httpx.get(server.address + SEARCH, auth=tuple(changed.values())).status_code == 200
            assert users.request("DELETE", "/delete", json={"username": "member"}).status_code in (200, 204)
            assert httpx.get(server.address + SEARCH, auth=tuple(changed.values())).status_code == 401
    happened("401, and one line from publish; a user's runs are there after a restart, in PostgreSQL")
