"""The warm publisher serves all who come while it is there, and nobody depends on it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from pipeline.tracking import reporter, warm
from tests import stores

ROOT = Path(warm.__file__).resolve().parents[2]
STAGE = """
import sys
from pipeline.tracking.reporter import reporting
with reporting(sys.argv[1], experiment="mnist"):
    raise ValueError
"""


@pytest.fixture(autouse=True)
def home(repository, tmp_path, monkeypatch):
    """The folder of a publisher that no other test shares."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(warm.tempfile, "tempdir", None)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def start(name: str, **environment: str) -> "subprocess.Popen[str]":
    """Start a stage that fails, and say so to its publisher."""
    command = [sys.executable, "-c", STAGE, name]
    return subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env={**os.environ, **environment})


def warnings(stage: "subprocess.Popen[str]") -> list[str]:
    """Wait for a stage's end, and return what it said of tracking."""
    _, told = stage.communicate()
    return [line for line in told.splitlines() if line.startswith("warning: ")]


def servers(home: Path) -> list[int]:
    """The warm publishers that listen in this folder."""
    pattern = f"[-]-serve {home}/"
    found = subprocess.run(["pgrep", "-f", pattern], capture_output=True, text=True, check=False)
    return [int(line) for line in found.stdout.split()]


def publishers(home: Path) -> list[psutil.Process]:
    """The processes that hear of a run, or hand over to a warm one, with this folder."""
    return [
        each
        for each in psutil.process_iter(["cmdline", "environ"])
        if (each.info["cmdline"] or [""])[-1] == "pipeline.tracking.publisher"
        and (each.info["environ"] or {}).get("TMPDIR") == str(home)
    ]


def addresses(home: Path) -> list[Path]:
    return list(home.glob("gradline-*/*"))


def wait_until(condition: Callable[[], object], seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.1)


def test_one_serves_all_who_come_at_once_or_one_after_the_other(home, client):
    # As in one `dvc repro`: the stages' environments differ, in what a fork takes over.
    at_once = [start(f"{number}", DVC_STAGE=f"{number}") for number in range(3)]
    assert [warnings(stage) for stage in at_once] == [[], [], []]
    [server] = servers(home)
    assert warnings(start("3", DVC_STAGE="3")) == []
    assert servers(home) == [server]
    experiment = client.get_experiment_by_name("mnist")
    runs = client.search_runs([experiment.experiment_id])
    assert sorted((run.info.run_name, run.info.status, run.data.tags["dvc.stage"]) for run in runs) == [
        (number, "FAILED", number) for number in "0123"
    ]


def test_it_can_be_there_before_the_first_stage_and_tells_of_no_run_then(home, client):
    program = "from pipeline.tracking import reporter; reporter.prepare()"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert (done.stdout, done.stderr) == ("", "")
    assert publishers(home)  # nobody has waited for it, as a pipe to it would have been
    wait_until(lambda: servers(home), seconds=10)
    before = servers(home)
    assert warnings(start("first")) == []
    assert servers(home) == before
    assert [run.info.run_name for run in client.search_runs(["0", "1"])] == ["first"]


def test_without_tracking_it_is_not_prepared(home, monkeypatch):
    monkeypatch.setenv("GRADLINE_TRACKING", "off")
    monkeypatch.setattr(subprocess, "Popen", lambda *args, **more: pytest.fail("started a process"))
    reporter.prepare()


@pytest.mark.slow
def test_it_ends_by_itself_when_nobody_comes(home):
    assert warnings(start("last")) == []
    assert len(servers(home)) == 1
    wait_until(lambda: not servers(home), seconds=30)
    assert addresses(home) == []


@pytest.mark.slow
def test_one_that_is_killed_is_replaced_by_the_next_who_comes(home):
    assert warnings(start("first")) == []
    [killed] = servers(home)
    os.kill(killed, signal.SIGKILL)
    wait_until(lambda: not servers(home), seconds=30)
    assert addresses(home)  # what it couldn't remove stands in nobody's way
    assert warnings(start("second")) == []
    assert len(servers(home)) == 1


def test_who_connects_in_its_last_moment_is_served(home, monkeypatch):
    connected = []

    def unlink(path: Path, missing_ok: bool) -> None:
        connected.append(warm._call(str(path)))
        path.rename(home / "no address")

    def become(connection: warm.socket.socket, work: object) -> None:
        connection.sendall(warm.BEGUN)
        os._exit(0)

    monkeypatch.setattr(warm, "LINGER", 0)
    monkeypatch.setattr(warm, "_become", become)
    monkeypatch.setattr(warm.Path, "unlink", unlink)
    warm.serve(str(home / "address"), lambda: None, lambda: None)
    [connection] = connected
    assert connection.recv(1) == warm.BEGUN
    connection.close()


@pytest.fixture
def nobody_listens(monkeypatch):
    with stores.refusing() as server:
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://{server}")
        yield


def test_it_is_as_impatient_as_any_publisher(nobody_listens):
    for name in ("first", "second"):
        [line] = warnings(start(name))
        assert ": connection refused; " in line


def test_it_is_shared_by_those_whose_processes_start_alike(monkeypatch):
    ours = warm._code_and_surroundings()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://elsewhere")
    assert warm._code_and_surroundings() == ours
    monkeypatch.setenv("LD_PRELOAD", "libfaketime.so")
    assert warm._code_and_surroundings() != ours


def test_it_is_shared_by_those_of_the_same_container(home, monkeypatch):
    ours = warm._code_and_surroundings()
    namespaces = home / "ns"
    namespaces.mkdir()
    for each in Path("/proc/self/ns").iterdir():
        (namespaces / each.name).symlink_to(each.readlink())
    monkeypatch.setattr(warm, "NAMESPACES", namespaces)
    assert warm._code_and_surroundings() == ours
    (namespaces / "mnt").unlink()
    (namespaces / "mnt").symlink_to("mnt:[1]")
    assert warm._code_and_surroundings() != ours


def test_it_is_shared_by_those_of_the_same_code(home, monkeypatch):
    code = home / "pipeline/tracking/publisher.py"
    code.parent.mkdir(parents=True)
    code.touch()
    monkeypatch.setattr(warm, "PACKAGE", home)
    before = warm._code_and_surroundings()
    assert warm._code_and_surroundings() == before
    os.utime(code, ns=(0, code.stat().st_mtime_ns + 1))
    assert warm._code_and_surroundings() != before


def test_where_none_can_listen_a_publisher_does_its_work_itself(home, monkeypatch):
    too_long_for_a_socket = home / ("x" * 100)
    too_long_for_a_socket.mkdir()
    monkeypatch.setenv("TMPDIR", str(too_long_for_a_socket))
    started = time.monotonic()
    assert warm.hand_over(lambda: None) is None
    assert time.monotonic() - started < warm.START


def test_a_folder_that_others_may_enter_is_not_used(home):
    assert warm._folder().stat().st_mode & 0o777 == 0o700
    warm._folder().chmod(0o755)
    assert warm.hand_over(lambda: None) is None


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
