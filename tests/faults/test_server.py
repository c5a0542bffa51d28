"""MLflow servers that are away, stopped, broken or restarted: the work goes on, and nothing is lost."""

import signal
import time

import pytest

from tests import stores
from tests.faults import processes, servers
from tests.faults.tracked import ADDED, THERE, Tracked
from tests.stages.conftest import fill, set_parameters

# The longest that a stage may wait for a store, at its end.
PATIENCE = 30


@pytest.fixture
def project(tmp_path):
    """A project whose runs are called after its folder, so that tests can share a server."""
    return fill(tmp_path / "project")


def at(tracked: Tracked, address: str) -> Tracked:
    return Tracked(tracked.path, address)


@pytest.mark.fault("Tracking", "the server refuses the connection")
def test_a_server_that_refuses_costs_a_warning_without_the_password(project, happened):
    with stores.refusing() as server:
        refused = Tracked(project, f"http://ann:secret@{server}")
        reason = refused.warned()
        assert reason == f"http://{server}: connection refused"
        line = processes.fails_in_one_line(project, *processes.PUBLISH, **refused.environment())
    assert line == f"error: tracking: {reason}; run `make publish` again when the store answers"
    happened("warning: connection refused")


@pytest.mark.fault("Tracking", "the server answers with error 500")
def test_errors_500_cost_a_warning(project, happened):
    with servers.link(0, lambda number, path: 500) as address:
        broken = Tracked(project, address)
        assert broken.warned() == f"{address}: it answers with error 500"
        line = processes.fails_in_one_line(project, *processes.PUBLISH, **broken.environment())
    assert line.startswith(f"error: tracking: {address}: it answers with error 500; run `make publish`")
    happened("warning: it answers with error 500")


@pytest.mark.slow
@pytest.mark.fault("Tracking", "the server is a black hole: it takes requests and never answers")
def test_a_stopped_server_costs_a_warning_and_seconds(server, on_server, happened):
    server.send(signal.SIGSTOP)
    try:
        started = time.monotonic()
        reason = on_server.warned()
        took = time.monotonic() - started
        line = processes.fails_in_one_line(on_server.path, *processes.PUBLISH, **on_server.environment())
    finally:
        server.send(signal.SIGCONT)
    assert reason.startswith(f"{server.address}: no answer")
    assert took < PATIENCE
    assert f"{server.address}: no answer" in line
    printed = on_server.publish()
    assert printed[-1] in (ADDED, THERE)
    on_server.is_complete()
    happened(f"warning: no answer; the stage took {took:.0f} s; make publish adds the run")


@pytest.mark.slow
@pytest.mark.fault("Tracking", "the server does what it is asked, and its replies are lost")
@pytest.mark.parametrize("lost", ["once each", "all of one kind", "half"])
def test_a_lost_reply_makes_nothing_twice(server, on_server, happened, lost):
    seen: dict[str, int] = {}

    def fault(number: int, request: str) -> bool | None:
        kind = request.partition("?")[0].partition("/artifacts/")[0]
        if kind.startswith("GET") and lost != "half":
            return None
        seen[kind] = seen.get(kind, 0) + 1
        if lost == "once each":
            return True if seen[kind] == 1 else None
        if lost == "all of one kind":
            return True if "logged-models" in kind else None
        return True if number % 2 and number > 20 else None

    with servers.link(server.port, fault) as address:
        through = at(on_server, address)
        warnings = through.train()
    if lost == "once each":
        # A machine with much else to do may be too slow for the stage; nothing else may go wrong.
        assert all("no answer within" in line for line in warnings)
        assert warnings or on_server.statuses() == ["FINISHED"]
    printed = on_server.publish()
    assert printed[-1] == (ADDED if warnings else THERE)
    on_server.is_complete()
    happened(
        f"{lost}: {'asked again, one run' if not warnings else 'warning; make publish adds it; one run'}"
    )


@pytest.mark.slow
@pytest.mark.fault("Tracking", "the server is killed in the middle of a training, and back after a minute")
def test_an_outage_in_the_middle_loses_no_point(server, on_server, happened):
    epochs = {"train.softmax.epochs": 1500, "train.softmax.batch_size": 1}
    set_parameters(on_server.path / "params.yaml", epochs)
    process = processes.start(on_server.path, *processes.TRAIN, **on_server.environment())
    until = time.monotonic() + 60
    while not (on_server.runs() and on_server.runs()[0].data.metrics):
        assert time.monotonic() < until, "no point within a minute"
        time.sleep(0.2)
    server.kill()
    time.sleep(60)
    assert process.poll() is None, "the training ended before the outage"
    server.start()
    status, _, lines = processes.end(process)
    assert status == 0
    assert len(lines) == 1
    assert "connection refused; the run is not in MLflow" in lines[0] or "it closes" in lines[0]
    printed = on_server.publish()
    assert printed == [
        "publish: softmax-manual: an interrupted run is ended",
        "publish: softmax-manual: added to mnist",
        ADDED,
    ]
    assert on_server.statuses() == ["FAILED", "FINISHED"]
    on_server.is_complete()
    assert on_server.publish() == [THERE]
    happened(
        "warning: connection refused; make publish adds the run with every point, and ends the broken one"
    )
