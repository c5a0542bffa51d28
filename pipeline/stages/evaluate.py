"""Stage evaluate: every model and baseline on the untouched test set, side by side."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline import params
from pipeline.datasets import normalization, splits
from pipeline.errors import UserError, one_line
from pipeline.figures import comparison, images
from pipeline.figures import evaluation as figures
from pipeline.figures.comparison import PAIRS, RUNS
from pipeline.files import csv_text, replacing, write_bytes, write_json, write_text
from pipeline.learning import evaluation, models, probabilities
from pipeline.learning.arrays import Array
from pipeline.learning.evaluation import Reliability
from pipeline.params.evaluate import EvaluateParams
from pipeline.stages import records
from pipeline.tracking import run_directory
from pipeline.tracking.reporter import reporting
from pipeline.tracking.run_directory import RunDirectory

Metrics = dict[str, Any]

EVALUATION = Path("results/evaluation.json")
COMPARISON = Path("results/comparison.md")
DETAILS = Path("results/evaluation")
# Rows scored at a time: a forward pass over all of them at once would be the peak of memory.
BLOCK = 2000
SIDE = 28
RUN = "comparison"
# What the run of the comparison says of the best.
BEST = ("test/error", "test/error_low", "test/error_high", "validation/error")
# The folder of pictures of the first layer at several epochs: MLflow shows them with a slider.
FIRST_LAYER = "first_layer"


@dataclass(frozen=True)
class Split:
    """Standardised images (N, D) and labels (N,)."""

    images: Array
    labels: Array


@dataclass(frozen=True)
class Scored:
    """A run, and the probabilities (N, C) that it gives the test images."""

    name: str
    directory: RunDirectory
    probabilities: Array

    @property
    def predicted(self) -> Array:
        """The most probable digit of each image, (N,)."""
        return self.probabilities.argmax(axis=1)


def main() -> None:
    """Score every run on test and validation; leave metrics, comparison, tables and figures."""
    settings = params.load(EvaluateParams, "evaluate")
    with reporting(RUN, experiment="mnist") as report:
        validation, test = (Split(*splits.read(records.NORMALIZED / name)) for name in ("validation", "test"))
        directories = {name: run_directory.read(records.RUNS / name) for name in RUNS}
        scored = [Scored(name, each, _probabilities(each, test)) for name, each in directories.items()]
        data = records.dataset("validation", "test")
        measured = {
            each.name: {**_measure(each, test, validation, settings.calibration_bins), "dataset": data}
            for each in scored
        }
        right = {each.name: each.predicted == test.labels for each in scored}
        pairs = [comparison.Pair(a, b, evaluation.compare(right[a], right[b])) for a, b in PAIRS]
        with replacing(DETAILS) as details:
            for each in scored:
                with _whole(each.directory):
                    _detail(details / each.name, each, test, settings)
            _overview(details, measured, pairs)
        write_text(COMPARISON, comparison.markdown(measured, pairs, len(test.labels)))
        write_json(EVALUATION, measured)
        print(_summary(measured))
        report.evaluated(EVALUATION, DETAILS)
        report.finished(_write_run(measured, pairs, settings))


def _write_run(measured: dict[str, Metrics], pairs: list[comparison.Pair], settings: EvaluateParams) -> Path:
    """Leave a run that holds all others side by side."""
    best = comparison.best_by_validation(measured)
    directory = records.RUNS / RUN
    findings = comparison.findings(measured, pairs, measured[best]["dataset"]["test"]["samples"])
    run_directory.write(
        directory,
        record={
            "run": RUN,
            "experiment": "mnist",
            "parameters": records.parameters(evaluate=settings.model_dump()),
            "dataset": measured[best]["dataset"],
            "best_by_validation": best,
            "description": "**All models on the same images.**\n\n"
            + "\n".join(f"- {finding}" for finding in findings),
            "look_at": "the picture `run/figures/comparison.png` and the tables `tables/runs.json`, "
            "`tables/pairs.json`; then at the run of the model that you ask about",
        },
        weights={},
        metrics={f"best/{name}": measured[best][name] for name in BEST},
        figures={"comparison.png": figures.comparison(_errors(measured))},
        tables={
            "runs.csv": csv_text(comparison.as_columns(measured)),
            "pairs.csv": csv_text(comparison.pairs_as_columns(pairs)),
        },
    )
    return directory


def _probabilities(each: RunDirectory, split: Split) -> Array:
    """Return the probabilities (N, C) of a run; UserError where its record or weights make no sense."""
    try:
        model = models.get(each.record["model"])
        to_probabilities = probabilities.get(each.record["probabilities"])
    except (KeyError, ValueError) as error:
        raise UserError(f"{each.path / run_directory.RECORD}: {error}; {run_directory.REMEDY}") from error
    weights = each.weights()
    blocks = range(0, len(split.labels), BLOCK)
    with _whole(each), np.errstate(all="ignore"):  # what overflows is refused below
        scores = [model.scores(weights, np.asarray(split.images[start : start + BLOCK])) for start in blocks]
        found = to_probabilities(np.concatenate(scores))
    if not np.isfinite(found).all():
        raise UserError(f"{each.path / run_directory.WEIGHTS}: not all finite; {run_directory.REMEDY}")
    return found


@contextmanager
def _whole(run: RunDirectory) -> Iterator[None]:
    """Raise UserError where files of a run that can each be read don't go together."""
    try:
        yield
    except (StopIteration, *run_directory.DAMAGES) as error:
        raise UserError(
            f"{run.path}: its files don't go together ({one_line(error)}); {run_directory.REMEDY}"
        ) from error


