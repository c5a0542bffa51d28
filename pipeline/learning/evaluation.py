"""What a classifier's probabilities are worth: rates, intervals, calibration, paired comparison."""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn import metrics

from pipeline.learning.arrays import Array

CONFIDENCE = 0.95


@dataclass(frozen=True)
class McNemar:
    """The images that only one of two gets right, and how likely so uneven a share is by chance."""

    only_a_right: int
    only_b_right: int
    p_value: float


@dataclass(frozen=True)
class Reliability:
    """Per bin of confidence (bins,): samples, mean confidence and accuracy; NaN in an empty bin."""

    count: Array
    confidence: Array
    accuracy: Array

    @property
    def calibration_error(self) -> float:
        """The expected calibration error (Guo et al. 2017): mean |accuracy - confidence| over the samples."""
        gaps = np.nan_to_num(np.abs(self.accuracy - self.confidence))
        return float(gaps @ self.count / self.count.sum())


def summarize(probabilities: Array, labels: Array, bins: int) -> dict[str, float]:
    """Return every rate of probabilities (N, C) against labels (N,), by metric name.

    error_low and error_high are the 95% interval of Wilson (1927); macro_f1 the plain mean over the
    classes; precision/<c> and recall/<c> those of class c; log_loss is in nats.
    """
    classes = np.arange(probabilities.shape[1])
    predicted = probabilities.argmax(axis=1)
    wrong = int((predicted != labels).sum())
    interval = stats.binomtest(wrong, len(labels)).proportion_ci(CONFIDENCE, method="wilson")
    precision, recall, f1, _ = metrics.precision_recall_fscore_support(
        labels, predicted, labels=classes, zero_division=0.0
    )
    return {
        "accuracy": 1 - wrong / len(labels),
        "error": wrong / len(labels),
        "error_low": float(interval.low),
        "error_high": float(interval.high),
        "log_loss": float(-np.log(_of_labels(probabilities, labels)).mean()),
        "macro_f1": float(f1.mean()),
        "calibration_error": reliability(probabilities, labels, bins).calibration_error,
        **{f"precision/{c}": float(value) for c, value in enumerate(precision)},
        **{f"recall/{c}": float(value) for c, value in enumerate(recall)},
    }


def _of_labels(probabilities: Array, labels: Array) -> Array:
    """Return each label's probability (N,), at least the smallest of its type: log stays finite."""
    smallest = np.finfo(probabilities.dtype).tiny
    return np.maximum(probabilities[np.arange(len(labels)), labels], smallest).astype(np.float64)


def reliability(probabilities: Array, labels: Array, bins: int) -> Reliability:
    """Return accuracy against confidence, the probability of the class chosen, in bins of equal width."""
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    count = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):
        return Reliability(
            count,
            np.bincount(index, weights=confidence, minlength=bins) / count,
            np.bincount(index, weights=right, minlength=bins) / count,
        )


def confusion(predicted: Array, labels: Array, classes: int) -> Array:
    """Return how often each class (row) was taken for each (column): (C, C)."""
    return metrics.confusion_matrix(labels, predicted, labels=np.arange(classes))


def mcnemar(right_a: Array, right_b: Array) -> McNemar:
    """Compare two classifiers on the same images, from which of them each gets right (N,).

    The exact test of McNemar (1947): of the images that only one gets right, each is as likely to be
    the one's as the other's.
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    if only_a + only_b == 0:
        return McNemar(0, 0, 1.0)
    return McNemar(only_a, only_b, float(stats.binomtest(only_a, only_a + only_b).pvalue))
