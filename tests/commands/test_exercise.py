"""`python -m pipeline exercise`: the page, the object, and every wrong argument in one line."""

import json
import os
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from pipeline import exercises, params
from pipeline.exercises import NAMES, spiral
from pipeline.exercises.outcome import at_most
from pipeline.params.whole import Params

REPOSITORY = Path(__file__).parents[2]
SMALL = ("-S", "points=20", "-S", "iterations=12", "-S", "hidden=5", "-S", "network_iterations=30")


@pytest.fixture
def call(monkeypatch, run_command):
    """Run `exercise` in the repository; return status, stdout and stderr."""
    monkeypatch.chdir(REPOSITORY)
    return partial(run_command, "exercise")


def test_the_page_shows_the_trace_the_answer_and_every_claim(call):
    status, out, err = call("spiral", *SMALL)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[0].startswith("Softmax classifier on the spiral, as answered: ")
    assert any(line.startswith("iteration 10: loss ") for line in lines)
    words = " ".join(out.split())
    assert spiral.QUESTION in words
    assert spiral.ANSWER in words
    settings = spiral.RECIPE.model_copy(
        update={"points": 20, "iterations": 12, "hidden": 5, "network_iterations": 30}
    )
    for claim in spiral.run("answered", settings).claims:
        assert f"ok   {claim.says}: {claim.found} (allowed: {claim.allowed})" in lines
    assert max(map(len, lines)) < 160


def test_the_object_has_the_trace_in_full_precision_and_is_the_same_twice(call):
    status, out, err = call("spiral", "--as", "asked", "--seed", "3", "--json", *SMALL)
    assert (status, err) == (0, "")
    found = json.loads(out)
    assert list(found) == ["exercise", "variant", "seed", "trace", "results"]
    assert (found["exercise"], found["variant"], found["seed"]) == ("spiral", "asked", 3)
    settings = spiral.RECIPE.model_copy(
        update={"seed": 3, "points": 20, "iterations": 12, "hidden": 5, "network_iterations": 30}
    )
    assert found["trace"] == spiral.run("asked", settings).trace
    assert call("spiral", "--as", "asked", "--seed", "3", "--json", *SMALL) == (status, out, err)


def test_what_is_no_number_is_null_in_the_object(call):
    sizes = ("-S", "samples=8", "-S", "inputs=20", "-S", "hidden=5", "-S", "iterations=60")
    status, out, err = call("relu_regression", "--json", "-S", "learning_rate=1", *sizes)
    assert status == 2
    assert "found nan" in err
    losses = [row["loss"] for row in json.loads(out, parse_constant=pytest.fail)["trace"]]
    assert losses[-1] is None
    assert losses[0] > 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("knots",), f"exercise 'knots': choose one of {', '.join(NAMES)}"),
        ((), f"exercise '': choose one of {', '.join(NAMES)}"),
        (("spiral", "--as", "told"), "--as 'told': choose one of asked, answered"),
        (("spiral", "--seed", "-1"), "command line: seed = -1: allowed is greater than or equal to 0"),
        (("spiral", "--seed", "x"), "command line: seed = 'x': allowed is a valid integer"),
        (("spiral", "--seed", "{"), "'{': is no value; write it as in params.yaml"),
        (("spiral", "-S", "points=0"), "command line: points = 0: allowed is greater than or equal to 4"),
        (("spiral", "-S", "points"), "--set 'points': write KEY=VALUE"),
        (("spiral", "-S", "legs=4"), "command line: legs = 4: unknown key; allowed: seed, points, noise"),
    ],
)
def test_a_wrong_argument_is_one_line_that_says_what_is_allowed(call, arguments, said):
    status, out, err = call(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"error: {said}")
    assert len(err.splitlines()) == 1


def test_an_overflow_fails_its_claims_without_warnings_of_numpy(call, recwarn):
    status, _, err = call("two_layer", "-S", "learning_rate=1000")
    assert status == 2
    assert err.startswith("error: exercise two_layer")
    assert len(err.splitlines()) == 1
    assert not recwarn.list


def test_a_claim_that_fails_is_marked_on_the_page_and_is_an_error(call, monkeypatch):
    right = spiral.run

    def run(variant, settings):
        outcome = right(variant, settings)
        outcome.claims.append(at_most("the sky falls", 2.0, 1.0))
        return outcome

    monkeypatch.setattr(spiral, "run", run)
    status, out, err = call("spiral", *SMALL)
    assert status == 2
    assert "FAIL the sky falls: 2 (allowed: at most 1)" in out
    assert err.startswith("error: exercise spiral, as answered: the sky falls: found 2, allowed is at most 1")


def test_what_it_says_of_speed_is_on_the_page_and_not_in_the_object(call, monkeypatch):
    monkeypatch.setattr(spiral, "timings", lambda settings: {"speedup": 12.5})
    assert "speedup: 12.5" in call("spiral", *SMALL)[1]
    assert "speedup" not in call("spiral", "--json", *SMALL)[1]


def test_it_runs_without_dvc_and_leaves_no_file(tmp_path):
    (tmp_path / "params.yaml").write_bytes((REPOSITORY / "params.yaml").read_bytes())
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", "exercise", "spiral", *SMALL],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert [path.name for path in tmp_path.iterdir()] == ["params.yaml"]


@pytest.mark.parametrize("name", NAMES)
def test_the_shipped_parameters_are_those_of_the_published_numbers(name):
    shipped = getattr(params.load(Params, file=REPOSITORY / "params.yaml").exercise, name)
    assert shipped == exercises.get(name).RECIPE
