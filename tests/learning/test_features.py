import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from pipeline.datasets import toy
from pipeline.learning import features
from pipeline.learning.features import Columns

relaxed = settings(max_examples=30, deadline=None)
seeds = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("degree", [1, 2, 5])
def test_powers_are_scikit_learns_polynomial_features_without_the_constant(degree: int) -> None:
    x = np.random.default_rng(0).standard_normal(20)
    theirs = PolynomialFeatures(degree, include_bias=False).fit_transform(x[:, None])
    np.testing.assert_allclose(features.polynomial(x, degree), theirs, rtol=1e-14)


@relaxed
@given(seeds, st.integers(2, 30), st.integers(1, 5))
def test_standardised_columns_have_mean_zero_and_unbiased_deviation_one(seed: int, N: int, D: int) -> None:
    X = 5 + 3 * np.random.default_rng(seed).standard_normal((N, D))
    before = X.copy()
    standardised = Columns.of(X).standardize(X)
    np.testing.assert_allclose(standardised.mean(axis=0), 0, atol=1e-10)
    np.testing.assert_allclose(standardised.std(axis=0, ddof=1), 1, rtol=1e-10)
    np.testing.assert_array_equal(X, before)


def test_standardisation_is_scikit_learns_but_for_the_unbiased_deviation() -> None:
    X = np.random.default_rng(0).standard_normal((20, 3))
    biased = StandardScaler().fit_transform(X)
    np.testing.assert_allclose(Columns.of(X).standardize(X), biased * np.sqrt(19 / 20), rtol=1e-12)


def test_what_was_measured_on_one_set_standardises_another() -> None:
    columns = Columns(mean=np.array([1.0, 2.0]), std=np.array([2.0, 4.0]))
    np.testing.assert_array_equal(columns.standardize(np.array([[3.0, 10.0]])), [[1.0, 2.0]])


@relaxed
@given(seeds, st.integers(1, 4))
def test_raw_coefficients_predict_what_the_standardised_weights_predict(seed: int, degree: int) -> None:
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-2, 2, 12), 10 * rng.standard_normal((12, 1))
    raw = features.polynomial(x, degree)
    columns, targets = Columns.of(raw), Columns.of(y)
    W, b = rng.standard_normal((degree, 1)), rng.standard_normal(1)
    predicted = columns.standardize(raw) @ W + b
    coefficients = features.raw_coefficients(W, b, columns, targets)
    assert coefficients.shape == (degree + 1,)
    expected = predicted[:, 0] * targets.std + targets.mean
    np.testing.assert_allclose(np.polyval(coefficients, x), expected, rtol=1e-9, atol=1e-9)


def test_standardised_weights_of_the_parabola_are_one_zero_zero_in_raw_units() -> None:
    x, y = toy.quadratic(5)
    raw = features.polynomial(x, 2)
    # y is the second column itself, so after standardising it is fitted by the weights (0, 1) and no bias.
    found = features.raw_coefficients(
        np.array([[0.0], [1.0]]), np.zeros(1), Columns.of(raw), Columns.of(y[:, None])
    )
    np.testing.assert_allclose(found, [1, 0, 0], atol=1e-14)
