"""The comparison of all runs: which they are, what is held against what, and the Markdown for the README."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

Measured = Mapping[str, Mapping[str, Any]]
# Every run that is evaluated, and what it is.
RUNS = {
    "softmax-manual": "softmax regression, gradient derived by hand",
    "softmax-autograd": "softmax regression, gradient by autograd",
    "two_layer-manual": "two-layer ReLU network, gradient derived by hand",
    "two_layer-autograd": "two-layer ReLU network, gradient by autograd",
    "linear_regression-closed_form": "ridge regression on one-hot targets, in closed form",
    "linear_regression-manual": "ridge regression on one-hot targets, by gradient descent",
    "baseline-ridge": "scikit-learn's Ridge on one-hot targets",
    "baseline-logistic_regression": "scikit-learn's LogisticRegression",
    "baseline-sgd_classifier": "scikit-learn's SGDClassifier, one-vs-rest logistic loss",
    "baseline-mlp_classifier": "scikit-learn's MLPClassifier, constant learning rate, images as they are",
}
# The two gradients, or solutions, of a model; and each model with its counterparts in scikit-learn.
PAIRS = (
    ("softmax-manual", "softmax-autograd"),
    ("two_layer-manual", "two_layer-autograd"),
    ("linear_regression-closed_form", "linear_regression-manual"),
    ("softmax-manual", "baseline-logistic_regression"),
    ("softmax-manual", "baseline-sgd_classifier"),
    ("two_layer-manual", "baseline-mlp_classifier"),
    ("linear_regression-closed_form", "baseline-ridge"),
)
SIGNIFICANT = 0.05
# What is published (LeCun et al. 1998; Simard et al. 2003 for 800 units; scikit-learn's examples), and
# the run here that is most like it.
PUBLISHED = (
    ("linear least squares", "12.0%", "linear_regression-closed_form"),
    ("two layers, 300 hidden units, squared error", "4.7%", "two_layer-manual"),
    ("two layers, 800 hidden units, cross-entropy", "1.6%", "two_layer-manual"),
    ("the same, trained with affine distortions", "1.1%", "two_layer-manual"),
    ("scikit-learn's own MNIST example, 50 hidden units, 10 epochs", "3.0%", "baseline-mlp_classifier"),
)


class Counts(Protocol):
    """What McNemar's test counts and finds."""

    @property
    def only_a_right(self) -> int: ...  # noqa: D102
    @property
    def only_b_right(self) -> int: ...  # noqa: D102
    @property
    def p_value(self) -> float: ...  # noqa: D102


@dataclass(frozen=True)
class Pair:
    """Two runs, compared image by image."""

    a: str
    b: str
    test: Counts


def markdown(measured: Measured, pairs: Sequence[Pair], images: int) -> str:
    """Return the whole comparison: every run, the paired tests, the published error rates.

    `measured` is the content of results/evaluation.json, `images` the number of test images.
    """
    sections = (
        _runs(measured),
        f"Run against run on the same {images:,} test images (McNemar's exact test; the difference is A's "
        f"error minus B's, in percentage points; significant means p < {SIGNIFICANT}):",
        _table("A | B | difference | only A right | only B right | p | in words", _pairs(pairs, images)),
        "Published test error, beside the run here that is most like it:",
        _table("model | published | run here | its error", _published(measured)),
    )
    return "\n\n".join(sections) + "\n"


def findings(measured: Measured, pairs: Sequence[Pair], images: int) -> list[str]:
    """Return in words what the comparison shows: the best run, both gradients, scikit-learn."""
    best = best_by_validation(measured)
    metrics = measured[best]
    others = {
        name: each for name, each in measured.items() if name.partition("-")[0] != best.partition("-")[0]
    }
    runner_up = best_by_validation(others)
    return [
        f"The best by validation is `{best}` ({validation_error(metrics)} error there): on the test set "
        f"{error_with_interval(metrics)} of {images:,} images are wrong. The best of another kind, "
        f"`{runner_up}`, has {error_with_interval(measured[runner_up])}.",
        *(_in_words(pair, measured) for pair in pairs),
    ]


def best_by_validation(measured: Measured) -> str:
    """Return the run of the lowest validation error; of equals that of the lower loss."""
    return min(
        measured,
        key=lambda run: (measured[run]["validation/error"], measured[run]["validation/log_loss"], run),
    )


