"""What MLflow holds of a run, and whether it still is what the run left."""

from collections.abc import Iterator, Mapping
from pathlib import Path

from pipeline.errors import UserError
from pipeline.tracking import (
    connection,
    differences,
    logged_model,
    projection,
    run_directory,
    selection,
    store,
)
from pipeline.tracking.differences import Sides
from pipeline.tracking.quiet_mlflow import MlflowClient, Run, mlflow
from pipeline.tracking.run_directory import RunDirectory

RUN = "run"
RUNS = Path("results/runs")
IN_MLFLOW = Sides("in MLflow", f"in {RUN}/")
ON_DISK = Sides(f"in {RUN}/", f"in {RUNS}/")
OF_MODEL = Sides(f"in {RUN}/", "in the logged model")


def download(client: MlflowClient, run: Run, scratch: Path) -> Path:
    """Return the run directory as it is stored, downloaded into an empty folder.

    Raises UserError for a run that isn't FINISHED, and for one that no stage of this pipeline has left.
    """
    words = selection.words(run)
    if run.info.status != "FINISHED":
        raise UserError(f"{words}: is {run.info.status}; only a FINISHED run can be verified")
    listed = {item.path for item in client.list_artifacts(run.info.run_id, RUN)}
    if "fingerprint" not in run.data.tags:
        raise UserError(f"{words}: has no fingerprint, so it is no run of this pipeline")
    if (record := f"{RUN}/{run_directory.RECORD}") not in listed:
        remedy = "delete the run in `make ui`; `make publish` adds it again from results/runs"
        raise UserError(f"{words}: its {record} is lost, and with it what could be verified; {remedy}")
    return Path(client.download_artifacts(run.info.run_id, RUN, str(scratch)))


def is_intact(run: Run, path: Path) -> bool:
    """Whether the files have the digest that was noted when the run ended."""
    return run_directory.fingerprint(path) == run.data.tags["fingerprint"]


def altered(run: Run, path: Path) -> str:
    """Return in words that the files haven't the digest that was noted."""
    return (
        f"{RUN}/: its files have the fingerprint {run_directory.fingerprint(path)}, "
        f"the tag says {run.data.tags['fingerprint']}"
    )


def faults(client: MlflowClient, run: Run, path: Path, scratch: Path) -> Iterator[str]:
    """Yield a line for each thing in MLflow that isn't what the stored run directory says.

    Files that were altered are named where the logged model or the disk has them as they were; nothing
    is yielded where neither has. `scratch` is a folder to download the logged model to.
    """
    try:
        directory = run_directory.read(path)
    except UserError as error:
        yield str(error).removeprefix(f"{path}/").partition("; ")[0]
        return
    yield from _unequal("parameter", run.data.params, projection.parameters(directory.record))
    own = {"params.digest": projection.parameters_digest(directory.record)}
    yield from _unequal("tag", {name: run.data.tags.get(name, "none") for name in own}, own)
    yield from _metrics(client, run, directory)
    model = list(_model(client, run, directory, scratch))
    yield from model
    ours = RUNS / directory.name
    if not is_intact(run, path) and ours.is_dir() and is_intact(run, ours):
        named = {_file(line) for line in model}
        yield from (line for line in differences.between(path, ours, ON_DISK) if _file(line) not in named)


def _file(line: str) -> str:
    return line.partition(":")[0]


def _unequal(what: str, found: Mapping[str, str], expected: Mapping[str, str]) -> Iterator[str]:
    for name in sorted(found.keys() | expected.keys()):
        values = found.get(name, "none"), expected.get(name, "none")
        if values[0] != values[1]:
            yield f"{what} {name} is {IN_MLFLOW.of(*values)}"


def _metrics(client: MlflowClient, run: Run, directory: RunDirectory) -> Iterator[str]:
    """A final metric may have been followed by one of `evaluate`: then it stands in the history."""
    for name, value in directory.metrics.items():
        shown = run.data.metrics.get(name)
        if shown == value:
            continue
        if not any(metric.value == value for metric in client.get_metric_history(run.info.run_id, name)):
            yield f"metric {name} is {IN_MLFLOW.of('none' if shown is None else shown, value)}"


def _model(client: MlflowClient, run: Run, directory: RunDirectory, scratch: Path) -> Iterator[str]:
    if not directory.normalization:
        return
    models = connection.models_of(run)
    if not models:
        yield "there is no logged model"
    for model_id in models:
        location = client.get_logged_model(model_id).artifact_location
        data = mlflow.artifacts.download_artifacts(
            f"{location}/data", dst_path=str(scratch / model_id), tracking_uri=store.uri()
        )
        for name in logged_model.DATA:
            if line := differences.of_file(directory.path / name, Path(data) / name, OF_MODEL):
                yield f"{name}: {line}"
