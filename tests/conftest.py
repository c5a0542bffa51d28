"""How the tests are shared out among processes."""

import gc
import signal
from pathlib import Path

import pytest

from pipeline import machine
from tests import stores

# Before NumPy is imported: tests run in several processes, whose threads would fight over the processors.
# Stages that they start set their own.
machine.prepare(1)
# What collecting the tests imports is here to stay: looking for garbage in it takes seconds, every time.
gc.disable()

PIPELINE = Path(__file__).parent / "pipeline"
KILLS = PIPELINE.parent / "faults/test_killing.py"
FOUR_STAGES = "trained"  # the fixture of tests/faults/conftest.py


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """An MLflow store without runs, to copy."""
    return stores.empty(tmp_path_factory)


def pytest_configure():
    """Let Ctrl-C reach what the tests start: a shell's background job, and its children, would ignore it."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_finish():
    """Look for garbage in what the tests make, and in no more."""
    gc.freeze()
    gc.enable()


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the tests that are marked slow, too")


@pytest.hookimpl(tryfirst=True)  # before the items are handed to processes
def pytest_collection_modifyitems(config, items):
    """A file's tests run in one process, so that its fixtures are made once, but for those in a group.

    So do all of the pipeline's, and the quick ones of a repository with four stages. What takes longest
    begins, or the other processes would wait for it at the end: the pipeline, and fifty kills of it.
    """
    if not config.getoption("--slow"):
        slow = [item for item in items if item.get_closest_marker("slow")]
        config.hook.pytest_deselected(items=slow)
        items[:] = [item for item in items if item not in slow]
    items.sort(key=lambda item: not (item.path.is_relative_to(PIPELINE) or item.path == KILLS))
    for item in items:
        if not item.get_closest_marker("xdist_group"):
            item.add_marker(pytest.mark.xdist_group(_group(item)))


def _group(item):
    if item.path.is_relative_to(PIPELINE):
        return PIPELINE.name
    if FOUR_STAGES in item.fixturenames and not item.config.getoption("--slow"):
        return FOUR_STAGES
    return item.path.relative_to(PIPELINE.parent).as_posix()