def _measure(each: Scored, test: Split, validation: Split, bins: int) -> Metrics:
    """Return the fingerprint and the metrics of a run; on validation only those of all digits together."""
    on_test = evaluation.summarize(each.probabilities, test.labels, bins)
    on_validation = evaluation.summarize(_probabilities(each.directory, validation), validation.labels, bins)
    return {
        "fingerprint": run_directory.fingerprint(each.directory.path),
        **{f"test/{name}": value for name, value in on_test.items()},
        **{f"validation/{name}": value for name, value in on_validation.items() if "/" not in name},
    }


def _summary(measured: dict[str, Metrics]) -> str:
    best = comparison.best_by_validation(measured)
    metrics = measured[best]
    errors = f"{metrics['validation/error']:.2%} error, {metrics['test/error']:.2%} on test"
    return f"evaluate: {len(measured)} runs, best by validation: {best} ({errors})"


def _detail(directory: Path, each: Scored, test: Split, settings: EvaluateParams) -> None:
    """Write the figures and tables of one run."""
    bins = evaluation.reliability(each.probabilities, test.labels, settings.calibration_bins)
    first_layer, at_epochs = _first_layer(each)
    pictures = {
        "confusion": images.confusion(
            each.name, evaluation.confusion(each.predicted, test.labels, records.CLASSES)
        ),
        "reliability": figures.reliability(each.name, bins),
        "first_layer": first_layer,
        **{f"{FIRST_LAYER}/epoch-{epoch:05d}": picture for epoch, picture in at_epochs.items()},
        "worst_mistakes": _worst_mistakes(each, test, settings.worst_mistakes),
    }
    metrics = each.directory.metrics
    if "best_epoch" in metrics:  # what was trained epoch by epoch, with validation
        pictures["learning_curves"] = figures.learning_curves(
            each.name, each.directory.history, int(metrics["best_epoch"])
        )
    for name, picture in pictures.items():
        write_bytes(directory / f"{name}.png", picture)
    _tables(directory, each.predicted, test.labels, bins)


def _first_layer(each: Scored) -> tuple[bytes, dict[int, bytes]]:
    """Draw the first layer's weights as they were kept, and as they were at some epochs of training."""
    weights = each.directory.weights()
    draw, kept = (
        (images.hidden_units, weights["W1"]) if "W1" in weights else (images.class_weights, weights["W"])
    )
    at_epochs = {
        epoch: draw(f"{each.name}, epoch {epoch}", W.astype(np.float32), SIDE, kept)
        for epoch, W in each.directory.snapshots().items()
    }
    return draw(each.name, kept, SIDE), at_epochs


def _worst_mistakes(each: Scored, test: Split, most: int) -> bytes:
    """Draw the mistakes made with the highest probability of a wrong digit, as the images were."""
    predicted, probability = each.predicted, each.probabilities.max(axis=1)
    wrong = np.flatnonzero(predicted != test.labels)
    worst = wrong[np.argsort(-probability[wrong], kind="stable")[:most]]
    inputs = normalization.load(records.NORMALIZATION)
    pixels = (test.images[worst] * inputs.std + inputs.mean).reshape(-1, SIDE, SIDE)
    return images.worst_mistakes(each.name, pixels, test.labels[worst], predicted[worst], probability[worst])


def _tables(directory: Path, predicted: Array, labels: Array, bins: Reliability) -> None:
    """Write the tables of one run, for `dvc plots` and for other programs."""
    _write_csv(directory / "confusion.csv", actual=labels, predicted=predicted)
    rates = evaluation.per_class(predicted, labels, records.CLASSES)
    _write_csv(
        directory / "per_class.csv",
        digit=range(records.CLASSES),
        images=rates.samples,
        precision=rates.precision,
        recall=rates.recall,
        f1=rates.f1,
    )
    filled = bins.samples > 0
    _write_csv(
        directory / "reliability.csv",
        confidence=bins.confidence[filled],
        accuracy=bins.accuracy[filled],
        images=bins.samples[filled],
    )


def _overview(directory: Path, measured: dict[str, Metrics], pairs: list[comparison.Pair]) -> None:
    """Write what compares the runs: a figure, and tables for `dvc plots` and for other programs."""
    errors = _errors(measured)
    write_bytes(directory / "comparison.png", figures.comparison(errors))
    error, low, high = zip(*errors.values(), strict=True)
    _write_csv(directory / "errors.csv", run=list(errors), error=error, low=low, high=high)
    columns = comparison.pairs_as_columns(pairs)
    del columns["verdict"]
    tests = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    write_json(directory / "mcnemar.json", tests)


def _errors(measured: dict[str, Metrics]) -> dict[str, tuple[float, float, float]]:
    """Return every run's test error and its interval."""
    return {
        name: (metrics["test/error"], metrics["test/error_low"], metrics["test/error_high"])
        for name, metrics in measured.items()
    }


def _write_csv(path: Path, **columns: Sequence[Any]) -> None:
    write_text(path, csv_text({name: np.asarray(column).tolist() for name, column in columns.items()}))
