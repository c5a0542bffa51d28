import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from pipeline.errors import UserError
from pipeline.tracking import connection, projection, reporter, run_directory
from pipeline.tracking.experiments import EXPERIMENTS
from pipeline.tracking.publish import publish_missing
from pipeline.tracking.quiet_mlflow import MlflowClient, MlflowException, mlflow

RESULTS = Path("results")
Leave = Callable[..., Path]


@pytest.fixture(autouse=True)
def _in_the_repository(client: Any) -> None:
    """Every test here has a repository with an empty store."""


def runs(client: Any, name: str) -> list[Any]:
    ids = [client.get_experiment_by_name(experiment) for experiment in EXPERIMENTS]
    found = client.search_runs([experiment.experiment_id for experiment in ids if experiment])
    return [run for run in found if run.info.run_name == name]


def evaluate(*directories: Path, **metrics: float) -> None:
    results = {
        path.name: {"fingerprint": run_directory.fingerprint(path), "test/accuracy": 0.9, **metrics}
        for path in directories
    }
    (RESULTS / "evaluation.json").write_text(json.dumps(results))
    for path in directories:
        figures = RESULTS / "evaluation" / path.name
        figures.mkdir(parents=True, exist_ok=True)
        (figures / "confusion.png").write_bytes(b"png")


def last_line(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out.splitlines()[-1]


def test_twice_in_a_row_adds_nothing(
    client: Any, leave_run: Leave, capsys: pytest.CaptureFixture[str]
) -> None:
    baseline = {"run": "baseline-ridge", "experiment": "baselines", "model": "softmax"}
    evaluate(leave_run(), leave_run("baseline-ridge", record=baseline, normalization=None))
    publish_missing(RESULTS)
    assert last_line(capsys) == "publish: 2 runs added, 0 already there; evaluation added to 2 runs"
    publish_missing(RESULTS)
    assert capsys.readouterr().out == "publish: 0 runs added, 2 already there; evaluation added to 0 runs\n"
    (run,) = runs(client, "softmax-manual")
    (ridge,) = runs(client, "baseline-ridge")
    assert {run.info.status, ridge.info.status} == {"FINISHED"}
    assert run.data.tags["git.commit.source"] == "unknown"
    assert "duration_seconds" not in run.data.metrics
    assert not ridge.outputs.model_outputs  # its input has no normalisation: no model of raw pixels
    assert [file.path for file in client.list_artifacts(run.info.run_id, "evaluation")] == [
        "evaluation/confusion.png"
    ]


def test_two_at_once_add_each_run_once(client: Any, leave_run: Leave) -> None:
    leave_run()
    leave_run("another", record={"run": "another", "experiment": "mnist", "model": "softmax"})
    command = [sys.executable, "-m", "pipeline", "publish"]
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    both = [subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL) for _ in range(2)]
    assert [process.wait(120) for process in both] == [0, 0]
    assert len(runs(client, "softmax-manual")) == len(runs(client, "another")) == 1


def test_the_run_list_shows_the_weights_kept_and_the_curve_stays_whole(client: Any, leave_run: Leave) -> None:
    leave_run()
    publish_missing(RESULTS)
    (run,) = runs(client, "softmax-manual")
    assert run.data.metrics["validation/accuracy"] == 0.92  # metrics.json: the best epoch, not the last
    curve = client.get_metric_history(run.info.run_id, "validation/accuracy")
    assert [(point.step, point.value) for point in curve] == [(1, 0.91), (2, 0.92), (3, 0.93), (3, 0.92)]
    model = client.get_logged_model(run.outputs.model_outputs[0].model_id)
    assert {metric.key: metric.value for metric in model.metrics}["validation/accuracy"] == 0.92


