"""What one run of the pipeline leaves in MLflow, and how a lost store is filled again."""

import json
import sys

import numpy as np
import pandas
import pytest

from pipeline.datasets import mnist
from pipeline.exercises import NAMES, VARIANTS
from tests.repositories import SMALL, copy

# Runs that show others side by side, and have no weights.
OVERVIEWS = {"comparison", "gradient-check"}
EXERCISES = {f"exercise-{name}-{variant}" for name in NAMES for variant in VARIANTS}


@pytest.fixture(scope="module")
def client(repository):
    return store(repository)


def measured(name: str) -> bool:
    """Whether a metric was measured while the stage ran: it is in MLflow alone."""
    return name.endswith("_seconds") or name.startswith(("speedup", "system/"))


def store(repository):
    """A client of the store at a repository's root."""
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{repository.path / 'mlflow.db'}")


def runs_in(client) -> dict[str, list]:
    """Every run by its name."""
    experiments = [experiment.experiment_id for experiment in client.search_experiments()]
    found: dict[str, list] = {}
    for run in client.search_runs(experiments, max_results=1000):
        found.setdefault(run.info.run_name, []).append(run)
    return found


def table_of(client, run, path: str) -> pandas.DataFrame:
    """A table that the UI shows: MLflow keeps a list of them as a tag."""
    listed = json.loads(run.data.tags["mlflow.loggedArtifacts"])
    assert {"path": path, "type": "table"} in listed
    return pandas.read_json(client.download_artifacts(run.info.run_id, path), orient="split")


def test_every_trained_model_has_one_finished_run_that_tells_all(repository, client):
    evaluated = json.loads(repository.text("results/evaluation.json"))
    found = runs_in(client)
    assert set(found) == set(evaluated) | EXERCISES | OVERVIEWS
    for name, [run] in found.items():
        if name not in evaluated:
            continue
        assert run.info.status == "FINISHED"
        assert {"fingerprint", "dvc.stage", "git.commit", "git.dirty", "params.digest"} <= set(run.data.tags)
        assert run.data.params
        assert run.inputs.dataset_inputs
        assert run.outputs.model_outputs
        assert run.data.metrics["test/accuracy"] == evaluated[name]["test/accuracy"]
        artifacts = {artifact.path for artifact in client.list_artifacts(run.info.run_id, "run")}
        assert {"run/weights.safetensors", "run/record.json", "run/metrics.json"} <= artifacts


def test_every_exercise_has_two_runs_to_compare_with_curve_picture_question_and_answer(client):
    found = runs_in(client)
    for name in NAMES:
        [asked], [answered] = (found[f"exercise-{name}-{variant}"] for variant in VARIANTS)
        for run in (asked, answered):
            assert run.info.status == "FINISHED"
            assert run.data.params["exercise"] == name
            note = run.data.tags["mlflow.note.content"]
            assert all(part in note for part in ("**Question.**", "**Answer.**", "| claim | found |"))
            assert client.get_metric_history(run.info.run_id, "train/loss")
            pictures = [artifact.path for artifact in client.list_artifacts(run.info.run_id, "run/figures")]
            assert pictures == [f"run/figures/{name}.png"]
        assert asked.info.experiment_id == answered.info.experiment_id
        assert client.get_experiment(asked.info.experiment_id).name == "exercises"


def test_the_comparison_answers_in_words_tables_and_a_picture(repository, client):
    [run] = runs_in(client)["comparison"]
    evaluated = json.loads(repository.text("results/evaluation.json"))
    best = min(evaluated, key=lambda name: evaluated[name]["validation/error"])
    assert run.data.params["best_by_validation"] == best
    note = run.data.tags["mlflow.note.content"]
    assert (
        f"The best by validation is `{best}` ({evaluated[best]['validation/error']:.2%} error there)" in note
    )
    assert "`two_layer-manual`" in note
    assert "`baseline-mlp_classifier`" in note
    shown = table_of(client, run, "tables/runs.json")
    assert dict(zip(shown["run"], shown["test/error"], strict=True)) == {
        name: pytest.approx(metrics["test/error"]) for name, metrics in evaluated.items()
    }
    assert [artifact.path for artifact in client.list_artifacts(run.info.run_id, "run/figures")] == [
        "run/figures/comparison.png"
    ]


def test_the_gradient_check_is_a_run_with_its_errors_and_picture(repository, client):
    [run] = runs_in(client)["gradient-check"]
    found = json.loads(repository.text("results/gradients.json"))
    table = table_of(client, run, "tables/errors.json")
    assert len(table) == sum(
        len(errors) for checks in found["worst_relative_errors"].values() for errors in checks.values()
    )
    assert (table["error"] <= table["bound"]).all()
    assert run.data.metrics["error/autograd_float64"] <= found["bounds"]["autograd_float64"]


