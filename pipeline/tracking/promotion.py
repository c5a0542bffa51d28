"""Make a model the champion: who can be one, and how it is registered."""

import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UserError
from pipeline.tracking import connection, registry, store
from pipeline.tracking.quiet_mlflow import MlflowClient, MlflowException
from pipeline.tracking.registry import CHALLENGER, CHAMPION, NAME, Source, Version

DESCRIPTION = (
    "Reads a handwritten digit: raw pixels 0 to 255, (N, 784), in; the probabilities of the ten digits, "
    "(N, 10), out.\n\n"
    "`champion` is the version that is served. It is the best on the validation images, never on the test "
    "images, and replaced only by one that is better by McNemar's exact test, p < 0.05. `challenger` is the "
    "champion before it.\n\n"
    "`make promote` chooses, `make serve` serves."
)
# A tag of MLflow's own, by which the pages of a run and of its model show the versions made from it.
VERSIONS = "mlflow.modelVersions"
COPIED = ("fingerprint", "params.digest", "dvc.stage", "git.commit", "git.commit.source", "git.dirty")


@dataclass(frozen=True)
class Candidate:
    """A published run with the validation metrics of its evaluation; the log loss is in nats."""

    source: Source
    error: float
    log_loss: float


def candidates(
    client: MlflowClient, evaluated: Mapping[str, Mapping[str, Any]]
) -> tuple[list[Candidate], list[str]]:
    """Return the evaluated models that are in MLflow, the best first, and the names of those that aren't.

    Raises UserError where none is, and where an evaluation lacks the validation metrics.
    """
    found, lacking = [], []
    for name, result in sorted(evaluated.items()):
        source = _published(client, result["fingerprint"])
        if source is None:
            lacking.append(name)
        else:
            metrics = (
                _metric(name, result, metric) for metric in ("validation/error", "validation/log_loss")
            )
            found.append(Candidate(source, *metrics))
    if not found:
        raise UserError(f"{store.shown()}: none of the evaluated models is in it; `make publish` adds them")
    # Sorting is stable: of equals the first by name.
    return sorted(found, key=lambda candidate: (candidate.error, candidate.log_loss)), lacking


def register(
    client: MlflowClient, source: Source, champion: Version | None, why: str, tags: Mapping[str, Any]
) -> str:
    """Make the run's model the champion, and the champion until now the challenger; return its version.

    A version that the model has already is used again. The alias comes last: where this is interrupted, the
    champion is still the old one, and another call ends the work.
    """
    _create_registered_model(client)
    number = _version(client, source)
    for key, value in {**_copied(source), **tags}.items():
        client.set_model_version_tag(NAME, number, key, str(value))
    note = source.run.data.tags.get("mlflow.note.content", "")
    client.update_model_version(NAME, number, f"**Why it was promoted.** {why}.\n\n{note}".strip())
    if champion:
        client.set_registered_model_alias(NAME, CHALLENGER, champion.number)
    client.set_registered_model_alias(NAME, CHAMPION, number)
    return number


def _published(client: MlflowClient, fingerprint: str) -> Source | None:
    """Return the newest run of this fingerprint that has a model."""
    for run in connection.finished_runs(client, fingerprint):  # the newest first
        for model_id in connection.models_of(run):
            return Source(run, model_id)
    return None


def _metric(name: str, result: Mapping[str, Any], metric: str) -> float:
    try:
        found = float(result[metric])
        if not math.isfinite(found):
            raise ValueError(found)
        return found
    except (KeyError, TypeError, ValueError, OverflowError):
        raise UserError(
            f"results/evaluation.json: {name}: no number {metric!r}; run `dvc repro --force evaluate`"
        ) from None


def _create_registered_model(client: MlflowClient) -> None:
    try:
        client.create_registered_model(NAME, description=DESCRIPTION)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise
        client.update_registered_model(NAME, DESCRIPTION)


def _version(client: MlflowClient, source: Source) -> str:
    """Return the model's version, created where it has none."""
    address = f"{registry.URI}{source.model_id}"
    for version in client.search_model_versions(f"name = '{NAME}'"):
        if version.source == address:
            return str(version.version)
    with _global_store():
        created = client.create_model_version(
            NAME, address, run_id=source.run.info.run_id, model_id=source.model_id
        )
    _note_on_model(client, source.model_id, created.version)
    return str(created.version)


@contextmanager
def _global_store() -> Iterator[None]:
    """Tell MLflow the store's address: a SQLite store looks up `models:/` in the one of the environment."""
    before = os.environ.get("MLFLOW_TRACKING_URI")
    os.environ["MLFLOW_TRACKING_URI"] = store.uri()
    try:
        yield
    finally:
        if before is None:
            del os.environ["MLFLOW_TRACKING_URI"]
        else:
            os.environ["MLFLOW_TRACKING_URI"] = before


def _note_on_model(client: MlflowClient, model_id: str, number: Any) -> None:
    """Note the version on the logged model, as a tracking server does by itself."""
    noted = json.loads(client.get_logged_model(model_id).tags.get(VERSIONS, "[]"))
    version = {"name": NAME, "version": int(number)}  # as the server does; over HTTP it comes as text
    if version not in noted:
        noted.append(version)
        client.set_logged_model_tags(model_id, {VERSIONS: json.dumps(noted)})


def _copied(source: Source) -> dict[str, str]:
    tags = source.run.data.tags
    return {"run": source.name, **{key: tags[key] for key in COPIED if key in tags}}