def test_evaluation_lands_on_every_run_of_the_fingerprint_and_the_latest_one_counts(
    client: Any, leave_run: Leave, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    directory = leave_run()
    publish_missing(RESULTS)
    with monkeypatch.context() as patch:  # as stages that execute do, it doesn't ask what is there
        patch.setattr(connection, "finished_runs", lambda *_: [])
        publish_missing(RESULTS)
    leave_run("softmax-autograd", metrics={"validation/accuracy": 0.5})
    publish_missing(RESULTS)
    for accuracy in (0.9, 0.8):
        evaluate(directory, **{"test/accuracy": accuracy, "validation/accuracy": 0.92})
        publish_missing(RESULTS, ["softmax-manual"])
        assert last_line(capsys) == "publish: 0 runs added, 1 already there; evaluation added to 2 runs"
        pair = runs(client, "softmax-manual")
        assert [run.data.metrics["test/accuracy"] for run in pair] == [accuracy, accuracy]
    (other,) = runs(client, "softmax-autograd")
    assert "test/accuracy" not in other.data.metrics


def test_an_evaluation_added_by_halves_is_completed_and_nothing_comes_twice(
    client: Any, leave_run: Leave, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    evaluate(leave_run())
    figures = RESULTS / "evaluation/softmax-manual"
    (figures / "per_class.csv").write_text("digit,recall\n0,0.9\n1,0.8\n")
    (figures / "first_layer").mkdir()
    for epoch in (1, 2):
        Image.new("RGB", (2, 2)).save(figures / f"first_layer/epoch-{epoch:05d}.png")
    log_image = MlflowClient.log_image

    def fail_at_the_second(self: MlflowClient, *arguments: Any, step: int, **others: Any) -> None:
        if step == 2:
            raise MlflowException("disk full")
        log_image(self, *arguments, step=step, **others)

    with monkeypatch.context() as patch:
        patch.setattr(MlflowClient, "log_image", fail_at_the_second)
        with pytest.raises(UserError, match="disk full"):
            publish_missing(RESULTS)
    publish_missing(RESULTS)
    assert last_line(capsys) == "publish: 0 runs added, 1 already there; evaluation added to 1 run"
    (run,) = runs(client, "softmax-manual")
    table = json.loads(mlflow.artifacts.load_text(f"{run.info.artifact_uri}/evaluation/per_class.json"))
    assert table["data"] == [[0, 0.9], [1, 0.8]]
    shown = [file.path for file in client.list_artifacts(run.info.run_id, "images")]
    pictures = sorted(path.split("+")[2] for path in shown if path.endswith(".png"))
    assert pictures == ["1", "2"]


def test_a_run_published_by_halves_is_not_taken_for_complete(
    client: Any, leave_run: Leave, monkeypatch: pytest.MonkeyPatch
) -> None:
    leave_run()
    with monkeypatch.context() as patch:

        def fail(*_: object) -> None:
            raise MlflowException("disk full at http://ann:secret@host")

        patch.setattr(MlflowClient, "log_artifacts", fail)
        with pytest.raises(UserError, match="disk full at http://host;") as caught:
            publish_missing(RESULTS)
    assert "\n" not in str(caught.value)
    (run,) = runs(client, "softmax-manual")
    assert (run.info.status, "fingerprint" in run.data.tags) == ("FAILED", False)
    publish_missing(RESULTS)
    assert sorted(run.info.status for run in runs(client, "softmax-manual")) == ["FAILED", "FINISHED"]


def test_a_run_is_finished_only_when_it_can_be_recognised(
    client: Any, leave_run: Leave, monkeypatch: pytest.MonkeyPatch
) -> None:
    order: list[tuple[str, str]] = []

    def noting(name: str) -> Callable[..., Any]:
        original = getattr(MlflowClient, name)

        def noted(self: MlflowClient, run_id: str, what: str, *others: Any, **named: Any) -> Any:
            order.append((name, what))
            return original(self, run_id, what, *others, **named)

        return noted

    for name in ("set_tag", "set_terminated"):
        monkeypatch.setattr(MlflowClient, name, noting(name))
    leave_run()
    publish_missing(RESULTS)
    # A kill between the two leaves a run that is RUNNING, and not one that is FINISHED and unknown.
    assert order == [("set_tag", "fingerprint"), ("set_terminated", "FINISHED")]


def test_another_content_is_another_run(client: Any, leave_run: Leave) -> None:
    leave_run()
    publish_missing(RESULTS)
    leave_run(metrics={"validation/accuracy": 0.1})
    publish_missing(RESULTS)
    assert len(runs(client, "softmax-manual")) == 2


def test_many_points_and_parameters_all_arrive(client: Any, leave_run: Leave) -> None:
    record = {"run": "many", "experiment": "mnist", "parameters": {f"p{i}": i for i in range(250)}}
    leave_run("many", record=record, history=[{"step": i, "train/loss": i / 7} for i in range(2500)])
    publish_missing(RESULTS)
    (run,) = runs(client, "many")
    points = client.get_metric_history(run.info.run_id, "train/loss")
    assert sorted((point.step, point.value) for point in points) == [(i, i / 7) for i in range(2500)]
    assert len(run.data.params) == 250


def test_after_the_store_is_deleted_one_command_restores_every_run(
    leave_run: Leave, repository: Path
) -> None:
    evaluate(leave_run())
    publish_missing(RESULTS)
    (repository / "mlflow.db").unlink()
    packages = {"PYTHONPATH": str(reporter.PACKAGES)}
    done = subprocess.run(
        [sys.executable, "-m", "pipeline.tracking.publish"],
        env={**os.environ, **packages},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout.endswith("publish: 1 run added, 0 already there; evaluation added to 1 run\n")
    assert sorted(path.name for path in repository.glob("mlflow.db*")) == ["mlflow.db", "mlflow.db.lock"]


def test_experiments_are_described_and_open_as_training_experiments(client: Any, leave_run: Leave) -> None:
    leave_run()
    publish_missing(RESULTS)
    experiment = client.get_experiment_by_name("mnist")
    assert experiment.tags["mlflow.experimentKind"] == "custom_model_development"
    assert "test/error" in experiment.tags["mlflow.note.content"]
    assert experiment.artifact_location.endswith("/a%20r%C3%A9pository/mlartifacts/mnist")


def test_an_unknown_name_and_an_empty_folder_are_refused(leave_run: Leave) -> None:
    with pytest.raises(UserError, match="no runs"):
        publish_missing(RESULTS)
    leave_run()
    with pytest.raises(UserError, match="no such run; there are softmax-manual"):
        publish_missing(RESULTS, ["softmax"])


@pytest.mark.parametrize("text", ["{", "[]", '{"a": 1}', '{"a": {"fingerprint": "\' or 1"}}'])
def test_a_damaged_evaluation_is_refused(leave_run: Leave, text: str) -> None:
    leave_run()
    (RESULTS / "evaluation.json").write_text(text)
    with pytest.raises(UserError, match=r"evaluation\.json: is damaged"):
        publish_missing(RESULTS)


def test_replayed_points_are_those_that_were_streamed() -> None:
    row = {"epoch": 2, "train/loss": 0.1}
    read_back = {"epoch": 2.0, "train/loss": float(repr(0.1))}
    assert set(projection.points(row)) == set(projection.points(read_back))


def test_the_description_leads_to_the_derivation(client: Any, leave_run: Leave) -> None:
    leave_run()
    publish_missing(RESULTS)
    [run] = runs(client, "softmax-manual")
    page = "docs/exercises/softmax_loops.md"
    assert f"- Derivation: `{page}`" in run.data.tags["mlflow.note.content"]
    for derivation in projection.DERIVATIONS.values():
        assert (Path(__file__).parents[2] / derivation).exists()
