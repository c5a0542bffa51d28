"""What is recorded of a machine, and how it is said."""

from pipeline import machine


def test_a_blas_that_cannot_be_seen_is_recorded_as_unknown(monkeypatch):
    monkeypatch.setattr(machine, "threadpool_info", lambda: [{"user_api": "openmp", "num_threads": 1}])
    kind = machine.kind()
    assert kind["architecture"] == "unknown"
    assert kind["threads"] >= 1
    assert machine.words(kind).startswith(f"{machine.processor()}, BLAS architecture unknown, ")
