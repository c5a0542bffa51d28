"""Real publisher processes on real stores: what a stage's run looks like however the stage ends."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipeline.tracking import reporter, run_directory
from pipeline.tracking.reporter import reporting
from tests.tracking.repositories import git

History = list[dict[str, float]]
ROOT = Path(reporter.__file__).resolve().parents[2]
FAILING_STORE = "not in MLflow, `make publish` adds it"


@pytest.fixture(autouse=True, params=[pytest.param("on its own", marks=pytest.mark.slow), "handed over"])
def publisher(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every claim holds for a publisher that imports MLflow itself and for one that finds it imported."""
    if request.param == "on its own":
        monkeypatch.setenv("TMPDIR", str(tmp_path))
        (tmp_path / f"gradline-{os.getuid()}").touch()  # no place for a warm one to listen in


def only_run(client: Any) -> Any:
    experiment = client.get_experiment_by_name("mnist")
    (run,) = client.search_runs([experiment.experiment_id])
    return run


def wait_for_end(client: Any, seconds: float = 30) -> Any:
    """Wait for the only run to be there and to have ended: an experiment has no run at first."""
    until = time.monotonic() + seconds
    while not ((experiment := client.get_experiment_by_name("mnist")) and ended(client, experiment)):
        assert time.monotonic() < until
        time.sleep(0.1)
    return only_run(client)


def ended(client: Any, experiment: Any) -> bool:
    runs = client.search_runs([experiment.experiment_id])
    return bool(runs) and all(run.info.status != "RUNNING" for run in runs)


def test_a_finished_run_carries_everything_and_its_evaluation_follows(
    client: Any,
    leave_run: Callable[..., Path],
    history: History,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    Path(".gitignore").write_text("/mlflow.db*\n/mlartifacts\n")
    git("init", "-q")
    git("add", ".gitignore")
    git("commit", "-qm", "first")
    monkeypatch.setenv("DVC_STAGE", "train@softmax-manual")
    monkeypatch.setenv("DVC_EXP_NAME", "stout-hare")

    with reporting("softmax-manual", experiment="mnist") as report:
        for row in history[:2]:
            report.row(row)
        directory = leave_run()
        report.finished(directory)

    run = only_run(client)
    tags, data = run.data.tags, run.data
    assert (run.info.run_name, run.info.status) == ("softmax-manual", "FINISHED")
    assert tags["fingerprint"] == run_directory.fingerprint(directory)
    assert (tags["dvc.stage"], tags["dvc.exp.name"]) == ("train@softmax-manual", "stout-hare")
    assert (tags["git.commit"], tags["git.commit.source"]) == (git("rev-parse", "HEAD"), "HEAD")
    assert tags["git.dirty"] == "false"
    assert "`dvc repro train@softmax-manual`" in tags["mlflow.note.content"]
    assert len(tags["params.digest"]) == 64
    assert data.params["train.softmax.learning_rate"] == "0.02"
    assert data.params["train.softmax.decay"] == "null"
    assert data.params["optimiser.momentum"] == "0.9"
    assert data.params["model"] == "softmax"
    assert data.metrics["best_epoch"] == 2
    assert data.metrics["duration_seconds"] > 0

    loss = client.get_metric_history(run.info.run_id, "train/loss")
    assert [(p.step, p.value) for p in loss] == [(row["epoch"], row["train/loss"]) for row in history]
    assert [p.timestamp - run.info.start_time for p in loss] == [1, 2, 3]

    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.tags[0].value) == ("mnist", "training")
    assert dataset.dataset.digest == ("0123456789abcdef" * 4)[:36]
    names = {item.path for item in client.list_artifacts(run.info.run_id, "run")}
    assert {f"run/{name}" for name in ("weights.safetensors", "record.json", "figures")} <= names
    assert len(run.outputs.model_outputs) == 1
    assert not [path for path in Path("mlartifacts").rglob("*") if path.suffix in (".pkl", ".pickle")]

    result = {"fingerprint": tags["fingerprint"], "test/accuracy": 0.9, "validation/accuracy": 0.92}
    Path("results/evaluation.json").write_text(json.dumps({"softmax-manual": result}))
    with reporting("another", experiment="exercises") as report:
        report.evaluated(Path("results/evaluation.json"), Path("results/evaluation"))
        report.finished(leave_run("another"))
    assert only_run(client).data.metrics["test/accuracy"] == 0.9
    assert capfd.readouterr() == ("", "")


