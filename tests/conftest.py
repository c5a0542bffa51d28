"""How the tests are shared out among processes."""

from pathlib import Path

import pytest

PIPELINE = Path(__file__).parent / "pipeline"


@pytest.hookimpl(tryfirst=True)  # before the items are handed to processes
def pytest_collection_modifyitems(items):
    """A file's tests run in one process, so that its fixtures are made once; all of the pipeline's too.

    Those of the pipeline take longest and begin, or the other processes would wait for them at the end.
    """
    items.sort(key=lambda item: not item.path.is_relative_to(PIPELINE))
    for item in items:
        group = PIPELINE if item.path.is_relative_to(PIPELINE) else item.path
        item.add_marker(pytest.mark.xdist_group(group.relative_to(PIPELINE.parent).as_posix()))
