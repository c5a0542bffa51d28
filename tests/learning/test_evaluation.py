import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from pipeline.learning import evaluation


def scored(seed: int, samples: int = 200, classes: int = 10) -> tuple[np.ndarray, np.ndarray]:
    """Random probabilities (N, C), float64, and random labels (N,)."""
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(classes, 0.3), samples), rng.integers(classes, size=samples)


def of_top(confidence: list[float]) -> np.ndarray:
    """Probabilities (N, 2) that all choose class 0, with these confidences."""
    top = np.array(confidence)
    return np.stack([top, 1 - top], axis=1)


# Newcombe (1998), Two-sided confidence intervals for the single proportion, table I, method 3.
@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_is_the_published_one(successes, trials, low, high):
    assert evaluation.wilson(successes, trials) == pytest.approx((low, high), abs=5e-5)


def test_error_of_a_summary_stands_in_its_wilson_interval_of_the_error_not_the_accuracy():
    probabilities, labels = of_top([0.9] * 263), np.array([1] * 81 + [0] * 182)
    summary = evaluation.summarize(probabilities, labels, 15)
    assert summary["error"] == 81 / 263
    assert (summary["error_low"], summary["error_high"]) == pytest.approx((0.2553, 0.3662), abs=5e-5)


# Two-sided binomial: 2·(C(10, 0) + C(10, 1)) / 2¹⁰ of 1 and 9; 2·1/2⁵ of 0 and 5; 1 where they are even.
@pytest.mark.parametrize(("a", "b", "p"), [(1, 9, 22 / 1024), (0, 5, 2 / 32), (4, 4, 1.0), (0, 0, 1.0)])
def test_mcnemar_is_the_exact_binomial_test_of_what_only_one_gets_right(a, b, p):
    right_a = np.array([True] * a + [False] * b + [True] * 50 + [False] * 7)
    right_b = np.array([False] * a + [True] * b + [True] * 50 + [False] * 7)
    found = evaluation.compare(right_a, right_b)
    assert (found.only_a_right, found.only_b_right) == (a, b)
    assert found.p_value == pytest.approx(p, rel=1e-12)


@given(st.integers(0, 2**32 - 1), st.integers(0, 40))
def test_mcnemar_turns_round_with_its_arguments_and_ignores_what_both_get(seed, both):
    right_a, right_b = np.random.default_rng(seed).random((2, 60)) < 0.8
    found, turned = evaluation.compare(right_a, right_b), evaluation.compare(right_b, right_a)
    assert (found.only_a_right, found.p_value) == (turned.only_b_right, pytest.approx(turned.p_value))
    more = np.ones(both, dtype=bool)
    assert evaluation.compare(np.append(right_a, more), np.append(right_b, more)) == found


def test_calibration_error_of_a_case_by_hand():
    # Bins of 0.2. At 0.9 two of three are right: a gap of 0.9 - 2/3; at 0.6 the one is: a gap of 0.4.
    probabilities, labels = of_top([0.9, 0.9, 0.9, 0.6]), np.array([0, 0, 1, 0])
    bins = evaluation.reliability(probabilities, labels, 5)
    assert bins.samples.tolist() == [0, 0, 0, 1, 3]
    assert bins.calibration_error == pytest.approx((3 * (0.9 - 2 / 3) + 0.4) / 4)
    assert bins.mean_confidence == pytest.approx((3 * 0.9 + 0.6) / 4)


def test_full_confidence_counts_in_the_last_bin_and_a_bound_in_the_bin_above():
    bins = evaluation.reliability(of_top([1.0, 0.5]), np.array([0, 0]), 4)
    assert bins.samples.tolist() == [0, 0, 1, 1]


@given(st.integers(0, 2**32 - 1), st.integers(2, 100))
def test_calibration_error_is_at_least_what_one_bin_shows(seed, bins):
    probabilities, labels = scored(seed)
    summary = evaluation.summarize(probabilities, labels, bins)
    gap = abs(probabilities.max(axis=1).mean() - summary["accuracy"])
    assert gap - 1e-12 <= summary["calibration_error"] <= 1


def test_rates_of_a_class_of_a_case_by_hand():
    labels, predicted = np.array([0, 0, 1, 1, 2]), np.array([0, 1, 1, 1, 0])
    summary = evaluation.summarize(np.eye(3)[predicted], labels, 15)
    assert [summary[f"precision/{c}"] for c in range(3)] == pytest.approx([1 / 2, 2 / 3, 0])
    assert [summary[f"recall/{c}"] for c in range(3)] == pytest.approx([1 / 2, 1, 0])
    assert summary["macro_f1"] == pytest.approx((1 / 2 + 4 / 5 + 0) / 3)
    assert evaluation.per_class(predicted, labels, 3).samples.tolist() == [2, 2, 1]


def test_confusion_has_the_true_class_by_row_and_classes_that_never_occur():
    assert evaluation.confusion(np.array([2, 2]), np.array([0, 2]), 4).tolist() == [
        [0, 0, 1, 0],
        [0, 0, 0, 0],
        [0, 0, 1, 0],
        [0, 0, 0, 0],
    ]


@given(st.integers(0, 2**32 - 1))
def test_log_loss_agrees_with_scikit_learn_in_float64(seed):
    probabilities, labels = scored(seed)
    probabilities = (probabilities + 1e-3) / 1.01  # scikit-learn's own clipping aside
    theirs = metrics.log_loss(labels, probabilities, labels=np.arange(10))
    assert evaluation.log_loss(probabilities, labels) == pytest.approx(theirs, rel=1e-12)


def test_log_loss_of_knowing_nothing_is_the_logarithm_of_the_classes():
    loss = evaluation.log_loss(np.full((6, 10), 0.1, np.float32), np.arange(6))
    assert loss == pytest.approx(math.log(10), rel=1e-7)


def test_log_loss_flatters_no_sure_mistake_in_float32():
    sure = np.array([[1e-20, 1.0]], np.float32)
    assert evaluation.log_loss(sure, np.array([0])) == pytest.approx(20 * math.log(10), rel=1e-6)


def test_log_loss_of_an_impossible_label_is_finite():
    loss = evaluation.log_loss(np.array([[0, 1]], np.float32), np.array([0]))
    assert loss == pytest.approx(126 * math.log(2))  # float32's smallest normal number is 2⁻¹²⁶


def test_a_perfect_classifier_has_perfect_rates():
    labels = np.arange(50) % 10
    summary = evaluation.summarize(np.eye(10, dtype=np.float32)[labels], labels.astype(np.uint8), 15)
    zero = {"error", "error_low", "log_loss", "calibration_error"}
    for name, value in summary.items():
        if name != "error_high":
            assert value == pytest.approx(0 if name in zero else 1, abs=1e-12), name


@given(st.integers(0, 2**32 - 1))
def test_a_summary_depends_on_no_order_of_the_samples(seed):
    probabilities, labels = scored(seed)
    order = np.random.default_rng(seed).permutation(len(labels))
    shuffled = evaluation.summarize(probabilities[order], labels[order], 15)
    assert shuffled == pytest.approx(evaluation.summarize(probabilities, labels, 15))
    assert shuffled["error_low"] <= shuffled["error"] <= shuffled["error_high"]
    assert shuffled["accuracy"] == (probabilities.argmax(1) == labels).mean()  # to the bit, as elsewhere
