"""`python -m pipeline.stages`, as DVC and people start it, in a process of its own."""

import json
import os
import select
import signal
import subprocess
import sys
import time
from functools import partial
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
STAGES = ("check_params", "fetch", "normalize", "fit_regression", "train", "baseline", "evaluate")
TRAIN = ("train", "softmax", "manual")


def start(project, *arguments, **environment):
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline.stages", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # A shell that starts the tests in the background would let us, too, ignore Ctrl-C.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )


def run(project, *arguments, **environment):
    """Return the exit status and the lines on stderr."""
    process = start(project, *arguments, **environment)
    out, err = process.communicate(timeout=60)
    assert out == ""
    return process.returncode, err.splitlines()


@pytest.mark.parametrize("arguments", [("nonsense",), ()])
def test_an_unknown_stage_and_none_are_one_line_with_the_names_that_there_are(project, arguments):
    status, lines = run(project, *arguments)
    assert status == 2
    assert len(lines) == 1
    assert lines[0].startswith("error: stage ")
    assert all(name in lines[0] for name in STAGES)


def test_a_users_error_is_one_line_and_with_debug_its_traceback_too(project, set_param):
    set_param("train.softmax.momentum", 2)
    told = "error: params.yaml: train.softmax.momentum = 2"
    status, lines = run(project, *TRAIN)
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith(told)
    status, lines = run(project, *TRAIN, "--debug")
    assert status == 2
    assert lines[0] == "Traceback (most recent call last):"
    assert any("pipeline/params/__init__.py" in line for line in lines)
    assert lines[-1].startswith(told)


def test_a_file_that_cannot_be_written_is_one_line_that_names_it(project):
    (project / "results").write_text("a file where a folder must be")
    status, lines = run(project, "check_params")
    assert (status, lines) == (0, [])  # it writes elsewhere
    (project / "data/params.checked").unlink()
    (project / "data/params.checked").mkdir()
    status, lines = run(project, "check_params")
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith("error: data/.params.checked.")  # the temporary file beside it
    assert lines[0].endswith("Is a directory")


@pytest.mark.parametrize("arguments", [("train", "softmax"), ("baseline",), ("check_params", "more")])
def test_too_few_and_too_many_arguments_are_one_line(project, arguments):
    status, lines = run(project, *arguments)
    assert (status, len(lines)) == (2, 1)


def test_a_stage_of_the_pipeline_records_the_threads_that_it_held_and_its_duration(project, set_param):
    set_param("threads", 3)
    set_param("train.softmax.epochs", 1)
    platform = project / "results/platform.json"
    platform.parent.mkdir()
    other = {"architecture": "another", "threads": 8}
    platform.write_text(json.dumps({"normalize": other}))
    # More threads than processors here, and the surroundings say one: params.yaml decides.
    few = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    status, lines = run(project, *TRAIN, DVC_STAGE="train@softmax-manual", **few)
    assert (status, len(lines)) == (0, 1)
    record = json.loads(platform.read_text())
    assert set(record) == {"normalize", "train@softmax-manual"}
    assert record["normalize"] == other
    assert record["train@softmax-manual"]["threads"] == 3
    assert all(record["train@softmax-manual"][key] for key in ("processor", "architecture"))
    timing = json.loads((project / "results/timings/train-softmax-manual.json").read_text())
    assert 0 < timing["seconds"] < 60


@pytest.mark.parametrize("content", ["<<<<<<< HEAD\n{}\n", "[]", "", "[" * 100_000])
def test_a_damaged_record_of_the_machines_is_refused_before_the_work(project, content):
    platform = project / "results/platform.json"
    platform.parent.mkdir()
    platform.write_text(content)
    status, lines = run(project, *TRAIN, DVC_STAGE="train@softmax-manual")
    assert (status, len(lines)) == (2, 1)
    assert lines[0].startswith("error: results/platform.json: is damaged (")
    assert lines[0].endswith("; `git checkout HEAD -- results/platform.json` brings it back")
    assert not (project / "results/runs").exists()


@pytest.mark.parametrize("how", ["2>&-", "2>/dev/full", ">&- 2>&- <&-"])
def test_training_goes_on_where_nobody_can_be_told(project, set_param, how):
    set_param("train.softmax.epochs", 1)
    command = f'"{sys.executable}" -m pipeline.stages {" ".join(TRAIN)} {how}'
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    assert subprocess.run(command, shell=True, cwd=project, env=environment, check=False).returncode == 0
    assert (project / "results/runs/softmax-manual/weights.safetensors").exists()


def test_by_hand_a_stage_records_neither(project, set_param):
    set_param("train.softmax.epochs", 1)
    assert run(project, *TRAIN)[0] == 0
    assert [path.name for path in (project / "results").iterdir()] == ["runs"]


def test_a_stage_that_moves_bytes_records_only_its_duration(project):
    assert run(project, "check_params", DVC_STAGE="check_params") == (0, [])
    written = [path.relative_to(project / "results") for path in (project / "results").rglob("*.json")]
    assert written == [Path("timings/check_params.json")]


def test_a_stage_that_fails_records_nothing(project, set_param):
    set_param("seed", -1)
    assert run(project, *TRAIN, DVC_STAGE="train@softmax-manual")[0] == 2
    assert not (project / "results").exists()


@pytest.mark.parametrize(
    ("number", "gradient", "status"),
    [(signal.SIGTERM, "manual", 143), (signal.SIGINT, "manual", 130), (signal.SIGTERM, "autograd", 143)],
)
def test_a_signal_ends_training_at_once_and_leaves_the_previous_run_as_it_was(
    project, set_param, contents, number, gradient, status
):
    old = project / "results/runs" / f"softmax-{gradient}"
    old.mkdir(parents=True)
    (old / "record.json").write_text("of the previous run")
    set_param("train.softmax.epochs", 10_000)
    set_param("train.softmax.schedule", "constant")
    process = start(project, "train", "softmax", gradient, DVC_STAGE=f"train@softmax-{gradient}")
    try:
        assert select.select([process.stderr], [], [], 60)[0], "no epoch within a minute"
        assert process.stderr.readline().startswith(f"softmax-{gradient}: epoch 1/10000: ")
        sent = time.monotonic()
        process.send_signal(number)
        _, err = process.communicate(timeout=5)
    finally:
        process.kill()
        process.wait()
    assert time.monotonic() - sent < 5
    assert process.returncode == status
    assert "Traceback" not in err
    assert contents(project / "results") == {f"runs/softmax-{gradient}/record.json": b"of the previous run"}