def test_the_first_layer_can_be_watched_epoch_by_epoch(client):
    [run] = runs_in(client)["two_layer-manual"]
    names = [artifact.path for artifact in client.list_artifacts(run.info.run_id, "images")]
    pictures = [name for name in names if name.endswith(".png")]
    assert [name.split("+")[:3] for name in pictures] == [
        ["images/first_layer", "step", str(epoch)] for epoch in (0, 1, 2)
    ]


def test_evaluation_says_on_which_data_each_rate_was_measured(repository, client):
    [run] = runs_in(client)["softmax-manual"]
    contexts = {
        tag.value: data.dataset.digest
        for data in run.inputs.dataset_inputs
        for tag in data.tags
        if tag.key == "mlflow.data.context"
    }
    assert set(contexts) == {"training", "validation", "testing"}
    [output] = run.outputs.model_outputs
    measured_on = {
        metric.key: metric.dataset_digest for metric in client.get_logged_model(output.model_id).metrics
    }
    assert measured_on["test/error"] == contexts["testing"]
    assert measured_on["validation/error"] == contexts["validation"]
    table = table_of(client, run, "evaluation/per_class.json")
    assert list(table["digit"]) == list(range(10))


def test_training_left_a_point_an_epoch(repository, client):
    [run] = runs_in(client)["two_layer-manual"]
    rows = repository.text("results/runs/two_layer-manual/history.csv").splitlines()
    curve = client.get_metric_history(run.info.run_id, "train/loss")
    assert [point.step for point in curve] == list(range(1, len(rows)))


def test_the_logged_model_scores_raw_images_with_the_accuracy_of_evaluate(repository, client, monkeypatch):
    import mlflow

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{repository.path / 'mlflow.db'}")
    [run] = runs_in(client)["two_layer-manual"]
    [output] = run.outputs.model_outputs
    model = mlflow.pyfunc.load_model(f"models:/{output.model_id}")
    raw = mnist.load(repository.path / "data/raw")
    images, labels = (each[: SMALL["normalize.limit"]] for each in (raw.test_images, raw.test_labels))
    assert images.dtype == np.uint8
    predicted = model.predict(images.reshape(len(images), -1)).argmax(axis=1)
    evaluated = json.loads(repository.text("results/evaluation.json"))
    assert float((predicted == labels).mean()) == evaluated["two_layer-manual"]["test/accuracy"]


@pytest.fixture(scope="module")
def restored(repository, tmp_path_factory):
    """A copy whose store was deleted, and filled again by `publish`."""
    made = copy(repository, tmp_path_factory.mktemp("restored") / "copy")
    publish(made)
    return made


def publish(repository) -> str:
    done = repository.run(sys.executable, "-m", "pipeline", "publish")
    assert done.returncode == 0, done.stderr
    return done.stdout


def contents(repository) -> dict[str, list[dict]]:
    return {name: [run.to_dictionary() for run in runs] for name, runs in runs_in(store(repository)).items()}


@pytest.mark.slow
def test_publishing_restores_every_run_of_a_deleted_store(repository, restored):
    found = runs_in(store(restored))
    before = runs_in(store(repository))
    assert set(found) == set(before)
    for name, [run] in found.items():
        [original] = before[name]
        assert run.info.status == "FINISHED"
        # How long it took is no part of what a run leaves, so it is gone with the store.
        assert run.data.metrics == {
            key: value for key, value in original.data.metrics.items() if not measured(key)
        }
        assert run.data.params == original.data.params
        assert run.data.tags["fingerprint"] == original.data.tags["fingerprint"]
        assert bool(run.outputs.model_outputs) == (name not in EXERCISES | OVERVIEWS)


@pytest.mark.slow
def test_publishing_again_adds_nothing(restored):
    before = contents(restored)
    assert publish(restored).endswith("0 runs added, 24 already there; evaluation added to 0 runs\n")
    assert contents(restored) == before


@pytest.mark.slow
def test_a_forced_stage_opens_a_second_run_with_the_same_fingerprint(restored):
    assert restored.repro("--force", "--single-item", "train@softmax-manual") == ["train@softmax-manual"]
    first, second = runs_in(store(restored))["softmax-manual"]
    assert first.info.status == second.info.status == "FINISHED"
    assert first.data.tags["fingerprint"] == second.data.tags["fingerprint"]
