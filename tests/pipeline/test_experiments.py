"""DVC's experiments log to the one store of the repository, wherever they run."""

import pytest

from tests.pipeline.test_mlflow import runs_in, store


@pytest.mark.slow
def test_an_experiment_in_a_temporary_copy_logs_to_the_main_store(experiment):
    [run] = runs_in(store(experiment))["softmax-manual"]
    assert run.info.status == "FINISHED"
    assert run.data.params["train.softmax.epochs"] == "1"
    assert not list((experiment.path / ".dvc/tmp").rglob("mlflow.db"))
