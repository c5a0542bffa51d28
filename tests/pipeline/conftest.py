"""The real pipeline, run once by DVC on a small part of MNIST in a temporary repository."""

import json
from pathlib import Path

import pytest

from tests.repositories import commit, copy, copy_of_the_project

TRACING = Path(__file__).parent / "tracing"


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
def traces(repository):
    """What each stage really imported, opened and read of params.yaml, by stage."""
    folder = repository.path.parent / "traces"
    return {file.stem: json.loads(file.read_text()) for file in folder.iterdir()}
