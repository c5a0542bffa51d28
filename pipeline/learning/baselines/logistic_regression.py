"""LogisticRegression: scikit-learn's counterpart of softmax, by L-BFGS on the whole batch."""

import numpy as np
from sklearn.linear_model import LogisticRegression

from pipeline.learning.arrays import Array
from pipeline.learning.baselines import Fitted, fit_as_told
from pipeline.learning.models import softmax
from pipeline.learning.penalty import Penalty


def fit(X: Array, y: Array, penalty: Penalty, max_iterations: int) -> Fitted:
    """Fit labels y (N,) to X (N, D), in at most so many iterations."""
    c = penalty.coefficient(len(X))
    strength = 1 / (2 * c * len(X)) if c else np.inf
    estimator = LogisticRegression(C=strength, max_iter=max_iterations)
    fit_as_told(estimator, X, y)
    return Fitted(
        model=softmax,
        params={"W": estimator.coef_.T.copy(), "b": estimator.intercept_},
        probabilities="softmax",
        says=estimator.predict_proba,
    )