def test_an_exception_ends_the_run_failed_with_its_first_line(client: Any, history: History) -> None:
    def stage() -> None:
        with reporting("softmax-manual", experiment="mnist") as report:
            report.row(history[0])
            raise ValueError("loss is nan\nat epoch 1")

    with pytest.raises(ValueError, match="loss is nan"):
        stage()
    run = only_run(client)
    assert (run.info.status, run.data.tags["failure"]) == ("FAILED", "loss is nan")
    assert run.data.metrics["train/loss"] == 1
    assert "fingerprint" not in run.data.tags


def test_a_signal_ends_the_run_killed(client: Any) -> None:
    started = time.monotonic()
    with pytest.raises(SystemExit), reporting("softmax-manual", experiment="mnist"):
        sys.exit(143)
    assert time.monotonic() - started < 5
    assert wait_for_end(client).info.status == "KILLED"


def test_kill_9_of_the_stage_ends_the_run_failed(client: Any) -> None:
    stage = """
import time
from pipeline.tracking.reporter import reporting
with reporting("softmax-manual", experiment="mnist") as report:
    report.row({"epoch": 1, "train/loss": 0.5})
    time.sleep(0.5)  # a row that is still on its way to the pipe dies with the stage
    print("training", flush=True)
    time.sleep(60)
"""
    with subprocess.Popen(
        [sys.executable, "-c", stage],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout
        process.stdout.readline()
        process.send_signal(signal.SIGKILL)
    run = wait_for_end(client)
    assert (run.info.status, run.data.metrics["train/loss"]) == ("FAILED", 0.5)
    assert "kill -9" in run.data.tags["failure"]


def test_a_server_that_never_answers_costs_one_warning_and_seconds(
    leave_run: Callable[..., Path],
    history: History,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    with socket.socket() as hole:
        hole.bind(("127.0.0.1", 0))
        hole.listen()
        monkeypatch.setenv("MLFLOW_TRACKING_URI", f"http://127.0.0.1:{hole.getsockname()[1]}")
        with reporting("softmax-manual", experiment="mnist") as report:
            # More than the pipe and the buffer hold: none of it may wait for a reader.
            started = time.monotonic()
            for step in range(3 * reporter.BUFFERED):
                report.row({"step": step, "train/loss": 1.0})
            assert time.monotonic() - started < 1
            report.finished(leave_run())
            started = time.monotonic()
        # The wait begins to count when the imports, which depend on nobody, are done.
        assert time.monotonic() - started < 5 + reporter.PATIENCE
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == err.count(FAILING_STORE) == err.count("no answer") == 1


def test_tracking_off_starts_no_process(
    leave_run: Callable[..., Path], history: History, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRADLINE_TRACKING", "off")
    monkeypatch.setattr(subprocess, "Popen", lambda *a, **k: pytest.fail("a process was started"))
    with reporting("softmax-manual", experiment="mnist") as report:
        report.row(history[0])
        report.evaluated(Path("none"), Path("none"))
        report.finished(leave_run())
    assert not Path("mlflow.db").exists()


def test_no_process_to_be_had_is_one_warning(
    leave_run: Callable[..., Path],
    history: History,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with reporting("softmax-manual", experiment="mnist") as report:
        report.finished(leave_run())
    assert capsys.readouterr().err.count(FAILING_STORE) == 1
