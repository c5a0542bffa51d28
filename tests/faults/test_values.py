"""Values that MLflow can't hold, or many of them: stored as they are, or said to stand elsewhere."""

import json
import math
from pathlib import Path

import numpy as np
import pytest

from pipeline.tracking import run_directory
from tests.faults import processes
from tests.faults.tracked import ADDED, THERE, Tracked

LONG = "x" * 6001
# Tells of a run as a stage does, then says that its directory is complete.
STAGE = """
import csv
from pathlib import Path
from pipeline.tracking.reporter import reporting
with reporting("softmax-manual", experiment="exercises") as report:
    for row in csv.DictReader(open("results/runs/softmax-manual/history.csv")):
        report.row({name: float(value) for name, value in row.items() if value})
    report.finished(Path("results/runs/softmax-manual"))
"""


@pytest.fixture(params=["SQLite", pytest.param("a server", marks=pytest.mark.slow)])
def anywhere(request: pytest.FixtureRequest) -> Tracked:
    return request.getfixturevalue("tracked" if request.param == "SQLite" else "on_server")


def leave(tracked: Tracked, history: list[dict[str, float]], **parameters: object) -> None:
    record = {"run": "softmax-manual", "experiment": "exercises", "parameters": parameters}
    weights = {"W": np.ones(3, np.float32)}
    run_directory.write(tracked.directory, record=record, weights=weights, metrics={}, history=history)


def tell(tracked: Tracked) -> None:
    """Let a stage tell of it; it may warn, and publishing may have to complete it."""
    (tracked.path / "stage.py").write_text(STAGE)
    status, _, lines = tracked.run("stage")
    assert status == 0, lines
    assert tracked.publish()[-1] == (ADDED if lines else THERE)


@pytest.mark.fault("Tracking", "metrics that are NaN or infinite")
def test_not_a_number_is_stored_and_infinity_is_said_to_be_in_the_files(anywhere, happened):
    history = [
        {"step": 1, "train/loss": math.nan, "a": 1.0},
        {"step": 2, "train/loss": math.inf, "a": -math.inf},
        {"step": 3, "train/loss": 5e-324, "a": 1.7976931348623157e308},
    ]
    leave(anywhere, history)
    tell(anywhere)
    [run] = [run for run in anywhere.runs() if run.info.status == "FINISHED"]
    client = anywhere.client()
    loss, a = (client.get_metric_history(run.info.run_id, name) for name in ("train/loss", "a"))
    assert [(p.step, math.isnan(p.value)) for p in loss] == [(1, True), (3, False)]
    assert [(p.step, p.value) for p in [loss[1], *a]] == [(3, 5e-324), (1, 1.0), (3, 1.7976931348623157e308)]
    told = "train/loss from step 2, a from step 2: in run/history.csv only"
    assert run.data.tags["metrics.infinite"] == told
    happened("NaN is stored; where there is infinity, a tag says from which step, and in which file")


@pytest.mark.slow
@pytest.mark.fault("Tracking", "parameters longer than MLflow takes, and names beyond ASCII")
def test_what_is_too_long_is_replaced_by_its_digest_and_what_is_refused_is_named(anywhere, happened):
    leave(anywhere, [{"step": 1, "größe/αβγ": 0.5}], long=LONG, é="ü☃")
    tell(anywhere)
    [run] = [run for run in anywhere.runs() if run.info.status == "FINISHED"]
    assert run.data.params["long"].startswith("6001 characters, SHA-256 ")
    assert run.data.params["long"].endswith("; in full in run/record.json")
    assert run.data.params["é"] == "ü☃"
    assert run.data.metrics["größe/αβγ"] == 0.5
    record = client_text(anywhere, run, "run/record.json")
    assert json.loads(record)["parameters"]["long"] == LONG
    leave(anywhere, [{"step": 1, "50%": 0.5}])
    line = processes.fails_in_one_line(anywhere.path, *processes.PUBLISH, **anywhere.environment())
    assert "50%" in line
    assert anywhere.statuses() == ["FAILED", "FINISHED"]
    happened("a digest that says where it stands in full; a name that MLflow refuses is named in one line")


def client_text(tracked: Tracked, run, path: str) -> str:
    return Path(tracked.client().download_artifacts(run.info.run_id, path)).read_text(encoding="utf-8")


@pytest.mark.slow
@pytest.mark.fault("Tracking", "a hundred thousand points of metrics")
def test_many_points_all_arrive_once(anywhere, happened):
    leave(anywhere, [{"step": step, "train/loss": step / 7} for step in range(100_000)])
    tell(anywhere)
    [run] = [run for run in anywhere.runs() if run.info.status == "FINISHED"]
    points = anywhere.client().get_metric_history(run.info.run_id, "train/loss")
    assert sorted((p.step, p.value) for p in points) == [(step, step / 7) for step in range(100_000)]
    happened("all are there, once")
