import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special
from sklearn import metrics

from pipeline.learning import losses
from pipeline.learning.losses import BINARY_CROSS_ENTROPY, CROSS_ENTROPY, SQUARED_ERROR, Loss

ALL = pytest.mark.parametrize(
    "loss",
    [
        pytest.param(CROSS_ENTROPY, id="cross_entropy"),
        pytest.param(SQUARED_ERROR, id="squared_error"),
        pytest.param(BINARY_CROSS_ENTROPY, id="binary_cross_entropy"),
    ],
)
relaxed = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 2**32 - 1)


def drawn(loss: Loss, seed: int = 0, N: int = 6, C: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Random scores (N, C), and labels (N,) or targets (N, C)."""
    rng = np.random.default_rng(seed)
    scores = 3 * rng.standard_normal((N, C))
    return scores, rng.integers(C, size=N) if loss.takes_labels else rng.standard_normal((N, C))


def theirs(loss: Loss, scores: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
    """The same loss by torch's own function, summed."""
    functional = torch.nn.functional
    if loss is CROSS_ENTROPY:
        return functional.cross_entropy(scores, y, reduction="sum")
    if loss is SQUARED_ERROR:
        return functional.mse_loss(scores, y, reduction="sum")
    one_hot = functional.one_hot(y, scores.shape[1]).to(scores.dtype)
    return functional.binary_cross_entropy_with_logits(scores, one_hot, reduction="sum")


@ALL
@relaxed
@given(seed=seeds)
def test_value_and_gradient_are_those_of_torchs_own_loss(loss: Loss, seed: int) -> None:
    scores, y = drawn(loss, seed)
    leaf = torch.from_numpy(scores).requires_grad_()
    expected = theirs(loss, leaf, torch.from_numpy(y))
    (gradient,) = torch.autograd.grad(expected, leaf)
    value, dscores = loss.value_and_gradient(scores, y)
    assert value == pytest.approx(expected.item(), rel=1e-12)
    np.testing.assert_allclose(dscores, gradient.numpy(), rtol=1e-10, atol=1e-14)


@ALL
def test_the_value_is_the_same_with_and_without_its_gradient_and_by_torch(loss: Loss) -> None:
    scores, y = drawn(loss)
    value, _ = loss.value_and_gradient(scores, y)
    assert loss.value(scores, y) == pytest.approx(value, rel=1e-14)
    by_torch = loss.value(torch.from_numpy(scores), torch.from_numpy(y))
    assert by_torch.item() == pytest.approx(value, rel=1e-14)


@ALL
def test_a_loss_is_a_sum_over_the_samples(loss: Loss) -> None:
    scores, y = drawn(loss)
    each = [loss.value(scores[i : i + 1], y[i : i + 1]) for i in range(len(y))]
    assert loss.value(scores, y) == pytest.approx(sum(each), rel=1e-13)


@ALL
def test_scores_and_targets_are_left_as_they_are_and_the_gradient_is_the_callers(loss: Loss) -> None:
    scores, y = drawn(loss)
    scores.flags.writeable = y.flags.writeable = False
    _, dscores = loss.value_and_gradient(scores, y)
    dscores *= 0
    np.testing.assert_array_equal(scores, drawn(loss)[0])
    np.testing.assert_array_equal(y, drawn(loss)[1])


@ALL
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_and_gradient_have_the_type_of_the_scores(loss: Loss, dtype: type) -> None:
    scores, y = drawn(loss)
    value, dscores = loss.value_and_gradient(
        scores.astype(dtype), y if loss.takes_labels else y.astype(dtype)
    )
    assert value.dtype == dscores.dtype == dtype


@pytest.mark.parametrize(
    ("loss", "factor"), [(CROSS_ENTROPY, 1 / 6), (BINARY_CROSS_ENTROPY, 1 / 6), (SQUARED_ERROR, 1 / 24)]
)
def test_a_mean_is_over_samples_and_of_squared_errors_over_elements(loss: Loss, factor: float) -> None:
    scores, _ = drawn(loss, N=6, C=4)
    assert losses.scale(loss, scores, "mean") == factor
    assert losses.scale(loss, scores, "sum") == 1


# Cross-entropy


@relaxed
@given(seeds, st.floats(-1e3, 1e3))
def test_cross_entropy_does_not_see_what_is_added_to_all_scores(seed: int, shift: float) -> None:
    scores, y = drawn(CROSS_ENTROPY, seed)
    value, dscores = CROSS_ENTROPY.value_and_gradient(scores, y)
    moved_value, moved = CROSS_ENTROPY.value_and_gradient(scores + shift, y)
    assert moved_value == pytest.approx(value, rel=1e-10)
    np.testing.assert_allclose(moved, dscores, atol=1e-11)
    np.testing.assert_allclose(dscores.sum(axis=1), 0, atol=1e-14)  # so the gradient moves none of it


def test_gradient_of_the_cross_entropy_is_the_probabilities_less_the_one_hot_label() -> None:
    scores, y = drawn(CROSS_ENTROPY)
    _, dscores = CROSS_ENTROPY.value_and_gradient(scores, y)
    np.testing.assert_allclose(dscores, special.softmax(scores, axis=1) - np.eye(4)[y], atol=1e-15)


def test_cross_entropy_is_scikit_learns_log_loss() -> None:
    scores, y = drawn(CROSS_ENTROPY)
    expected = metrics.log_loss(y, special.softmax(scores, axis=1), normalize=False, labels=range(4))
    assert CROSS_ENTROPY.value(scores, y) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("size", [1e4, 1e308])
def test_cross_entropy_of_huge_scores_is_exact(size: float) -> None:
    scores, y = np.array([[size, 0.0], [size, 0.0], [size, size]]), np.array([0, 1, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        value, dscores = CROSS_ENTROPY.value_and_gradient(scores, y)
    assert value == pytest.approx(size + np.log(2), rel=1e-15)
    np.testing.assert_allclose(dscores, [[0, 0], [1, -1], [0.5, -0.5]], atol=1e-16)


# Logistic loss of every output


def test_logistic_loss_is_its_definition_where_that_can_be_computed() -> None:
    scores, y = drawn(BINARY_CROSS_ENTROPY)
    p, t = special.expit(scores), np.eye(4)[y]
    expected = -(t * np.log(p) + (1 - t) * np.log(1 - p)).sum()
    value, dscores = BINARY_CROSS_ENTROPY.value_and_gradient(scores, y)
    assert value == pytest.approx(expected, rel=1e-12)
    np.testing.assert_allclose(dscores, p - t, atol=1e-15)


@pytest.mark.parametrize("size", [1e4, 1e308])
def test_logistic_loss_of_huge_scores_is_exact(size: float) -> None:
    right, wrong = np.array([[size, -size]]), np.array([[size, -size / 2]])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert BINARY_CROSS_ENTROPY.value(right, np.array([0])) == 0
        assert BINARY_CROSS_ENTROPY.value(wrong, np.array([1])) == pytest.approx(1.5 * size, rel=1e-15)
        _, dscores = BINARY_CROSS_ENTROPY.value_and_gradient(wrong, np.array([1]))
    np.testing.assert_array_equal(dscores, [[1, -1]])


def test_logistic_loss_of_a_sure_right_answer_keeps_its_small_value() -> None:
    # log(1 + e⁻⁵⁰) ≈ e⁻⁵⁰, which 1 - σ would round to nothing.
    value = BINARY_CROSS_ENTROPY.value(np.array([[50.0]]), np.array([0]))
    assert float(value) == pytest.approx(np.exp(-50), rel=1e-12, abs=0)
