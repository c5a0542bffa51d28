"""What scikit-learn minimises is our penalised loss: at its optimum our gradient vanishes."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.neural_network import MLPClassifier

from pipeline.learning import gradients, least_squares, models, probabilities, sgd
from pipeline.learning.baselines import (
    Fitted,
    logistic_regression,
    mlp_classifier,
    ridge,
    sgd_classifier,
)
from pipeline.learning.gradients import manual
from pipeline.learning.penalty import Penalty

N, D, C = 120, 7, 3
PENALTIES = [Penalty("sum", 0.02), Penalty("half", 0.04), Penalty("per_sample", 3.0)]


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    y = rng.integers(C, size=N)
    return rng.standard_normal((N, D)) + rng.standard_normal((C, D))[y], y


def assert_says_the_same(fitted: Fitted, X) -> None:
    ours = probabilities.get(fitted.probabilities)(fitted.model.scores(fitted.params, X))
    np.testing.assert_allclose(ours, fitted.says(X), atol=1e-12)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: penalty.kind)
def test_ridge_is_our_closed_form(data, penalty):
    X, y = data
    fitted = ridge.fit(X, y, C, penalty, "cholesky")
    centre = least_squares.column_means(X)
    loss = least_squares.quadratic(least_squares.moments(X, np.eye(C)[y], centre), penalty)
    ours = least_squares.to_params(loss.minimizer(), centre)
    for name, value in ours.items():
        np.testing.assert_allclose(fitted.params[name], value, rtol=1e-9, atol=1e-12)
    assert_says_the_same(fitted, X)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: penalty.kind)
def test_logistic_regression_ends_where_our_gradient_vanishes(data, penalty, monkeypatch):
    X, y = data
    # Tighter than its default, so that what is left is the conversion's fault if anything.
    monkeypatch.setattr(
        logistic_regression, "LogisticRegression", lambda **given: LogisticRegression(tol=1e-10, **given)
    )
    fitted = logistic_regression.fit(X, y, penalty, max_iterations=10_000)
    _, grads = gradients.get("manual").loss_and_grads(
        models.get("softmax"), fitted.params, X, y, penalty=penalty
    )
    assert max(np.abs(grad).max() for grad in grads.values()) < 1e-6
    assert_says_the_same(fitted, X)


def test_logistic_regression_without_a_penalty_has_none(data):
    X, y = data
    fitted = logistic_regression.fit(X[:, :2], y, Penalty("sum", 0.0), max_iterations=10_000)
    _, grads = gradients.get("manual").loss_and_grads(models.get("softmax"), fitted.params, X[:, :2], y)
    assert max(np.abs(grad).max() for grad in grads.values()) < 1e-3


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: penalty.kind)
def test_one_full_batch_step_of_the_mlp_is_ours(data, penalty):
    X, y = data
    alpha = _alpha(penalty, X, y)
    network = models.get("two_layer")
    theirs = MLPClassifier(
        (5,), solver="sgd", alpha=alpha, batch_size=N, learning_rate_init=0.1, momentum=0.0, max_iter=1
    )
    theirs.partial_fit(X, y, classes=np.arange(C))  # makes its arrays; the step is undone below
    rng = np.random.default_rng(1)
    shapes = network.shapes(D, C, 5)
    start = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}
    for i, (W, b) in enumerate((("W1", "b1"), ("W2", "b2"))):
        theirs.coefs_[i][:], theirs.intercepts_[i][:] = start[W], start[b]
    theirs.partial_fit(X, y)
    loss, grads = gradients.get("manual").loss_and_grads(network, start, X, y, penalty=penalty)
    for i, (W, b) in enumerate((("W1", "b1"), ("W2", "b2"))):
        np.testing.assert_allclose(theirs.coefs_[i], start[W] - 0.1 * grads[W], rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(theirs.intercepts_[i], start[b] - 0.1 * grads[b], rtol=1e-9, atol=1e-12)
    assert theirs.loss_ == pytest.approx(loss, rel=1e-9)


@pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: penalty.kind)
@pytest.mark.parametrize("batch_size", [16, 40, 1000])
def test_an_epoch_of_the_mlp_is_ours_minibatch_by_minibatch(data, penalty, batch_size, monkeypatch):
    X, y = data[0][:80], data[1][:80]  # so that no minibatch is partial
    network, rng = models.get("two_layer"), np.random.default_rng(1)
    shapes = network.shapes(D, C, 5)
    params = {name: 0.5 * rng.standard_normal(shape) for name, shape in shapes.items()}

    class InOrder(MLPClassifier):
        def _initialize(self, *given):
            super()._initialize(*given)
            self.shuffle = False  # or the minibatches would be scikit-learn's secret
            for i, (W, b) in enumerate((("W1", "b1"), ("W2", "b2"))):
                self.coefs_[i][:], self.intercepts_[i][:] = params[W], params[b]

    monkeypatch.setattr(mlp_classifier, "MLPClassifier", InOrder)
    fitted = mlp_classifier.fit(X, y, penalty, 5, batch_size, 0.1, 0.9, 1, 0)
    optimiser = sgd.Momentum(manual, params, 0.9)
    # A per-sample penalty is that of the whole training set, in every minibatch.
    whole = Penalty("sum", penalty.coefficient(len(X)))
    size = min(batch_size, len(X))
    for first in range(0, len(X), size):
        batch = X[first : first + size], y[first : first + size]
        _, grads = gradients.get("manual").loss_and_grads(network, params, *batch, penalty=whole)
        optimiser.step({name: 0.1 * optimiser.scale * grad for name, grad in grads.items()})
    for name, value in params.items():
        np.testing.assert_allclose(fitted.params[name], value, rtol=1e-9, atol=1e-12)


def _alpha(penalty, X, y) -> float:
    """The alpha that the baseline hands to scikit-learn for a whole batch."""
    given = {}

    class Caught(MLPClassifier):
        def fit(self, X, y):
            given.update(self.get_params())
            return super().fit(X, y)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mlp_classifier, "MLPClassifier", Caught)
        mlp_classifier.fit(X, y, penalty, 5, N, 0.1, 0.0, 1, 0)
    assert (given["batch_size"], given["momentum"], given["nesterovs_momentum"]) == (N, 0.0, False)
    assert (given["learning_rate"], given["learning_rate_init"]) == ("constant", 0.1)
    return given["alpha"]


def test_the_mlp_runs_exactly_the_epochs_asked_for(data):
    X, y = data
    fitted = mlp_classifier.fit(X, y, PENALTIES[0], 5, 16, 0.1, 0.9, 7, 0)
    assert [row["epoch"] for row in fitted.history] == list(range(1, 8))
    assert_says_the_same(fitted, X)


def test_the_sgd_classifier_ends_at_the_minimum_of_its_one_vs_rest_loss(data, monkeypatch):
    X, y = data
    penalty = Penalty("sum", 0.02)
    # The mean over all steps, which the baseline takes, remembers the first of them for long.
    monkeypatch.setattr(
        sgd_classifier, "SGDClassifier", lambda **given: SGDClassifier(**{**given, "average": False})
    )
    fitted = sgd_classifier.fit(X, y, penalty, 0.001, 5000, threads=1, seed=0)
    # One class against the rest is logistic regression with two classes and the same penalty.
    for label in range(C):
        minimum = LogisticRegression(C=1 / (2 * penalty.coefficient(N) * N), tol=1e-8).fit(X, y == label)
        np.testing.assert_allclose(fitted.params["W"][:, label], minimum.coef_[0], atol=2e-3)
        np.testing.assert_allclose(fitted.params["b"][label], minimum.intercept_[0], atol=2e-3)


def test_the_sgd_classifier_says_what_our_forward_says(data):
    X, y = data
    assert_says_the_same(sgd_classifier.fit(X, y, PENALTIES[0], 0.01, 3, threads=1, seed=0), X)


def test_the_same_seed_gives_the_same_coefficients_whatever_the_threads(data):
    X, y = data
    first, second = (
        sgd_classifier.fit(X, y, PENALTIES[0], 0.01, 3, threads=threads, seed=0) for threads in (1, 2)
    )
    np.testing.assert_array_equal(first.params["W"], second.params["W"])


def test_the_sgd_classifier_keeps_the_mean_of_the_weights_over_its_steps(data):
    X, y = data
    averaged = sgd_classifier.fit(X, y, PENALTIES[0], 0.01, 3, threads=1, seed=0).params
    given = {
        "loss": "log_loss",
        "alpha": 2 * PENALTIES[0].strength,
        "learning_rate": "constant",
        "eta0": 0.01,
    }
    for average in (True, False):
        theirs = SGDClassifier(**given, max_iter=3, tol=None, random_state=0, average=average).fit(X, y)
        assert np.array_equal(averaged["W"], theirs.coef_.T) == average
