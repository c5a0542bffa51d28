import re
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from pipeline.learning import arrays
from pipeline.learning.arrays import Workspace
from pipeline.learning.blas import Sum

finite = st.floats(-1e4, 1e4)
score_matrices = hnp.arrays(np.float64, hnp.array_shapes(min_dims=2, max_dims=2, max_side=6), elements=finite)
relaxed = settings(max_examples=40, deadline=None)


# log_softmax


@relaxed
@given(score_matrices)
def test_log_softmax_is_scipys_and_its_probabilities_sum_to_one(scores: np.ndarray) -> None:
    log_probabilities = arrays.log_softmax(scores)
    np.testing.assert_allclose(log_probabilities, special.log_softmax(scores, axis=1), rtol=1e-12, atol=1e-15)
    np.testing.assert_allclose(np.exp(log_probabilities).sum(axis=1), 1, rtol=1e-12)
    assert (log_probabilities <= 0).all()


def test_log_softmax_of_integers_is_that_of_the_same_numbers() -> None:
    scores = np.array([[1, -2, 3], [0, 0, 7]])
    np.testing.assert_array_equal(arrays.log_softmax(scores), arrays.log_softmax(scores.astype(np.float64)))


@relaxed
@given(score_matrices, st.floats(-1e4, 1e4))
def test_log_softmax_does_not_see_what_is_added_to_all_scores_of_a_sample(scores, shift: float) -> None:
    shifted = arrays.log_softmax(scores + shift)
    np.testing.assert_allclose(shifted, arrays.log_softmax(scores), rtol=1e-12, atol=1e-10)


@relaxed
@given(score_matrices)
def test_log_softmax_keeps_the_order_of_the_scores(scores: np.ndarray) -> None:
    order = np.argsort(scores, axis=1, kind="stable")
    assert (np.diff(np.take_along_axis(arrays.log_softmax(scores), order, axis=1), axis=1) >= 0).all()


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([[1e4, -1e4]], [[0, -2e4]]),
        ([[-1e4, -1e4]], [[-np.log(2), -np.log(2)]]),
        ([[1e308, 0]], [[0, -1e308]]),
        ([[1e308, 1e308]], [[-np.log(2), -np.log(2)]]),
        ([[-1e308, -1e308, 0]], [[-1e308, -1e308, 0]]),
    ],
)
def test_log_softmax_of_huge_scores_is_exact_and_overflows_nowhere(scores, expected) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_allclose(arrays.log_softmax(np.array(scores)), expected, rtol=1e-15)


@pytest.mark.parametrize("order", ["C", "F"])
def test_log_softmax_leaves_the_scores_and_keeps_their_type(order) -> None:
    scores = np.asarray(np.random.default_rng(0).standard_normal((5, 4)), np.float32, order=order)
    before = scores.copy()
    log_probabilities = arrays.log_softmax(scores)
    assert log_probabilities.dtype == np.float32
    np.testing.assert_array_equal(scores, before)
    log_probabilities[:] = 0
    np.testing.assert_array_equal(scores, before)


# sigmoid


