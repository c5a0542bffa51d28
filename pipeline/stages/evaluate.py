"""Stage evaluate: every model and baseline on the untouched test set, side by side."""

import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from pipeline import params
from pipeline.datasets import normalization, splits
from pipeline.figures import comparison
from pipeline.figures import evaluation as figures
from pipeline.figures.style import png
from pipeline.files import replacing, write_bytes, write_json, write_text
from pipeline.learning import evaluation, models, probabilities
from pipeline.learning.arrays import Array
from pipeline.params.evaluate import EvaluateParams
from pipeline.stages import records
from pipeline.stages.harness import run
from pipeline.tracking import run_directory
from pipeline.tracking.reporter import publish_evaluation
from pipeline.tracking.run_directory import RunDirectory

EVALUATION = Path("results/evaluation.json")
COMPARISON = Path("results/comparison.md")
DETAILS = Path("results/evaluation")
RUNS = (
    "softmax-manual",
    "softmax-autograd",
    "two_layer-manual",
    "two_layer-autograd",
    "linear_regression-closed_form",
    "linear_regression-manual",
    "baseline-ridge",
    "baseline-logistic_regression",
    "baseline-sgd_classifier",
    "baseline-mlp_classifier",
)
# Both gradients of a model, and each model with its counterpart in scikit-learn.
PAIRS = (
    ("softmax-manual", "softmax-autograd"),
    ("two_layer-manual", "two_layer-autograd"),
    ("linear_regression-closed_form", "linear_regression-manual"),
    ("softmax-manual", "baseline-logistic_regression"),
    ("softmax-manual", "baseline-sgd_classifier"),
    ("two_layer-manual", "baseline-mlp_classifier"),
    ("linear_regression-closed_form", "baseline-ridge"),
)
# Rows scored at a time: a forward pass over all of them at once would be the peak of memory.
BLOCK = 2000
SIDE = 28


@dataclass(frozen=True)
class Split:
    """Standardised images (N, D) and labels (N,)."""

    images: Array
    labels: Array


def main() -> None:
    """Score every run on test and validation, and leave metrics, comparison, tables and figures."""
    settings = params.load(EvaluateParams, "evaluate")
    validation, test = (Split(*splits.read(records.NORMALIZED / name)) for name in ("validation", "test"))
    runs = [run_directory.read(records.RUNS / name) for name in RUNS]
    on_test = {each.name: _probabilities(each, test) for each in runs}
    measured = {each.name: _measure(each, on_test[each.name], test, validation, settings) for each in runs}
    right = {name: predicted.argmax(axis=1) == test.labels for name, predicted in on_test.items()}
    pairs = [comparison.Pair(a, b, evaluation.mcnemar(right[a], right[b])) for a, b in PAIRS]
    with replacing(DETAILS) as directory:
        for each in runs:
            _detail(directory / each.name, each, on_test[each.name], test, settings)
        _overview(directory, measured, pairs)
    write_text(COMPARISON, comparison.markdown(measured, pairs, len(test.labels)))
    write_json(EVALUATION, measured)
    publish_evaluation(EVALUATION, DETAILS)


def _probabilities(each: RunDirectory, split: Split) -> Array:
    model, to_probabilities = (
        models.get(each.record["model"]),
        probabilities.get(each.record["probabilities"]),
    )
    weights = each.weights()
    blocks = range(0, len(split.labels), BLOCK)
    scores = [model.scores(weights, np.asarray(split.images[start : start + BLOCK])) for start in blocks]
    return to_probabilities(np.concatenate(scores))


def _measure(
    each: RunDirectory, on_test: Array, test: Split, validation: Split, settings: EvaluateParams
) -> dict[str, Any]:
    bins = settings.calibration_bins
    on_validation = evaluation.summarize(_probabilities(each, validation), validation.labels, bins)
    return {
        "fingerprint": run_directory.fingerprint(each.path),
        **{f"test/{name}": value for name, value in evaluation.summarize(on_test, test.labels, bins).items()},
        **{f"validation/{name}": on_validation[name] for name in ("accuracy", "log_loss")},
    }


def _detail(
    directory: Path, each: RunDirectory, on_test: Array, test: Split, settings: EvaluateParams
) -> None:
    """Write the figures and tables of one run."""
    predicted = on_test.argmax(axis=1)
    counts = evaluation.confusion(predicted, test.labels, records.CLASSES)
    bins = evaluation.reliability(on_test, test.labels, settings.calibration_bins)
    weights = each.weights()
    pictures = {
        "confusion": figures.confusion(each.name, counts),
        "reliability": figures.reliability(each.name, bins),
        "first_layer": figures.first_layer(each.name, weights["W1" if "W1" in weights else "W"], SIDE),
        "worst_mistakes": _worst_mistakes(each.name, on_test, test, settings.worst_mistakes),
    }
    if each.history and "validation/accuracy" in each.history[0]:
        pictures["learning_curves"] = figures.learning_curves(each.name, each.history)
    for name, picture in pictures.items():
        write_bytes(directory / f"{name}.png", png(picture))
    _write_csv(directory / "confusion.csv", ("actual", "predicted"), zip(test.labels, predicted, strict=True))
    filled = np.flatnonzero(bins.count)
    rows = zip(bins.confidence[filled], bins.accuracy[filled], bins.count[filled], strict=True)
    _write_csv(directory / "reliability.csv", ("confidence", "accuracy", "images"), rows)


def _worst_mistakes(name: str, on_test: Array, test: Split, most: int) -> Figure:
    """Draw the mistakes made with the highest probability of a wrong digit, as the images were."""
    predicted, confidence = on_test.argmax(axis=1), on_test.max(axis=1)
    wrong = np.flatnonzero(predicted != test.labels)
    worst = wrong[np.argsort(-confidence[wrong], kind="stable")[:most]]
    standardization = normalization.load(records.NORMALIZATION)
    images = test.images[worst] * standardization.std + standardization.mean
    return figures.worst_mistakes(
        name, images.reshape(-1, SIDE, SIDE), test.labels[worst], predicted[worst], confidence[worst]
    )


def _overview(directory: Path, measured: dict[str, dict[str, Any]], pairs: list[comparison.Pair]) -> None:
    """Write what compares the runs: a figure, and tables for `dvc plots`."""
    errors = {
        name: (metrics["test/error"], metrics["test/error_low"], metrics["test/error_high"])
        for name, metrics in measured.items()
    }
    write_bytes(directory / "comparison.png", png(figures.comparison(errors)))
    rows = ((name, *interval) for name, interval in errors.items())
    _write_csv(directory / "errors.csv", ("run", "error", "low", "high"), rows)
    write_json(directory / "pairs.json", [pair.described() for pair in pairs])


def _write_csv(path: Path, header: tuple[str, ...], rows: Iterable[Iterable[Any]]) -> None:
    lines = [",".join(str(value) for value in row) for row in (header, *rows)]
    write_text(path, "\n".join(lines) + "\n")


if __name__ == "__main__":
    run(main, sys.argv[1:])
