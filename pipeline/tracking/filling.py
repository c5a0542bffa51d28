"""Put a run directory into an MLflow run, so that nobody takes a half-filled one for complete."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from itertools import chain
from pathlib import Path

import pandas

from pipeline.tracking import logged_model, projection, run_directory
from pipeline.tracking.projection import Point
from pipeline.tracking.quiet_mlflow import (
    Dataset,
    DatasetInput,
    InputTag,
    Metric,
    MlflowClient,
    MlflowException,
    Param,
    Run,
    RunTag,
)
from pipeline.tracking.run_directory import RunDirectory

# What MLflow takes in one call.
METRICS_AT_ONCE = 1000
PARAMETERS_AT_ONCE = 100

# Which points the run already has.
Known = Collection[Point]
Progress = Callable[[], None]


def fill(
    client: MlflowClient,
    run: Run,
    directory: RunDirectory,
    tags: Mapping[str, str],
    *,
    streamed: Known = frozenset(),
    measured: Mapping[str, float] | None = None,
    progress: Progress = lambda: None,
) -> None:
    """Publish all that the directory holds besides the points already streamed; end the run FINISHED.

    `measured` are metrics besides, which no directory holds: durations.

    The fingerprint, by which the run is recognised as published, and the status come last.
    """
    run_id = run.info.run_id
    fingerprint = run_directory.fingerprint(directory.path)
    _log_parameters(client, run_id, directory, tags)
    log_datasets(client, run_id, projection.datasets(directory.record))
    progress()
    curves = chain.from_iterable(map(projection.points, directory.history))
    send(client, [at(run, point) for point in curves if point not in streamed], run_id, progress)
    client.log_artifacts(run_id, str(directory.path), "run")
    for table in sorted((directory.path / run_directory.TABLES).glob("*.csv")):
        log_table(client, run_id, table, run_directory.TABLES)
    progress()
    model_id = logged_model.log(client, run, directory) if directory.normalization else None
    progress()
    finals = [at(run, point, after, model_id) for point, after in projection.final_metrics(directory)]
    finals += [at(run, Point(name, value, 0)) for name, value in (measured or {}).items()]
    send(client, finals, run_id, progress)
    client.set_tag(run_id, "fingerprint", fingerprint)
    client.set_terminated(run_id, "FINISHED")


def at(
    run: Run,
    point: Point,
    after: int | None = None,
    model_id: str | None = None,
    dataset: projection.DatasetPart | None = None,
) -> Metric:
    """Return the point at its time: so many milliseconds after the run's start, as many as its step.

    Thus a replay of the same point is the same point to MLflow, and is stored once. `model_id` and
    `dataset` say what was measured, and on what.
    """
    time = run.info.start_time + (point.step if after is None else after)
    return Metric(
        point.name,
        point.value,
        time,
        point.step,
        model_id=model_id,
        dataset_name=dataset.name if dataset else None,
        dataset_digest=dataset.short_digest if dataset else None,
        run_id=run.info.run_id if model_id else None,
    )


def send(
    client: MlflowClient, metrics: Iterable[Metric], run_id: str, progress: Progress = lambda: None
) -> None:
    """Send metrics in as few calls as MLflow allows."""
    metrics = list(metrics)
    for start in range(0, len(metrics), METRICS_AT_ONCE):
        client.log_batch(run_id, metrics=metrics[start : start + METRICS_AT_ONCE])
        progress()


def _log_parameters(
    client: MlflowClient, run_id: str, directory: RunDirectory, tags: Mapping[str, str]
) -> None:
    parameters = [Param(*pair) for pair in projection.parameters(directory.record).items()]
    own = {
        **tags,
        "params.digest": projection.parameters_digest(directory.record),
        "mlflow.note.content": projection.description(directory, tags),
    }
    if infinite := projection.infinite(directory.history):
        own["metrics.infinite"] = f"{infinite}: in run/{run_directory.HISTORY} only"
    client.log_batch(run_id, tags=[RunTag(*pair) for pair in own.items()])
    for start in range(0, len(parameters), PARAMETERS_AT_ONCE):
        client.log_batch(run_id, params=parameters[start : start + PARAMETERS_AT_ONCE])


def log_table(client: MlflowClient, run_id: str, path: Path, folder: str) -> None:
    """Show a CSV file as a table that MLflow's UI can sort; one that is there gets the rows once more."""
    client.log_table(run_id, pandas.read_csv(path), f"{folder}/{path.stem}.json")


def log_datasets(client: MlflowClient, run_id: str, parts: Iterable[projection.DatasetPart]) -> None:
    """Log the splits as the run's inputs; one that is there already is not added again."""
    inputs = [
        DatasetInput(
            Dataset(
                name=part.name,
                digest=part.short_digest,
                source_type="dvc",
                source=json.dumps({"sha256": part.digest}),
                profile=json.dumps({"num_rows": part.samples}),
            ),
            tags=[InputTag("mlflow.data.context", part.context)],
        )
        for part in parts
    ]
    if not inputs:
        return
    try:
        client.log_inputs(run_id, datasets=inputs)
    except MlflowException:
        # Of two runs that are the first to log a dataset, at the same moment, MLflow lets one fail.
        client.log_inputs(run_id, datasets=inputs)
