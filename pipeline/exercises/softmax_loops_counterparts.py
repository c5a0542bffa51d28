"""The softmax loss by scikit-learn and by PyTorch, with their parameters matched to ours."""

from typing import Any

import numpy as np
import torch
from sklearn.metrics import log_loss

from pipeline.exercises.checks import relative_difference
from pipeline.exercises.counterparts import logistic_regression
from pipeline.exercises.outcome import Claim, at_most
from pipeline.exercises.softmax_loops_steps import without_bias
from pipeline.learning import probabilities
from pipeline.learning.arrays import Array
from pipeline.learning.gradients import manual, numeric
from pipeline.learning.models import softmax
from pipeline.learning.penalty import Penalty

# Of so many inputs, the constant among them, LogisticRegression finds the optimum in a moment.
INPUTS = 50


def compare(W: Array, X: Array, y: Array, penalty: Penalty) -> dict[str, Any]:
    """Hold their losses and gradients at W (C, D), X (D, N), and their optimum, against ours."""
    return {
        "scikit_learn": {
            "inputs": min(INPUTS, len(X)),
            "log_loss_difference": _log_loss(W, X, y),
            "gradient_at_logistic_regression": _logistic_regression(X[-INPUTS:].T, y, penalty),
        },
        "torch": _cross_entropy(W, X, y, penalty),
    }


def claims(results: dict[str, Any]) -> list[Claim]:
    """Return what the comparisons show."""
    ours = results["scikit_learn"]
    at_optimum = ours["gradient_at_logistic_regression"]
    return [
        at_most(
            "scikit-learn's log_loss of our probabilities, relative difference",
            ours["log_loss_difference"],
            1e-12,
        ),
        *(
            [at_most("largest gradient of our loss where LogisticRegression ends", at_optimum, 1e-4)]
            if at_optimum is not None
            else []
        ),
        at_most("PyTorch's F.cross_entropy, relative difference", results["torch"]["loss_difference"], 1e-12),
        at_most(
            "its gradient by autograd, relative difference", results["torch"]["gradient_difference"], 1e-12
        ),
    ]


def _log_loss(W: Array, X: Array, y: Array) -> float:
    params = without_bias(W.T)
    p = probabilities.softmax(softmax.scores(params, X.T))  # (N, C)
    if not np.isfinite(p).all():  # which log_loss refuses
        return np.inf
    theirs = log_loss(y, p, labels=np.arange(len(W)))
    return relative_difference(numeric.loss(softmax, params, X.T, y), theirs)


def _logistic_regression(X: Array, y: Array, penalty: Penalty) -> float | None:
    """Return the largest gradient of our loss at its optimum; X (N, D) with the constant in a column.

    None where fewer than three classes occur: it then fits one vector of weights, another problem.
    """
    present, labels = np.unique(y, return_inverse=True)
    if len(present) < 3:
        return None
    # It penalises no intercept, but the course penalises the weights of the constant input like the others.
    theirs = logistic_regression(X, labels, penalty.strength, fit_intercept=False)
    params = without_bias(theirs.coef_.T)
    grads = manual.loss_and_grads(softmax, params, X, labels, penalty=penalty)[1]
    return float(np.abs(grads["W"]).max())


def _cross_entropy(W: Array, X: Array, y: Array, penalty: Penalty) -> dict[str, float]:
    """Differentiate F.cross_entropy + ½r·ΣW² by autograd, nn.Linear's layout being the course's: W (C, D)."""
    leaf = torch.from_numpy(W.copy()).requires_grad_()  # (C, D)
    inputs, labels = torch.from_numpy(np.ascontiguousarray(X.T)), torch.from_numpy(y.astype(np.int64))
    scores = torch.nn.functional.linear(inputs, leaf)  # (N, C)
    loss = torch.nn.functional.cross_entropy(scores, labels) + penalty.strength / 2 * leaf.square().sum()
    loss.backward()  # type: ignore[no-untyped-call]
    params = without_bias(W.T)
    ours, grads = manual.loss_and_grads(softmax, params, X.T, y, penalty=penalty)
    assert leaf.grad is not None
    return {
        "loss_difference": relative_difference(ours, loss.item()),
        "gradient_difference": relative_difference(grads["W"].T, leaf.grad.numpy()),
    }
