"""DVC's experiments, in the workspace and in a temporary copy, log to the one store of the repository."""

import sqlite3

import pytest


def runs(repository) -> list[tuple[str, str]]:
    """Name and status of the runs in the store at the repository's root."""
    with sqlite3.connect(repository.path / "mlflow.db") as store:
        return store.execute("SELECT name, status FROM runs").fetchall()


@pytest.mark.parametrize("where", [[], ["--temp"]], ids=["workspace", "temporary copy"])
def test_an_experiment_logs_to_the_main_store(copied, where):
    copied.dvc("exp", "run", *where, "-S", "baseline.ridge.solver=svd", "baseline@ridge")
    assert runs(copied) == [("baseline-ridge", "FINISHED")]
    assert not list((copied.path / ".dvc/tmp").rglob("mlflow.db"))
