"""scikit-learn's estimators of the same losses: one step of theirs against ours, and where they end."""

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from pipeline.exercises.checks import relative_difference
from pipeline.exercises.descent import losses
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradient_check import Problem
from pipeline.learning.gradients import manual


def mlp_classifier_step(problem: Problem, params: Params, learning_rate: float) -> float:
    """Return how far MLPClassifier's loss after one full-batch step is from ours, relative.

    The problem is of two_layer; the classes are 0 … C-1, all of which it is told of.
    """
    X, y, penalty = problem.X, problem.y, problem.penalty
    theirs = MLPClassifier(
        (params["W1"].shape[1],),
        solver="sgd",
        # Its penalty is alpha/(2n)·ΣW², n the samples of a minibatch, which here are all.
        alpha=2 * penalty.coefficient(len(X)) * len(X),
        batch_size=len(X),
        learning_rate_init=learning_rate,
        momentum=0.0,
        random_state=0,
    )
    classes = np.arange(params["W2"].shape[1])
    return loss_difference_after_a_step(
        theirs, lambda: theirs.partial_fit(X, y, classes=classes), problem, params, learning_rate
    )


def loss_difference_after_a_step(
    theirs: Any, step: Callable[[], Any], problem: Problem, params: Params, learning_rate: float
) -> float:
    """Return how far the loss of a network of scikit-learn's is from ours after a step from `params`.

    `step` lets it take one; a network says the loss before the step that it took last.
    """
    step()  # makes its arrays, and is undone
    take_weights(theirs, params)
    step()
    step()
    return relative_difference(theirs.loss_, loss_after_a_step(problem, params, learning_rate)[0])


def take_weights(theirs: Any, params: Params) -> None:
    """Give a network of scikit-learn's our weights and biases; biases that we don't have are 0."""
    for layer, (W, b) in enumerate((("W1", "b1"), ("W2", "b2"))):
        theirs.coefs_[layer][:], theirs.intercepts_[layer][:] = params[W], params.get(b, 0)


def loss_after_a_step(problem: Problem, params: Params, learning_rate: float) -> tuple[Any, Params]:
    """Return our loss after one full-batch step from `params`, and the parameters there."""

    def gradient(at: Params) -> tuple[Any, Params]:
        return manual.loss_and_grads(problem.model, at, problem.X, problem.y, penalty=problem.penalty)

    after, _ = losses(params, gradient, learning_rate, 1)
    return gradient(after)[0], after


def logistic_regression(X: Array, y: Array, strength: float, **options: Any) -> LogisticRegression:
    """Return LogisticRegression fitted to the end, its penalty matched with `half` of this strength.

    Its C multiplies the sum of the losses and has ½ΣW² beside it: C·N·r = 1.
    """
    C = 1 / (len(X) * strength) if strength else np.inf
    return LogisticRegression(C=C, tol=1e-8, max_iter=10_000, **options).fit(X, y)
