"""The warm publisher lives as long as the DVC that keeps it, and nobody depends on it."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.tracking import warm
from tests import stores

ROOT = Path(warm.__file__).resolve().parents[2]
# Played by a program of that name, which runs two stages one after the other and waits to be ended.
DVC = """
import os, subprocess, sys, time
for name in ("first", "second"):
    command = [sys.executable, "-c", sys.argv[1], name]
    subprocess.run(command, env={**os.environ, "DVC_STAGE": name})
print("done", flush=True)
time.sleep(60)
"""
STAGE = """
import sys
from pipeline.tracking.reporter import reporting
with reporting(sys.argv[1], experiment="mnist"):
    raise ValueError
"""


def servers(keeper: int) -> list[int]:
    """The warm publishers that this process keeps."""
    pattern = f"[-]-serve .* {keeper}$"
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def wait_for_end_of_servers(keeper: int) -> None:
    until = time.monotonic() + 30
    while servers(keeper):
        assert time.monotonic() < until
        time.sleep(0.1)


@pytest.fixture
def dvc(repository, tmp_path, monkeypatch):
    """A process named dvc that has run two stages."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    program = tmp_path / "dvc"
    program.write_text(DVC)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, program, STAGE], **pipes) as process:
        assert process.stdout.readline() == "done\n"
        yield process
        process.kill()


def test_one_serves_all_stages_of_a_dvc_and_ends_with_it(dvc, client, tmp_path):
    assert len(servers(dvc.pid)) == 1
    experiment = client.get_experiment_by_name("mnist")
    runs = client.search_runs([experiment.experiment_id])
    assert [(run.info.run_name, run.info.status) for run in runs] == [
        ("second", "FAILED"),
        ("first", "FAILED"),
    ]
    assert [address.name.split("-")[0] for address in tmp_path.glob("gradline-*/*")] == [str(dvc.pid)]
    dvc.send_signal(signal.SIGKILL)
    dvc.wait()
    wait_for_end_of_servers(dvc.pid)
    assert not list(tmp_path.glob("gradline-*/*"))


def test_one_that_is_killed_is_replaced_at_the_next_stage(dvc, tmp_path, monkeypatch):
    [server] = servers(dvc.pid)
    os.kill(server, signal.SIGKILL)
    wait_for_end_of_servers(dvc.pid)
    assert list(tmp_path.glob("gradline-*/*"))  # what it couldn't remove stands in nobody's way
    monkeypatch.setattr(warm, "_dvc", lambda: warm.psutil.Process(dvc.pid))
    connection = warm._connect()
    assert connection is not None
    connection.close()
    assert servers(dvc.pid) != [server]


@pytest.fixture
def nobody_listens(repository, monkeypatch):
    with stores.refusing() as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{server}")
        yield


def test_it_is_as_impatient_as_any_publisher(nobody_listens, dvc):
    dvc.kill()
    _, told = dvc.communicate()
    warnings = [line for line in told.splitlines() if line.startswith("warning: ")]
    assert len(warnings) == 2
    assert all(": connection refused; " in line for line in warnings)


@pytest.mark.parametrize("address", [None, "/nowhere/publisher"])
def test_outside_of_dvc_a_publisher_does_its_work_itself(address, monkeypatch):
    monkeypatch.delenv(warm.ADDRESS, raising=False)
    monkeypatch.setenv("DVC_STAGE", "train")
    if address:
        monkeypatch.setenv(warm.ADDRESS, address)
    assert warm.hand_over() is None


def test_a_folder_that_others_may_enter_is_not_used(tmp_path, monkeypatch):
    monkeypatch.setattr(warm.tempfile, "gettempdir", lambda: str(tmp_path))
    assert warm._folder().stat().st_mode & 0o777 == 0o700
    warm._folder().chmod(0o755)
    with pytest.raises(PermissionError):
        warm._folder()


def test_it_has_no_threads_when_it_forks():
    # A thread may hold a lock that its copy in the fork would wait for, for ever.
    program = """
import threading
from pipeline.tracking import publisher
publisher._import()
print(threading.active_count())
"""
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout == "1\n"
