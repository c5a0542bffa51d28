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


@settings(deadline=None, max_examples=20)
@given(st.floats(1.5, 1e3), st.sampled_from([1e-2, 1e-6, 1e-9]))
def test_four_fifths_of_the_iterations_predicted_are_too_few_for_the_worst_start(condition, tolerance):
    # Gradient descent from zero has no worse error than along the two extreme eigenvectors.
    hessian = np.diag([1.0, condition])
    loss = least_squares.Quadratic(hessian, hessian @ np.ones((2, 1)))
    smallest, largest, rate = extremes(loss)
    iterations = least_squares.iterations_needed(smallest, largest, tolerance)
    assert iterations >= 3
    solution = loss.minimizer()
    reached = least_squares.gradient_descent(loss, rate, iterations)
    assert least_squares.relative_distance(reached, solution) <= tolerance * (1 + 1e-6)
    early = least_squares.gradient_descent(loss, rate, int(0.8 * iterations))
    assert least_squares.relative_distance(early, solution) > tolerance


def test_one_iteration_is_enough_where_all_eigenvalues_are_equal():
    # At the best rate, 1/λ, gradient descent is Newton's method.
    loss = least_squares.Quadratic(2 * np.eye(3), np.ones((3, 1)))
    smallest, largest, rate = extremes(loss)
    reached = least_squares.gradient_descent(loss, rate, 1)
    np.testing.assert_allclose(reached, loss.minimizer(), rtol=1e-15)
    assert least_squares.iterations_needed(smallest, largest, 1e-6) == 1


@pytest.mark.parametrize("strength", [0.0, 0.05, 10.0])
def test_centring_is_the_same_as_a_bias_that_no_penalty_holds(strength):
    # The columns' means may be anything: W is the same, and b takes up the difference.
    X, Y = problem()
    penalty = Penalty("sum", strength)
    solutions = []
    for centre in (least_squares.column_means(X), np.zeros(5), np.full(5, -2.0)):
        loss = least_squares.quadratic(least_squares.moments(X, Y, centre), penalty)
        solutions.append(least_squares.to_params(loss.minimizer(), centre))
    for other in solutions[1:]:
        for name, value in solutions[0].items():
            np.testing.assert_allclose(other[name], value, rtol=1e-9, atol=1e-12)


def test_centring_makes_the_bias_independent_of_the_weights_and_the_problem_better_conditioned():
    X, Y = problem()
    centred, _ = loss_of(X, Y)
    raw = least_squares.quadratic(least_squares.moments(X, Y, np.zeros(5)), RIDGE)
    np.testing.assert_allclose(centred.hessian[-1, :-1], 0, atol=1e-14)
    conditions = [largest / smallest for smallest, largest, _ in map(extremes, (centred, raw))]
    assert conditions[0] < conditions[1] / 2


def test_the_range_of_eigenvalues_is_that_of_numpy_and_the_minimum_has_no_gradient():
    loss, _ = loss_of(*problem())
    expected = np.linalg.eigvalsh(loss.hessian)[[0, -1]]
    np.testing.assert_allclose(loss.eigenvalue_range(), expected, rtol=1e-12)
    np.testing.assert_allclose(loss.gradient(loss.minimizer()), 0, atol=1e-13)


def test_moments_of_float32_samples_are_summed_in_float64():
    X = np.full((100_000, 1), 0.1, np.float32)
    data = least_squares.moments(X, np.ones((100_000, 1)), np.zeros(1))
    assert data.XtX.dtype == np.float64
    assert data.XtX[0, 0] == pytest.approx(100_000 * float(np.float32(0.1)) ** 2, rel=1e-12)
    assert least_squares.column_means(X)[0] == pytest.approx(float(np.float32(0.1)), rel=1e-12)


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


# Exercise 1, with its Hessian 2/N·ΨᵀΨ: λmax, condition number and largest stable rate as published there.
@pytest.mark.parametrize(
    ("points", "standardised", "expected"),
    [
        (5, False, {"largest": 413.6, "condition": 7378, "limit": 0.004835}),
        (5, True, {"condition": 105, "limit": 0.631}),
        (10, False, {"limit": 0.000389}),
    ],
)
def test_the_limits_of_gradient_descent_on_the_parabola_are_the_published_ones(
    points, standardised, expected
):
    x, y = toy.quadratic(points)
    raw = features.polynomial(x, 2)
    X = features.Columns.of(raw).standardize(raw) if standardised else raw
    data = least_squares.moments(X, y[:, None], np.zeros(2))
    smallest, largest = least_squares.quadratic(data, NONE).eigenvalue_range()
    found = {"largest": largest, "condition": largest / smallest, "limit": 2 / largest}
    with_ones = np.column_stack([X, np.ones(points)])
    assert found["condition"] == pytest.approx(np.linalg.cond(with_ones) ** 2, rel=1e-6)
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1.5e-3)


@pytest.mark.parametrize("factor", [0.99, 1.01])
def test_on_the_raw_parabola_one_percent_about_the_limit_decides(factor):
    x, y = toy.quadratic(5)
    loss = least_squares.quadratic(
        least_squares.moments(features.polynomial(x, 2), y[:, None], np.zeros(2)), NONE
    )
    _, largest, _ = extremes(loss)
    distances = []
    least_squares.gradient_descent(
        loss,
        factor * 2 / largest,
        3000,
        lambda n, theta: distances.append(least_squares.relative_distance(theta, loss.minimizer())),
    )
    # Along the top eigenvector the error is multiplied by 1 - 2·factor: -0.98, or -1.02.
    assert (distances[-1] < distances[0]) == (factor < 1)
    if factor > 1:
        assert distances[-1] / distances[-2] == pytest.approx(1.02, rel=1e-9)
