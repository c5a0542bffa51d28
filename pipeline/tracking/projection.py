"""A run directory as the contents of an MLflow run: parameters, points, datasets, description."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from pipeline.tracking import run_directory
from pipeline.tracking.run_directory import Row, RunDirectory

# MLflow's limits, in characters.
LONGEST_PARAMETER = 6000
LONGEST_DATASET_DIGEST = 36

# What a record says that has a place of its own in MLflow.
NOT_PARAMETERS = ("run", "experiment", "parameters", "description", "look_at")
# Where the derivation of a model's gradient stands.
DERIVATIONS = {
    "linear_regression": "docs/exercises/quadratic.md",
    "softmax": "docs/exercises/softmax_loops.md",
    "two_layer": "docs/exercises/two_layer.md",
    "two_layer_regression": "docs/exercises/relu_regression.md",
    "sigmoid_network": "docs/exercises/digits_cg.md",
}
CONTEXTS = {"train": "training", "test": "testing"}


class Point(NamedTuple):
    """One value of a metric. MLflow tells points apart by these and the time, and time follows the step."""

    name: str
    value: float
    step: int


class DatasetPart(NamedTuple):
    """A split that the run has read."""

    name: str
    context: str
    digest: str
    samples: int | None

    @property
    def short_digest(self) -> str:
        """As many digits of the digest as MLflow takes."""
        return self.digest[:LONGEST_DATASET_DIGEST]


def parameters(record: Mapping[str, Any]) -> dict[str, str]:
    """Return every parameter under its dotted name: those of params.yaml, and what the run says of itself.

    A value too long for MLflow is replaced by its digest, which says where it stands in full.
    """
    own = {key: record[key] for key in record if key not in NOT_PARAMETERS}
    flat = {**dict(flatten(own)), **dict(flatten(record.get("parameters", {})))}
    return {name: _short(value) for name, value in flat.items()}


def flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each leaf as text, under its dotted name: true, null and lists as in params.yaml."""
    if isinstance(value, Mapping) and value:
        for key, inner in value.items():
            yield from flatten(inner, f"{prefix}.{key}" if prefix else str(key))
    elif prefix:
        yield prefix, value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def parameters_digest(record: Mapping[str, Any]) -> str:
    """Return the SHA-256 of the parameters of params.yaml, written in one way only."""
    canonical = json.dumps(record.get("parameters", {}), sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def points(row: Row) -> Iterator[Point]:
    """Yield the points of a row of the history; infinity isn't one, since MLflow would make it 1.8e308."""
    step = run_directory.step_of(row)
    for name, value in row.items():
        if name not in run_directory.STEPS and not math.isinf(value):
            yield Point(name, value, step)


def infinite(history: tuple[Row, ...]) -> str:
    """Return which values of the history MLflow can't hold; nothing where it holds them all."""
    first: dict[str, int] = {}
    for row in history:
        for name in (name for name, value in row.items() if math.isinf(value)):
            first.setdefault(name, run_directory.step_of(row))
    return ", ".join(f"{name} from step {step}" for name, step in first.items())


def final_metrics(directory: RunDirectory) -> list[tuple[Point, int]]:
    """Return the run's final metrics as points, each with the milliseconds of its time after the start.

    One that has a curve of the same name follows the curve's last point by a millisecond, at the same step:
    run lists and filters show the latest point, and must show the value of the weights that were kept.
    """
    last = {point.name: point for point in chain.from_iterable(map(points, directory.history))}
    finals = []
    for name, value in directory.metrics.items():
        if name not in last:
            finals.append((Point(name, value, 0), 0))
        elif last[name].value != value:
            finals.append((Point(name, value, last[name].step), last[name].step + 1))
    return finals


def datasets(record: Mapping[str, Any]) -> list[DatasetPart]:
    """Return the splits that the record names, each with its digest."""
    dataset = record.get("dataset", {})
    return [
        DatasetPart(
            dataset.get("name", "dataset"), CONTEXTS.get(split, split), part["digest"], part.get("samples")
        )
        for split, part in dataset.items()
        if isinstance(part, Mapping) and "digest" in part
    ]


def description(directory: RunDirectory, tags: Mapping[str, str]) -> str:
    """Return in Markdown what the run is, what to look at, and how it was made."""
    record = directory.record
    commit = tags.get("git.commit")
    made = {
        "Command": f"`dvc repro {tags['dvc.stage']}`" if "dvc.stage" in tags else "`dvc repro`",
        "Commit": f"`{commit}`{_changes(tags)}" if commit else "unknown",
        "Derivation": _derivation(record),
        "Experiment": f"`{tags['dvc.exp.name']}`" if "dvc.exp.name" in tags else "",
        **{
            f"Data, {part.context}": f"`{part.digest[:12]}`, {part.samples} samples of {part.name}"
            for part in datasets(record)
        },
    }
    return "\n".join(
        [
            record.get("description") or f"**{record.get('model', directory.name)}**, {_made_by(record)}.",
            "",
            f"**Look at** {record.get('look_at') or _look_at(directory)}.",
            "",
            "**How it was made**",
            "",
            *(f"- {name}: {value}" for name, value in made.items() if value),
        ]
    )


def _changes(tags: Mapping[str, str]) -> str:
    if tags.get("git.dirty") != "true":
        return ""
    return f", with changes that are not committed: {tags.get('git.patch', '`patch.diff`')}"


def _derivation(record: Mapping[str, Any]) -> str:
    """Return the page that derives the gradient; an exercise's own description names its page."""
    page = "" if "exercise" in record else DERIVATIONS.get(record.get("model", ""), "")
    return f"`{page}`" if page else ""


def _made_by(record: Mapping[str, Any]) -> str:
    gradient = record.get("gradient")
    return (
        f"trained by the `{gradient}` gradient"
        if gradient in ("manual", "autograd")
        else f"fitted: {gradient}"
    )


def _look_at(directory: RunDirectory) -> str:
    curves = list(dict.fromkeys(name for row in directory.history for name in row))
    shown = [name for name in curves if name in ("train/loss", "validation/accuracy")] or curves[1:3]
    parts = [f"the curves of {' and '.join(f'`{name}`' for name in shown)}"] if shown else []
    parts += ["`test/error` with its 95% interval and the artifacts in `evaluation/`, once it is evaluated"]
    return "; ".join(parts)


def _short(value: str) -> str:
    if len(value) <= LONGEST_PARAMETER:
        return value
    digest = hashlib.sha256(value.encode()).hexdigest()
    return f"{len(value)} characters, SHA-256 {digest}; in full in run/{run_directory.RECORD}"
