"""What a classifier's probabilities are worth: rates, intervals, calibration, paired comparison.

The class predicted is always the most probable one, of equals the first, as in the logged model.
"""

from dataclasses import dataclass

import numpy as np
from scipy import stats
from sklearn import metrics

from pipeline.learning.arrays import Array

CONFIDENCE = 0.95


@dataclass(frozen=True)
class PerClass:
    """Each class's rates, (C,) each; 0 where nothing was of the class or nothing was taken for it."""

    precision: Array
    recall: Array
    f1: Array
    samples: Array


@dataclass(frozen=True)
class Reliability:
    """Per bin of confidence, (bins,) each: samples, mean confidence and accuracy; NaN in an empty bin."""

    samples: Array
    confidence: Array
    accuracy: Array

    @property
    def calibration_error(self) -> float:
        """The expected calibration error (Guo et al. 2017): mean |accuracy - confidence| over the samples."""
        filled = self.samples > 0
        gaps = np.abs(self.accuracy[filled] - self.confidence[filled])
        return float(np.average(gaps, weights=self.samples[filled]))

    @property
    def mean_confidence(self) -> float:
        """The mean confidence over all samples."""
        filled = self.samples > 0
        return float(np.average(self.confidence[filled], weights=self.samples[filled]))


@dataclass(frozen=True)
class McNemar:
    """How many samples only one of two gets right, and how likely so uneven a share is by chance."""

    only_a_right: int
    only_b_right: int
    p_value: float


def summarize(probabilities: Array, labels: Array, bins: int) -> dict[str, float]:
    """Return every rate of probabilities (N, C) against labels (N,), by the metric's name.

    error_low and error_high bound the error by Wilson's 95% interval; log_loss is in nats; macro_f1 is
    the plain mean over the classes; calibration_error takes `bins` bins; precision/<c> and recall/<c>
    are those of class c.
    """
    predicted = probabilities.argmax(axis=1)
    right = int((predicted == labels).sum())
    wrong = len(labels) - right
    low, high = wilson(wrong, len(labels))
    rates = per_class(predicted, labels, probabilities.shape[1])
    return {
        "accuracy": right / len(labels),
        "error": wrong / len(labels),
        "error_low": low,
        "error_high": high,
        "log_loss": log_loss(probabilities, labels),
        "macro_f1": float(rates.f1.mean()),
        "calibration_error": reliability(probabilities, labels, bins).calibration_error,
        **{f"precision/{c}": float(value) for c, value in enumerate(rates.precision)},
        **{f"recall/{c}": float(value) for c, value in enumerate(rates.recall)},
    }


def wilson(successes: int, trials: int) -> tuple[float, float]:
    """Return the 95% interval of a share, successes / trials (Wilson 1927)."""
    interval = stats.binomtest(successes, trials).proportion_ci(CONFIDENCE, method="wilson")
    return float(interval.low), float(interval.high)


def log_loss(probabilities: Array, labels: Array) -> float:
    """Return the mean of -log p of the label, in nats, over probabilities (N, C) and labels (N,).

    Only a probability below the smallest normal number of its type is raised to that; scikit-learn's would
    raise every one below the type's epsilon, in float32 1e-7, and so flatter the sure mistakes.
    """
    of_label = probabilities[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(of_label, np.finfo(of_label.dtype).tiny, dtype=np.float64)).mean())


def per_class(predicted: Array, labels: Array, classes: int) -> PerClass:
    """Return precision, recall, F1 and number of samples of each class, from predicted and labels (N,)."""
    return PerClass(
        *metrics.precision_recall_fscore_support(
            labels, predicted, labels=np.arange(classes), zero_division=0.0
        )
    )


def reliability(probabilities: Array, labels: Array, bins: int) -> Reliability:
    """Return accuracy against confidence, the probability of the class predicted, in bins of equal width.

    Probabilities (N, C), labels (N,). A bin holds its lower bound and not its upper, but the last both.
    """
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    index = np.minimum((confidence * bins).astype(np.int64), bins - 1)
    samples = np.bincount(index, minlength=bins)
    with np.errstate(invalid="ignore"):  # 0/0 is what an empty bin's mean is: NaN
        return Reliability(
            samples,
            np.bincount(index, weights=confidence, minlength=bins) / samples,
            np.bincount(index, weights=right, minlength=bins) / samples,
        )


def confusion(predicted: Array, labels: Array, classes: int) -> Array:
    """Return how often each class (row) was taken for each (column), (C, C); predicted and labels (N,)."""
    return metrics.confusion_matrix(labels, predicted, labels=np.arange(classes))


def compare(right_a: Array, right_b: Array) -> McNemar:
    """Compare two classifiers by which of the same samples each gets right, bool (N,).

    McNemar's test (1947) in its exact form: under the hypothesis that they err equally often, each
    sample that only one of them gets right is as likely to be the one's as the other's.
    """
    only_a, only_b = int((right_a & ~right_b).sum()), int((right_b & ~right_a).sum())
    if only_a + only_b == 0:
        return McNemar(0, 0, 1.0)
    return McNemar(only_a, only_b, float(stats.binomtest(only_a, only_a + only_b).pvalue))
