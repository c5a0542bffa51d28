"""Stores that are locked, crowded, of another MLflow or without the experiment."""

import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from pipeline.tracking import reporter
from tests.faults import processes
from tests.faults.tracked import ADDED, THERE, TOLD, Tracked
from tests.loopback import free_port
from tests.repositories import surroundings
from tests.stages.conftest import fill

RECORD = "results/runs/softmax-manual/record.json"
# Holds the lock that nobody can read beside, for so many seconds, and says when.
LOCK = """
import sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN EXCLUSIVE")
print("locked", flush=True)
time.sleep(float(sys.argv[2]))
"""


@contextmanager
def locked(database: Path, seconds: float):
    command = [sys.executable, "-c", LOCK, str(database), str(seconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "locked\n"
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.slow
@pytest.mark.fault("Tracking", "another process holds the SQLite store locked")
@pytest.mark.parametrize("seconds", [30, 60])
def test_a_locked_store_costs_a_warning_and_seconds(tracked, seconds, happened):
    with locked(tracked.path / "mlflow.db", seconds) as holder:
        started = time.monotonic()
        reason = tracked.warned()
        took = time.monotonic() - started
        assert took < 30
        address = f"sqlite:///{tracked.path}/mlflow.db"
        assert reason.startswith(f"{address}: ")
        if seconds == 60:
            line = processes.fails_in_one_line(tracked.path, *processes.PUBLISH)
            assert line.startswith(f"error: tracking: {address}: another process holds it locked; run `make")
            holder.wait()
    assert tracked.publish()[-1] == ADDED
    tracked.is_complete()
    happened(f"warning: {reason.removeprefix(address)[2:]}; make publish adds the run")


@pytest.mark.slow
@pytest.mark.fault("Tracking", "eight stages log into one new SQLite store at once")
def test_eight_stages_share_a_new_store(tmp_path, happened):
    projects = [fill(tmp_path / str(number)) for number in range(8)]
    store = f"sqlite:///{tmp_path}/store/mlflow.db"

    def train(**environment: str) -> tuple[float, float, list[list[str]]]:
        """Return when the last was trained, when all had ended, and what they said."""
        started = time.time()
        running = [processes.start(project, *processes.TRAIN, **environment) for project in projects]
        ended = [processes.end(process) for process in running]
        took = time.time() - started
        assert {status for status, _, _ in ended} == {0}
        trained = max((project / RECORD).stat().st_mtime for project in projects) - started
        return trained, took, [lines for _, _, lines in ended]

    trained_alone, alone, _ = train(GRADLINE_TRACKING="off")
    trained, took, warnings = train(MLFLOW_TRACKING_URI=store)
    lost = sum(map(len, warnings))
    assert all(line.endswith(TOLD) for lines in warnings for line in lines)
    assert 0 < trained < trained_alone + 5
    assert took - alone < reporter.AT_MOST
    # They all leave the same bytes: each must be there for the others to be recognised, and each only once.
    shared = Tracked(projects[0], store)
    assert shared.publish()[-1] == THERE
    statuses = shared.statuses()
    assert "RUNNING" not in statuses
    assert statuses.count("FINISHED") == 8 - lost
    happened(
        f"{8 - lost} runs complete, {lost} warned; trained in {trained:.1f} s, published in {took:.0f} s; "
        f"without tracking in {trained_alone:.1f} s"
    )


@pytest.fixture(params=["older", "much older", "newer"])
def another_mlflow(request, tracked):
    """The project whose store another MLflow has made: by its migrations up to some one, or with one more."""
    import sqlalchemy
    from alembic import command
    from alembic.script import ScriptDirectory
    from mlflow.store.db import utils
    from mlflow.store.tracking.dbmodels.initial_models import Base

    database = tracked.path / "mlflow.db"
    if request.param == "newer":
        with closing(sqlite3.connect(database)) as connection, connection:
            connection.execute("UPDATE alembic_version SET version_num = '0123456789ab'")
        return tracked, request.param
    database.unlink()
    config = utils._get_alembic_config(f"sqlite:///{database}")
    newest_first = [script.revision for script in ScriptDirectory.from_config(config).walk_revisions()]
    engine = sqlalchemy.create_engine(f"sqlite:///{database}")
    Base.metadata.create_all(engine)
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, newest_first[1 if request.param == "older" else 20])
    engine.dispose()
    return tracked, request.param


@pytest.mark.slow
@pytest.mark.fault("Tracking", "the store is of an older or of a newer MLflow")
def test_another_mlflows_store_is_never_migrated_unasked(another_mlflow, happened):
    tracked, age = another_mlflow
    database = tracked.path / "mlflow.db"
    before = database.read_bytes()
    reason = tracked.warned()
    line = processes.fails_in_one_line(tracked.path, *processes.PUBLISH)
    assert line == f"error: {reason}"
    assert line == processes.fails_in_one_line(tracked.path, "pipeline", "ui", "--port", str(free_port()))
    assert database.read_bytes() == before
    address = f"sqlite:///{database}"
    if age == "newer":
        assert reason.startswith(f"{address}: is of a newer MLflow than ")
        assert reason.endswith("; install that one, or move the file away and a new store is made")
        database.rename(tracked.path / "newer.db")
    else:
        assert reason.startswith(f"{address}: is of an older MLflow than ")
        told = reason.partition("`")[2].rstrip("`")
        assert told == f"mlflow db upgrade '{address}'"
        shutil.copyfile(database, tracked.path / "backup.db")
        subprocess.run(told, shell=True, check=True, capture_output=True, env=surroundings())
    assert tracked.publish()[-1] == ADDED
    tracked.is_complete()
    happened(reason.removeprefix(address)[2:])


@pytest.mark.slow
@pytest.mark.fault("Tracking", "the experiment has been deleted in the UI")
def test_a_deleted_experiment_is_restored_by_the_command_that_is_told(tracked, happened):
    client = tracked.client()
    client.delete_experiment(client.create_experiment("mnist"))
    reason = tracked.warned()
    assert processes.fails_in_one_line(tracked.path, *processes.PUBLISH) == f"error: {reason}"
    told = reason.partition("`")[2].partition("`")[0]
    subprocess.run(told, shell=True, check=True, capture_output=True, cwd=tracked.path, env=surroundings())
    assert tracked.publish()[-1] == ADDED
    tracked.is_complete()
    happened(f"warning, with the command that brings it back: {told}")
