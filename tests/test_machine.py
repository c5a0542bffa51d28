"""What is recorded of a machine, how it is said, and how its threads are held."""

import numpy as np  # noqa: F401 - so that there is a BLAS whose threads are held
import pytest
import torch
from threadpoolctl import threadpool_info

from pipeline import machine


def test_a_blas_that_cannot_be_seen_is_recorded_as_unknown(monkeypatch):
    monkeypatch.setattr(machine, "threadpool_info", lambda: [{"user_api": "openmp", "num_threads": 1}])
    kind = machine.kind()
    assert kind["architecture"] == "unknown"
    assert kind["threads"] >= 1
    assert machine.words(kind).startswith(f"{machine.processor()}, BLAS architecture unknown, ")


def test_threads_are_held_inside_the_block_and_then_as_before():
    before = threads()
    with machine.held(1):
        assert threads() == {1}
        assert torch.get_num_threads() == 1
    assert threads() == before
    with pytest.raises(ValueError, match="inside"), machine.held(3):
        assert threads() == {3}
        assert torch.get_num_threads() == 3
        raise ValueError("inside")
    assert threads() == before


def threads() -> set[int]:
    """Return of how many threads the libraries that threadpoolctl sees are held to."""
    return {library["num_threads"] for library in threadpool_info()}
