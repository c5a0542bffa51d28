"""What was altered in MLflow is found and named; each fault is planted."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from pipeline.errors import UserError
from pipeline.tracking import connection, evaluation, run_directory, stored
from pipeline.tracking.publish import publish_missing

RESULTS = Path("results")
NAME = "softmax-manual"


@pytest.fixture
def published(client: Any, leave_run: Callable[..., Path]) -> Any:
    leave_run()
    publish_missing(RESULTS)
    (RESULTS / "runs" / NAME).rename("as it was")
    return client


def run_of(client: Any) -> Any:
    [run] = client.search_runs([client.get_experiment_by_name("mnist").experiment_id])
    return run


def artifacts(client: Any) -> Path:
    """The stored run directory: the store is on this disk."""
    run = run_of(client)
    return Path("mlartifacts/mnist", run.info.run_id, "artifacts/run")


def model(client: Any) -> Path:
    """The data of the logged model."""
    return Path(
        "mlartifacts/mnist/models", run_of(client).outputs.model_outputs[0].model_id, "artifacts/data"
    )


def found(client: Any) -> tuple[bool, list[str]]:
    """Whether the files are intact, and what else is wrong."""
    run, scratch = run_of(client), Path("scratch")
    scratch.mkdir(exist_ok=True)
    path = stored.download(client, run, scratch)
    return stored.is_intact(run, path), list(stored.faults(client, run, path, scratch))


def zero(path: Path, tensor: str) -> None:
    tensors = safetensors.numpy.load(path.read_bytes())
    path.write_bytes(safetensors.numpy.save({**tensors, tensor: np.zeros_like(tensors[tensor])}))


def change(path: Path, **values: Any) -> None:
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


def test_of_an_untouched_run_nothing_is_wrong(published: Any) -> None:
    assert found(published) == (True, [])


def test_an_evaluation_that_has_another_value_of_a_metric_is_no_fault(published: Any) -> None:
    fingerprint = run_of(published).data.tags["fingerprint"]
    evaluation.add(published, {"fingerprint": fingerprint, "validation/accuracy": 0.7}, RESULTS / "none")
    assert run_of(published).data.metrics["validation/accuracy"] == 0.7
    assert found(published) == (True, [])


def test_altered_weights_are_named_by_tensor_beside_those_of_the_logged_model(published: Any) -> None:
    zero(artifacts(published) / "weights.safetensors", "b")
    said = "weights.safetensors: b[0] is 0.0 in run/, 1.0 in the logged model, 1.0e+00 of the largest in b"
    assert found(published) == (False, [said])
    Path("as it was").rename(RESULTS / "runs" / NAME)
    assert found(published) == (False, [said])  # once, though the disk tells it too


@pytest.mark.parametrize("name", ["weights.safetensors", "normalization.safetensors"])
def test_a_logged_model_of_other_weights_or_inputs_is_named(published: Any, name: str) -> None:
    tensor = {"weights.safetensors": "b", "normalization.safetensors": "std"}[name]
    zero(model(published) / name, tensor)
    intact, [line] = found(published)
    assert intact
    assert line.startswith(f"{name}: {tensor}[")
    assert " in run/, 0.0 in the logged model" in line


def test_what_no_model_holds_is_named_by_the_copy_on_disk(published: Any) -> None:
    history = artifacts(published) / "history.csv"
    history.write_text(history.read_text().replace("0.91", "0.99"))
    assert found(published) == (False, [])
    Path("as it was").rename(RESULTS / "runs" / NAME)
    line = "history.csv: row 1, validation/accuracy is 0.99 in run/, 0.91 in results/runs/"
    assert found(published) == (False, [line])


def test_a_copy_on_disk_that_is_not_the_runs_proves_nothing(published: Any) -> None:
    history = artifacts(published) / "history.csv"
    history.write_text(history.read_text().replace("0.91", "0.99"))
    Path("as it was").rename(RESULTS / "runs" / NAME)
    change(RESULTS / "runs" / NAME / "metrics.json", best_epoch=3)
    assert found(published) == (False, [])


@pytest.mark.parametrize(
    ("edit", "line"),
    [
        (
            "UPDATE params SET value = '0.5' WHERE key = 'train.softmax.learning_rate'",
            "parameter train.softmax.learning_rate is 0.5 in MLflow, 0.02 in run/",
        ),
        ("DELETE FROM params WHERE key = 'seed'", "parameter seed is none in MLflow, 0 in run/"),
        (
            "UPDATE latest_metrics SET value = 0.99 WHERE key = 'best_epoch'; "
            "UPDATE metrics SET value = 0.99 WHERE key = 'best_epoch'",
            "metric best_epoch is 0.99 in MLflow, 2.0 in run/",
        ),
    ],
)
def test_what_was_edited_in_the_database_is_named_with_both_values(
    published: Any, edit: str, line: str
) -> None:
    with sqlite3.connect("mlflow.db") as database:
        database.executescript(edit)
    assert found(published) == (True, [line])


def test_another_digest_of_the_parameters_is_named(published: Any) -> None:
    published.set_tag(run_of(published).info.run_id, "params.digest", "0")
    intact, [line] = found(published)
    assert intact
    assert line.startswith("tag params.digest is 0 in MLflow, ")


def test_a_record_that_is_damaged_is_named(published: Any) -> None:
    (artifacts(published) / "record.json").write_text("{")
    intact, [line] = found(published)
    assert not intact
    assert line.startswith("record.json: is damaged (")


def test_a_run_that_is_not_finished_or_not_ours_is_refused(published: Any) -> None:
    number = connection.experiment_id(published, "mnist")
    run = published.create_run(number, run_name="theirs")
    with pytest.raises(UserError, match=r"^theirs \(\w{8}\): is RUNNING; only a FINISHED run can"):
        stored.download(published, run, Path())
    published.set_terminated(run.info.run_id)
    with pytest.raises(UserError, match="has no fingerprint, so it is no run of this pipeline"):
        stored.download(published, published.get_run(run.info.run_id), Path())


def test_a_run_whose_files_are_lost_is_one_of_ours_with_the_remedy(published: Any) -> None:
    shutil.rmtree(artifacts(published))
    with pytest.raises(UserError, match=r"its run/record.json is lost, .*; delete the run in `make ui`"):
        stored.download(published, run_of(published), Path())


def test_the_digest_of_altered_files_is_told_beside_the_tag(published: Any) -> None:
    change(artifacts(published) / "metrics.json", best_epoch=3)
    run, path = run_of(published), artifacts(published)
    tag = run_directory.fingerprint(Path("as it was"))
    said = f"run/: its files have the fingerprint {run_directory.fingerprint(path)}, the tag says {tag}"
    assert stored.altered(run, path) == said
