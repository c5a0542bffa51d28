import warnings
from typing import get_args

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import special

from pipeline.learning import probabilities

NAMES = get_args(probabilities.Name)
scores = hnp.arrays(
    np.float64, hnp.array_shapes(min_dims=2, max_dims=2, min_side=2, max_side=6), elements=st.floats(-30, 30)
)
relaxed = settings(max_examples=40, deadline=None)


@pytest.mark.parametrize("name", NAMES)
@relaxed
@given(values=scores)
def test_probabilities_are_positive_and_sum_to_one(name: str, values: np.ndarray) -> None:
    found = probabilities.get(name)(values)
    assert found.shape == values.shape
    assert ((found > 0) & (found <= 1)).all()
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-13)


@pytest.mark.parametrize("name", NAMES)
@relaxed
@given(values=scores)
def test_a_higher_score_is_never_a_lower_probability(name: str, values: np.ndarray) -> None:
    order = np.argsort(values, axis=1)
    found = np.take_along_axis(probabilities.get(name)(values), order, axis=1)
    assert (np.diff(found, axis=1) >= 0).all()


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_probabilities_have_the_type_of_the_scores_which_stay_as_they_are(name: str, dtype: type) -> None:
    values = np.random.default_rng(0).standard_normal((5, 4)).astype(dtype)
    before = values.copy()
    assert probabilities.get(name)(values).dtype == dtype
    np.testing.assert_array_equal(values, before)


@relaxed
@given(scores)
def test_softmax_is_scipys(values: np.ndarray) -> None:
    np.testing.assert_allclose(
        probabilities.softmax(values), special.softmax(values, axis=1), rtol=1e-12, atol=0
    )


@relaxed
@given(scores)
def test_one_vs_rest_scales_each_logistic_probability_by_their_sum(values: np.ndarray) -> None:
    each = special.expit(values)
    expected = each / each.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities.one_vs_rest(values), expected, rtol=1e-12)


def test_scores_of_least_squares_that_are_probabilities_already_stay_what_they_are() -> None:
    values = np.array([[0.2, 0.5, 0.3], [0.1, 0.1, 0.8]])
    np.testing.assert_allclose(probabilities.clipped(values), values, rtol=1e-15)


def test_scores_of_least_squares_outside_zero_to_one_are_cut_and_then_scaled() -> None:
    found = probabilities.clipped(np.array([[-0.5, 1.5, 1.0]]))
    np.testing.assert_allclose(found, np.array([[1e-6, 1, 1]]) / (2 + 1e-6), rtol=1e-15)


@pytest.mark.parametrize("name", ["softmax", "clipped"])
@pytest.mark.parametrize("size", [1e4, 1e308])
def test_huge_scores_make_sure_and_finite_probabilities(name: str, size: float) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = probabilities.get(name)(np.array([[size, 0.0], [0.0, -size], [size, size]]))
    assert np.isfinite(found).all()
    np.testing.assert_allclose(found[[0, 2]], [[1, 0], [0.5, 0.5]], atol=2e-6)


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match="probabilities 'sparsemax': choose one of softmax, one_vs_rest, cl"):
        probabilities.get("sparsemax")


@pytest.mark.parametrize(("dtype", "score"), [(np.float64, -800), (np.float32, -110)])
def test_one_vs_rest_is_finite_where_no_class_is_likely(dtype: type, score: float) -> None:
    # scikit-learn's own one-vs-rest classifiers call the classes equally likely there.
    found = probabilities.one_vs_rest(np.full((1, 4), score, dtype))
    np.testing.assert_array_equal(found, np.full((1, 4), 0.25, dtype))