def as_columns(measured: Measured) -> dict[str, list[Any]]:
    """Return the runs as the columns of a table, the smallest test error first."""
    names = [f"{split}/{rate}" for split in ("test", "validation") for rate in ("error", "log_loss")]
    names += ["test/error_low", "test/error_high", "test/macro_f1", "test/calibration_error"]
    runs = ranked(measured)
    return {"run": [run for run, _ in runs], **{name: [each[name] for _, each in runs] for name in names}}


def pairs_as_columns(pairs: Sequence[Pair]) -> dict[str, list[Any]]:
    """Return the paired tests as the columns of a table."""
    return {
        "a": [pair.a for pair in pairs],
        "b": [pair.b for pair in pairs],
        "only_a_right": [pair.test.only_a_right for pair in pairs],
        "only_b_right": [pair.test.only_b_right for pair in pairs],
        "p_value": [pair.test.p_value for pair in pairs],
        "verdict": [verdict(pair.a, pair.b, pair.test).replace("`", "") for pair in pairs],
    }


def _in_words(pair: Pair, measured: Measured) -> str:
    a, b = (f"{measured[run]['test/error']:.2%}" for run in (pair.a, pair.b))
    found = verdict(pair.a, pair.b, pair.test)
    return f"`{pair.a}` ({a}) and `{pair.b}` ({b}): {found}, p = {pair.test.p_value:.2g}."


def outcome(test: Counts) -> Literal["same", "open", "a", "b"]:
    """Return how A stands to B: the same, no significant difference, or which one is better."""
    a, b = test.only_a_right, test.only_b_right
    if a == b == 0:
        return "same"
    if test.p_value >= SIGNIFICANT:
        return "open"
    return "a" if a > b else "b"


def verdict(a: str, b: str, test: Counts) -> str:
    """Return that in words."""
    better = {"a": a, "b": b}
    words = {"same": "right on the same images", "open": "no significant difference"}
    found = outcome(test)
    return words.get(found) or f"`{better[found]}` is better"


def ranked(measured: Measured) -> list[tuple[str, Mapping[str, Any]]]:
    """Return runs and metrics, the smallest test error first; of equals the first by name."""
    return sorted(measured.items(), key=lambda item: (item[1]["test/error"], item[0]))


def error_with_interval(metrics: Mapping[str, Any]) -> str:
    """Return the test error with its 95% interval, as people read it."""
    low, error, high = (metrics[f"test/{name}"] for name in ("error_low", "error", "error_high"))
    return f"{error:.2%} ({100 * low:.2f} – {100 * high:.2f})"


def validation_error(metrics: Mapping[str, Any]) -> str:
    """Return the validation error, as people read it."""
    return f"{metrics['validation/error']:.2%}"


def _runs(measured: Measured) -> str:
    header = (
        "run | what it is | test error (95% interval) | validation error | log loss (nats) | "
        "calibration error | macro-F1"
    )
    rows = (
        (
            f"`{run}`",
            RUNS[run],
            error_with_interval(metrics),
            validation_error(metrics),
            f"{metrics['test/log_loss']:.4f}",
            f"{metrics['test/calibration_error']:.2%}",
            f"{metrics['test/macro_f1']:.4f}",
        )
        for run, metrics in ranked(measured)
    )
    return _table(header, rows)


def _pairs(pairs: Sequence[Pair], images: int) -> list[tuple[str, ...]]:
    return [
        (
            f"`{pair.a}`",
            f"`{pair.b}`",
            f"{100 * (pair.test.only_b_right - pair.test.only_a_right) / images:+.2f}",
            str(pair.test.only_a_right),
            str(pair.test.only_b_right),
            f"{pair.test.p_value:.3g}",
            verdict(pair.a, pair.b, pair.test),
        )
        for pair in pairs
    ]


def _published(measured: Measured) -> list[tuple[str, ...]]:
    return [
        (model, error, f"`{run}`", f"{measured[run]['test/error']:.2%}") for model, error, run in PUBLISHED
    ]


def _table(header: str, rows: Iterable[Sequence[str]]) -> str:
    columns = header.count("|") + 1
    lines = [header, " | ".join(["---"] * columns), *(" | ".join(row) for row in rows)]
    return "\n".join(f"| {line} |" for line in lines)
