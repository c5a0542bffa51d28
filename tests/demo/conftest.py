"""A port that is free."""

import pytest

from tests.loopback import free_port


@pytest.fixture(scope="module")
def port():
    return free_port()