@relaxed
@given(hnp.arrays(np.float64, 7, elements=st.floats(allow_nan=False, min_value=-700, max_value=700)))
def test_sigmoid_is_scipys_expit_and_symmetric_about_one_half(z: np.ndarray) -> None:
    values = arrays.sigmoid(z)
    np.testing.assert_allclose(values, special.expit(z), rtol=1e-14)
    np.testing.assert_allclose(arrays.sigmoid(-z), 1 - values, rtol=0, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_sigmoid_of_huge_numbers_is_exactly_zero_or_one_and_overflows_nowhere(dtype: type) -> None:
    largest = np.finfo(dtype).max
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        values = arrays.sigmoid(np.array([-largest, -1e4, 0, 1e4, largest], dtype))
    np.testing.assert_array_equal(values, np.array([0, 0, 0.5, 1, 1], dtype), strict=True)


@relaxed
@given(hnp.arrays(np.float64, 7, elements=st.floats(-50, 50)))
def test_derivative_of_the_sigmoid_by_torch_is_a_times_one_less_a(z: np.ndarray) -> None:
    leaf = torch.from_numpy(z).requires_grad_()
    values = arrays.sigmoid(leaf)
    (derivative,) = torch.autograd.grad(values.sum(), leaf)
    a = special.expit(z)
    np.testing.assert_allclose(derivative.numpy(), a * (1 - a), rtol=1e-12, atol=1e-16)


# relu


@relaxed
@given(hnp.arrays(np.float64, (3, 4), elements=finite))
def test_relu_and_its_backward_are_torchs_at_zero_too(z: np.ndarray) -> None:
    leaf = torch.from_numpy(z).requires_grad_()
    theirs = torch.relu(leaf)
    (gradient,) = torch.autograd.grad(theirs.sum(), leaf)
    y = arrays.relu(z)
    np.testing.assert_array_equal(y, theirs.detach().numpy())
    np.testing.assert_array_equal(arrays.relu_backward(np.ones_like(z), y), gradient.numpy())
    assert isinstance(arrays.relu(leaf), torch.Tensor)


def test_derivative_of_the_relu_at_exactly_zero_is_zero() -> None:
    np.testing.assert_array_equal(
        arrays.relu_backward(np.full((1, 3), 7.0), arrays.relu(np.array([[-1.0, 0.0, 1.0]]))), [[0, 0, 7]]
    )


# Products, and where they are written


def test_products_into_arrays_have_the_same_bits_as_fresh_ones() -> None:
    rng = np.random.default_rng(0)
    X, W, b = rng.standard_normal((5, 4)), rng.standard_normal((4, 3)), rng.standard_normal(3)
    out = np.empty((5, 3))
    assert arrays.matmul(X, W, out=out) is out
    np.testing.assert_array_equal(out, arrays.matmul(X, W))
    assert arrays.affine(X, W, b, out=out) is out
    np.testing.assert_array_equal(out, arrays.affine(X, W, b))
    np.testing.assert_allclose(out, np.einsum("nd,dc->nc", X, W) + b, rtol=1e-12)


def test_sum_of_squares_is_a_scalar_of_arrays_and_of_tensors() -> None:
    W = np.array([[1.0, -2.0], [3.0, 0.5]])
    assert arrays.sum_of_squares(W) == arrays.sum_of_squares(torch.from_numpy(W)).item() == 14.25


def test_a_workspace_hands_out_one_array_for_each_name_and_shape_and_fresh_hands_out_none() -> None:
    workspace = Workspace(np.dtype(np.float32))
    first = workspace("scores", 4, 3)
    assert (first.shape, first.dtype) == ((4, 3), np.float32)
    assert workspace("scores", 4, 3) is first
    assert workspace("scores", 2, 3) is not first
    assert not np.shares_memory(workspace("a1", 4, 3), first)
    assert arrays.fresh("scores", 4, 3) is None


def test_a_workspace_hands_out_the_sum_that_it_was_lent_and_products_are_added_to_it() -> None:
    workspace, lent = Workspace(np.dtype(np.float32)), Sum(np.ones((4, 3), np.float32))
    assert workspace("dW", 4, 3) is not lent
    workspace.lend("dW", lent)
    assert workspace("dW", 4, 3) is lent
    assert workspace("dW", 3, 4) is not lent
    A, B = np.ones((4, 2), np.float32), np.ones((2, 3), np.float32)
    assert arrays.matmul(A, B, out=workspace("dW", 4, 3)) is lent
    np.testing.assert_array_equal(lent.array, 3)


def test_two_workspaces_share_no_memory() -> None:
    assert not np.shares_memory(Workspace(np.float64)("a1", 2, 2), Workspace(np.float64)("a1", 2, 2))


def test_shapes_that_do_not_fit_are_numpys_own_error() -> None:
    with pytest.raises(ValueError, match=re.escape("(size 4 is different from 3)")):
        arrays.matmul(np.zeros((2, 3)), np.zeros((4, 2)))
