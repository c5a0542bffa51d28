"""The real pipeline, run once by DVC on a small part of MNIST in a temporary repository."""

import json
import sys
from pathlib import Path

import pytest

from tests.repositories import commit, copy, copy_of_the_project

TRACING = Path(__file__).parent / "tracing"
# Code and a parameter of which every bit of the experiment depends.
EXPERIMENT_CODE = "pipeline/stages/train.py"
EXPERIMENT_EDIT = ('generator(seed, "initialization")', 'generator(seed, "another start")')
EXPERIMENT_PARAMETER = "train.softmax.epochs=1"


@pytest.fixture(scope="session")
def repository(tmp_path_factory):
    """The pipeline after one `dvc repro`, committed; a space and an é are in its path."""
    made = copy_of_the_project(tmp_path_factory.mktemp("the pipeline") / "répository")
    traces = made.path.parent / "traces"
    traces.mkdir()
    made.dvc("repro", PYTHONPATH=str(TRACING), GRADLINE_TRACE=str(traces))
    commit(made, "Its outputs")
    return made


@pytest.fixture
def copied(repository, tmp_path):
    """A copy of it to change at will."""
    return copy(repository, tmp_path / "copy")


@pytest.fixture(scope="session")
def experiment(repository, tmp_path_factory):
    """A copy of it after `dvc exp run --temp` of train@softmax-manual with other code and another parameter.

    The code is as it was again, so that only the run in MLflow tells of it.
    """
    made = copy(repository, tmp_path_factory.mktemp("experiment") / "copy")
    code = made.text(EXPERIMENT_CODE)
    (made.path / EXPERIMENT_CODE).write_text(code.replace(*EXPERIMENT_EDIT), encoding="utf-8")
    # With a store that is there already: to create one takes long enough, beside other tests, to be given up.
    done = made.run(sys.executable, "-m", "pipeline", "publish", "linear_regression-manual")
    assert done.returncode == 0, done.stderr
    made.dvc("exp", "run", "--temp", "-S", EXPERIMENT_PARAMETER, "train@softmax-manual")
    (made.path / EXPERIMENT_CODE).write_text(code, encoding="utf-8")
    return made


@pytest.fixture(scope="session")
def traces(repository):
    """What each stage really imported, opened and read of params.yaml, by stage."""
    folder = repository.path.parent / "traces"
    return {file.stem: json.loads(file.read_text()) for file in folder.iterdir()}
