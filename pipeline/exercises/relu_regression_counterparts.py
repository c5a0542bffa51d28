"""scikit-learn's regressor, set to the weights of exercise 5: one step of its against one of ours."""

from sklearn.neural_network import MLPRegressor

from pipeline.exercises.checks import relative_difference, worst_difference
from pipeline.exercises.counterparts import loss_after_a_step, take_weights
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradient_check import Problem
from pipeline.learning.models import two_layer_regression
from pipeline.learning.penalty import NONE


def mlp_regressor_step(params: Params, X: Array, y: Array, learning_rate: float) -> dict[str, float]:
    """Hold one full-batch step of MLPRegressor against ours, from the same weights, biases at 0.

    Its gradient is that of Σ(ŷ - y)²/2N and the loss that it says is Σ(ŷ - y)²/2NC: so its rate is 2N
    times ours. It trains biases, which we have not: they are put back to 0 after the step.
    """
    N, C = y.shape
    theirs = MLPRegressor(
        hidden_layer_sizes=(params["W1"].shape[1],),
        solver="sgd",
        alpha=0.0,
        batch_size=N,
        learning_rate_init=2 * N * learning_rate,
        momentum=0.0,
        random_state=0,
    )
    targets = y if C > 1 else y.ravel()
    theirs.partial_fit(X, targets)  # makes its arrays; this step is undone
    take_weights(theirs, params)
    theirs.partial_fit(X, targets)
    stepped = {"W1": theirs.coefs_[0].copy(), "W2": theirs.coefs_[1].copy()}
    for intercept in theirs.intercepts_:
        intercept[:] = 0
    theirs.partial_fit(X, targets)  # says the loss before its own step: the one after the first
    loss, ours = loss_after_a_step(Problem(two_layer_regression, X, y, NONE), params, learning_rate)
    return {
        "weights_difference": worst_difference(stepped, ours),
        "loss_difference": relative_difference(2 * N * C * theirs.loss_, loss),
    }
