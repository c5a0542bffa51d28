"""scikit-learn's networks, set to our weights: one step of theirs against one step of ours."""

from typing import Any

import numpy as np
from sklearn.neural_network import MLPClassifier

from pipeline.exercises.checks import relative_difference
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradients import manual
from pipeline.learning.models import two_layer
from pipeline.learning.penalty import Penalty


def mlp_classifier_step(params: Params, X: Array, y: Array, penalty: Penalty, learning_rate: float) -> float:
    """Return how far MLPClassifier's loss after one full-batch step is from ours, relative.

    It starts from the `params` of two_layer; the classes are 0 … C-1, all of which it is told of.
    """
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
    theirs.partial_fit(X, y, classes=classes)  # makes its arrays; this step is undone
    for layer, (W, b) in enumerate((("W1", "b1"), ("W2", "b2"))):
        theirs.coefs_[layer][:], theirs.intercepts_[layer][:] = params[W], params[b]
    theirs.partial_fit(X, y)
    theirs.partial_fit(X, y)  # says the loss before its own step: the one after the first
    return relative_difference(theirs.loss_, _loss_after_a_step(params, X, y, penalty, learning_rate))


def _loss_after_a_step(params: Params, X: Array, y: Array, penalty: Penalty, learning_rate: float) -> Any:
    grads = manual.loss_and_grads(two_layer, params, X, y, penalty=penalty)[1]
    after = {name: value - learning_rate * grads[name] for name, value in params.items()}
    return manual.loss_and_grads(two_layer, after, X, y, penalty=penalty)[0]
