"""Exercise 4's counterparts: SciPy's check of a gradient, and scikit-learn's network of the same loss."""

import warnings

import numpy as np
from scipy.optimize import check_grad
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from pipeline.exercises.counterparts import loss_difference_after_a_step
from pipeline.exercises.digits_cg_training import Evaluate
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradient_check import Problem
from pipeline.learning.randomness import generator

LEARNING_RATE = 0.1


def relative_check_grad(evaluate: Evaluate, theta: Array, seed: int) -> float:
    """Return what SciPy's `check_grad` finds along a random direction, over the gradient's length."""

    def cost(at: Array) -> float:
        return evaluate(at)[0]

    def gradient(at: Array) -> Array:
        return evaluate(at)[1]

    rng = generator(seed, "check_grad")
    error = check_grad(cost, gradient, theta, direction="random", rng=rng)
    return float(error / np.linalg.norm(gradient(theta)))


def mlp_classifier_step(problem: Problem, params: Params) -> float:
    """Return how far MLPClassifier's loss after one full-batch step from `params` is from ours, relative.

    It is given the targets as an indicator matrix (N, C) and so has C logistic outputs; of labels (N,) it
    would make a softmax, which is another loss.
    """
    X, classes = problem.X, np.arange(len(params["b2"]))
    indicators = (problem.y[:, None] == classes).astype(int)  # (N, C)
    theirs = MLPClassifier(
        params["b1"].shape,
        activation="logistic",
        solver="sgd",
        alpha=problem.penalty.strength,  # its penalty is alpha/(2n)·ΣW², n the minibatch: per_sample
        batch_size=len(X),
        learning_rate_init=LEARNING_RATE,
        momentum=0.0,
        max_iter=1,
        warm_start=True,
        random_state=0,
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # one step is what is asked for
        return loss_difference_after_a_step(
            theirs, lambda: theirs.fit(X, indicators), problem, params, LEARNING_RATE
        )
