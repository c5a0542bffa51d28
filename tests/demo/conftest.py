"""A port that is free."""

import pytest

from tests.demo import runs


@pytest.fixture(scope="module")
def port():
    return runs.free_port()
