"""What the stage leaves of an exercise, and that a claim that fails leaves nothing."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.exercises import spiral
from pipeline.learning.gradients import manual
from pipeline.stages import exercise
from pipeline.tracking import run_directory

REPOSITORY = Path(__file__).parents[2]
RUNS = ("exercise-spiral-asked", "exercise-spiral-answered")
SMALL = {"points": 20, "iterations": 12, "hidden": 5, "network_iterations": 30}


@pytest.fixture
def project(project, set_param, monkeypatch):
    monkeypatch.setenv("GRADLINE_TRACKING", "off")
    for name, value in SMALL.items():
        set_param(f"exercise.spiral.{name}", value)
    return project


@pytest.fixture
def runs(project):
    exercise.main("spiral")
    return [run_directory.read(project / "results/runs" / name) for name in RUNS]


def test_both_variants_leave_a_run_that_says_question_and_answer(runs):
    for run, variant in zip(runs, ("asked", "answered"), strict=True):
        assert (run.experiment, run.record["variant"]) == ("exercises", variant)
        assert run.record["parameters"]["exercise"]["spiral"] == {**spiral.RECIPE.model_dump(), **SMALL}
        for text in (spiral.QUESTION, spiral.ANSWER, "| claim | found | allowed |"):
            assert text in run.record["description"]
        assert (run.path / "figures/spiral.png").read_bytes().startswith(b"\x89PNG")


def test_the_traces_are_columns_with_the_same_names_in_both(runs):
    for run in runs:
        assert [row["step"] for row in run.history] == list(range(30))
        assert all("network/train/loss" in row for row in run.history)
        assert sum("train/loss" in row for row in run.history) == 12
    assert runs[0].history[0].keys() == runs[1].history[0].keys()
    settings = spiral.RECIPE.model_copy(update=SMALL)
    trace = spiral.run("asked", settings).trace
    assert [row["train/loss"] for row in runs[0].history[:12]] == [row["loss"] for row in trace]


def test_what_is_found_is_a_metric_and_stands_in_a_file_for_the_documentation(runs, project):
    found = json.loads((project / "results/exercises/spiral.json").read_text())
    assert (project / "results/exercises/spiral.png").read_bytes().startswith(b"\x89PNG")
    for run, variant in zip(runs, ("asked", "answered"), strict=True):
        assert run.metrics["train/accuracy"] == found[variant]["results"]["accuracy"]
        assert run.metrics["network/train/accuracy"] == found[variant]["results"]["network"]["accuracy"]
        assert "trace" not in json.dumps(found[variant]["results"])
        assert found[variant]["printed"][0].startswith("iteration 0: loss 1.0")
        assert all(set(claim) == {"says", "found", "allowed"} for claim in found[variant]["claims"])


def test_no_duration_is_in_what_it_leaves(project, monkeypatch):
    reports = []
    monkeypatch.setattr(spiral, "timings", lambda settings: {"speedup": 12.5})
    monkeypatch.setattr(exercise.Report, "finished", lambda *given, measured: reports.append(measured))
    exercise.main("spiral")
    assert reports == [{"speedup": 12.5}, {"speedup": 12.5}]
    left = [path for path in (project / "results").rglob("*") if path.is_file()]
    assert left
    assert not any(b"speedup" in path.read_bytes() for path in left)


def test_a_claim_that_fails_is_one_line_and_leaves_nothing(project, monkeypatch):
    monkeypatch.setattr(manual, "scale", lambda loss, scores, reduction: 1.0)
    with pytest.raises(UserError, match="exercise spiral, as asked: .*: found .*, allowed is at most"):
        exercise.main("spiral")
    assert not (project / "results/exercises").exists()
    assert not any((project / "results/runs").glob("exercise-*"))


def test_an_unknown_exercise_lists_the_six(project):
    with pytest.raises(UserError) as error:
        exercise.main("knots")
    for name in ("quadratic", "two_layer", "spiral", "digits_cg", "relu_regression", "softmax_loops"):
        assert name in str(error.value)


def test_its_weights_are_those_that_the_trace_ends_with(runs):
    settings = spiral.RECIPE.model_copy(update=SMALL)
    X, y = spiral.draw(settings).X, spiral.draw(settings).y
    weights = runs[1].weights()
    right = (X @ weights["W"] + weights["b"]).argmax(axis=1) == y
    assert np.mean(right) == runs[1].metrics["train/accuracy"]


def test_a_spiral_of_no_points_is_refused_in_one_line(project, set_param):
    set_param("exercise.spiral.points", 0)
    with pytest.raises(UserError, match="exercise.spiral.points = 0: allowed is greater than or equal to 4"):
        exercise.main("spiral")


def test_it_runs_by_the_launcher(project):
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.stages", "exercise", "knots"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout, len(done.stderr.splitlines())) == (2, "", 1)
