"""Evaluation results, onto every run of the fingerprint that they were measured on."""

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from pipeline.tracking import connection, evaluated, filling, projection, run_directory
from pipeline.tracking.projection import DatasetPart, Point
from pipeline.tracking.quiet_mlflow import Metric, MlflowClient, Run

DIGEST = "evaluation.digest"
# What the tag says until all is there.
INCOMPLETE = "incomplete"
# Where a run's evaluation is among its artifacts.
FOLDER = "evaluation"
PER_CLASS = "per_class.csv"
IMAGES = "images"  # where MLflow puts those that it shows by step


def add(client: MlflowClient, result: Mapping[str, Any], figures: Path) -> int:
    """Add a run's result, and the files in its folder, where they are missing; return to how many runs."""
    digest = _digest(result, figures)
    runs = connection.finished_runs(client, result["fingerprint"])
    lacking = [run for run in runs if run.data.tags.get(DIGEST) != digest]
    for run in lacking:
        _add_to(client, run, result, figures)
        client.set_tag(run.info.run_id, DIGEST, digest)  # last: what is half added is added again
    return len(lacking)


def add_all(client: MlflowClient, path: Path, figures: Path, progress: Callable[[], None]) -> int:
    """Add every result in evaluation.json; return to how many runs."""
    added = 0
    for name, result in evaluated.read(path).items():
        added += add(client, result, figures / name)
        progress()
    return added


def _digest(result: Mapping[str, Any], figures: Path) -> str:
    canonical = json.dumps(result, sort_keys=True)
    return hashlib.sha256(f"{canonical}\n{run_directory.fingerprint(figures)}".encode()).hexdigest()


def _add_to(client: MlflowClient, run: Run, result: Mapping[str, Any], figures: Path) -> None:
    there = _begin(client, run)
    model_id = next(iter(connection.models_of(run)), None)
    data = projection.datasets(result)
    filling.log_datasets(client, run.info.run_id, data)
    metrics = (
        _metric(client, run, name, float(value), model_id, _measured_on(name, data))
        for name, value in result.items()
        if isinstance(value, int | float) and run.data.metrics.get(name) != value
    )
    filling.send(client, metrics, run.info.run_id)
    for file in sorted(figures.glob("*.*")):
        client.log_artifact(run.info.run_id, str(file), FOLDER)
    table = figures / PER_CLASS
    if table.exists() and f"{FOLDER}/{table.stem}.json" not in there:
        filling.log_table(client, run.info.run_id, table, FOLDER)
    for folder in filter(Path.is_dir, sorted(figures.glob("*"))):
        _add_images(client, run, folder, there)


def _begin(client: MlflowClient, run: Run) -> set[str]:
    """Return the artifacts of an evaluation that is there already, whole or by half."""
    run_id = run.info.run_id
    if DIGEST not in run.data.tags:
        client.set_tag(run_id, DIGEST, INCOMPLETE)
        return set()
    return {artifact.path for part in (FOLDER, IMAGES) for artifact in client.list_artifacts(run_id, part)}


def _measured_on(metric: str, data: Sequence[DatasetPart]) -> DatasetPart | None:
    """Return the split that a metric's name begins with."""
    split = metric.partition("/")[0]
    return next((part for part in data if part.context == projection.CONTEXTS.get(split, split)), None)


def _add_images(client: MlflowClient, run: Run, folder: Path, there: Collection[str]) -> None:
    """Add the pictures of several epochs under the folder's name: MLflow shows them with a slider."""
    for picture in sorted(folder.glob("epoch-*.png")):
        epoch = int(picture.stem.removeprefix("epoch-"))
        # As MLflow names them; it would add a second one of the same epoch.
        if not any(path.startswith(f"{IMAGES}/{folder.name}+step+{epoch}+") for path in there):
            with Image.open(picture) as image:
                client.log_image(
                    run.info.run_id,
                    image.convert("RGB"),
                    key=folder.name,
                    step=epoch,
                    timestamp=run.info.start_time + epoch,
                )


def _metric(
    client: MlflowClient, run: Run, name: str, value: float, model_id: str | None, data: DatasetPart | None
) -> Metric:
    """Return the value as the latest of its name, by a millisecond: the one that lists and filters show."""
    if name not in run.data.metrics:
        return filling.at(run, Point(name, value, 0), None, model_id, data)
    history = client.get_metric_history(run.info.run_id, name)
    latest = max(history, key=lambda metric: (metric.step, metric.timestamp))
    after = latest.timestamp - run.info.start_time + 1
    return filling.at(run, Point(name, value, latest.step), after, model_id, data)
