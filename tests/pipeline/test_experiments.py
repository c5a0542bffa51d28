"""DVC's experiments log to the one store of the repository, wherever they run."""

import sqlite3


def runs(repository) -> list[tuple[str, str]]:
    """Name and status of the runs in the store at the repository's root."""
    with sqlite3.connect(repository.path / "mlflow.db") as store:
        return store.execute("SELECT name, status FROM runs").fetchall()


def test_an_experiment_in_a_temporary_copy_logs_to_the_main_store(copied):
    copied.dvc("exp", "run", "--temp", "-S", "baseline.ridge.solver=svd", "baseline@ridge")
    assert runs(copied) == [("baseline-ridge", "FINISHED")]
    assert not list((copied.path / ".dvc/tmp").rglob("mlflow.db"))
