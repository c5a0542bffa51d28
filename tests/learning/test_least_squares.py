import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LinearRegression, Ridge

from pipeline.datasets import toy
from pipeline.learning import features, gradients, least_squares, models
from pipeline.learning.penalty import NONE, Penalty

RIDGE = Penalty("sum", 0.05)


def problem(seed: int = 0, N: int = 60, D: int = 5, C: int = 3):
    rng = np.random.default_rng(seed)
    return 3 + 2 * rng.standard_normal((N, D)), rng.standard_normal((N, C))


def loss_of(X, Y, penalty=RIDGE):
    centre = least_squares.column_means(X)
    return least_squares.quadratic(least_squares.moments(X, Y, centre), penalty), centre


def fitted(X, Y, penalty=RIDGE):
    loss, centre = loss_of(X, Y, penalty)
    return least_squares.to_params(loss.minimizer(), centre)


@settings(deadline=None, max_examples=30)
@given(st.integers(0, 2**32 - 1), st.integers(10, 80), st.integers(1, 6), st.integers(1, 4))
def test_the_closed_form_is_scikit_learns_ridge(seed, N, D, C):
    X, Y = problem(seed, N, D, C)
    ours = fitted(X, Y)
    theirs = Ridge(alpha=RIDGE.strength * N * C).fit(X, Y)
    np.testing.assert_allclose(ours["W"], theirs.coef_.reshape(C, D).T, rtol=1e-7, atol=1e-10)
    np.testing.assert_allclose(ours["b"], theirs.intercept_, rtol=1e-7, atol=1e-10)


def test_without_a_ridge_it_is_ordinary_least_squares():
    X, Y = problem()
    ours, theirs = fitted(X, Y, NONE), LinearRegression().fit(X, Y)
    np.testing.assert_allclose(ours["W"], theirs.coef_.T, rtol=1e-9)
    with_ones = np.column_stack([X, np.ones(len(X))])
    np.testing.assert_allclose(np.vstack([ours["W"], ours["b"]]), np.linalg.lstsq(with_ones, Y)[0], rtol=1e-9)


@pytest.mark.parametrize("kind", ["sum", "half", "per_sample"])
def test_the_closed_form_has_no_gradient_left_in_the_model(kind):
    X, Y = problem()
    penalty = Penalty(kind, 0.3)
    _, grads = gradients.get("manual").loss_and_grads(
        models.get("linear_regression"), fitted(X, Y, penalty), X, Y, penalty=penalty
    )
    assert max(np.abs(grad).max() for grad in grads.values()) < 1e-13


def test_the_gradient_of_the_quadratic_is_that_of_the_model():
    X, Y = problem()
    loss, centre = loss_of(X, Y)
    theta = np.random.default_rng(1).standard_normal((6, 3))
    _, grads = gradients.get("manual").loss_and_grads(
        models.get("linear_regression"), {"W": theta[:-1], "b": theta[-1]}, X - centre, Y, penalty=RIDGE
    )
    np.testing.assert_allclose(loss.gradient(theta), np.vstack([grads["W"], grads["b"]]), rtol=1e-12)


def test_moments_in_blocks_are_those_of_the_whole(monkeypatch):
    X, Y = problem()
    centre = least_squares.column_means(X)
    whole = least_squares.moments(X, Y, centre)
    monkeypatch.setattr(least_squares, "BLOCK", 7)
    parts = least_squares.moments(X, Y, centre)
    np.testing.assert_allclose(parts.XtX, whole.XtX, rtol=1e-12, atol=1e-12)
    np.testing.assert_allclose(parts.XtY, whole.XtY, rtol=1e-12, atol=1e-12)


def extremes(loss):
    smallest, largest = loss.eigenvalue_range()
    return smallest, largest, 2 / (smallest + largest)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-2, 1e-4, 1e-6, 1e-9]))
def test_the_iterations_predicted_are_enough(seed, tolerance):
    loss, _ = loss_of(*problem(seed))
    smallest, largest, rate = extremes(loss)
    iterations = least_squares.iterations_needed(smallest, largest, tolerance)
    solution = loss.minimizer()
    reached = least_squares.gradient_descent(loss, rate, iterations)
    assert least_squares.relative_distance(reached, solution) <= tolerance * (1 + 1e-6)


def test_the_iterations_predicted_are_not_one_too_many_where_the_start_is_worst():
    # An error along one extreme eigenvector shrinks by exactly (κ - 1)/(κ + 1) at the best rate.
    hessian = np.diag([1.0, 50.0])
    loss = least_squares.Quadratic(hessian, hessian @ np.array([[1.0], [0.0]]))
    solution, (smallest, largest, rate) = loss.minimizer(), extremes(loss)
    iterations = least_squares.iterations_needed(smallest, largest, 1e-6)
    distances = [
        least_squares.relative_distance(least_squares.gradient_descent(loss, rate, count), solution)
        for count in (iterations - 1, iterations)
    ]
    assert distances[1] <= 1e-6 < distances[0]


def test_a_rate_just_below_two_over_the_largest_eigenvalue_converges_and_just_above_diverges():
    loss, _ = loss_of(*problem())
    _, largest, _ = extremes(loss)
    solution = loss.minimizer()
    far = least_squares.relative_distance(np.zeros_like(solution), solution)
    below, above = (least_squares.gradient_descent(loss, f * 2 / largest, 2000) for f in (0.99, 1.01))
    assert least_squares.relative_distance(below, solution) < 1e-6
    assert least_squares.relative_distance(above, solution) > 1e6 * far


def test_every_iterate_is_observed_the_start_as_zero():
    loss, _ = loss_of(*problem())
    seen = []
    last = least_squares.gradient_descent(loss, 0.01, 3, lambda n, theta: seen.append((n, theta.copy())))
    assert [n for n, _ in seen] == [0, 1, 2, 3]
    assert not seen[0][1].any()
    np.testing.assert_array_equal(seen[-1][1], last)


def test_the_parabola_is_found_again_in_raw_units():
    x, y = toy.quadratic(5)
    raw = features.polynomial(x, 2)
    columns, targets = features.Columns.of(raw), features.Columns.of(y[:, None])
    params = fitted(columns.standardize(raw), targets.standardize(y[:, None]), NONE)
    found = features.raw_coefficients(params["W"], params["b"], columns, targets)
    np.testing.assert_allclose(found, [1, 0, 0], atol=1e-9)
    np.testing.assert_allclose(found, np.polyfit(x, y, 2), atol=1e-9)


def test_the_condition_number_of_the_standardised_parabola_is_the_published_one():
    # Largest stable rates of exercise 1, with its Hessian 2/N·ΨᵀΨ: 0.631 standardised, 0.004835 raw.
    x, y = toy.quadratic(5)
    raw = features.polynomial(x, 2)
    standardized = features.Columns.of(raw).standardize(raw)
    for X, rate in ((standardized, 0.631), (raw, 0.004835)):
        data = least_squares.moments(X, y[:, None], np.zeros(2))
        _, largest = least_squares.quadratic(data, NONE).eigenvalue_range()
        assert 2 / largest == pytest.approx(rate, rel=1e-3)


def test_standardised_columns_have_mean_zero_and_unbiased_deviation_one():
    X, _ = problem()
    standardized = features.Columns.of(X).standardize(X)
    np.testing.assert_allclose(standardized.mean(axis=0), 0, atol=1e-14)
    np.testing.assert_allclose(standardized.std(axis=0, ddof=1), 1, rtol=1e-14)
