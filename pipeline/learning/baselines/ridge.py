"""Ridge: scikit-learn's counterpart of linear_regression."""

import numpy as np
from sklearn.linear_model import Ridge

from pipeline.learning import probabilities
from pipeline.learning.arrays import Array
from pipeline.learning.baselines import Fitted
from pipeline.learning.models import linear_regression
from pipeline.learning.penalty import Penalty


def fit(X: Array, y: Array, classes: int, penalty: Penalty, solver: str) -> Fitted:
    """Fit one-hot targets of labels y (N,) to X (N, D)."""
    targets = np.eye(classes, dtype=X.dtype)[y]
    estimator = Ridge(alpha=penalty.coefficient(len(X)) * targets.size, solver=solver).fit(X, targets)
    return Fitted(
        model=linear_regression,
        params={"W": estimator.coef_.T.copy(), "b": estimator.intercept_},
        probabilities="clipped",
        says=lambda inputs: probabilities.clipped(estimator.predict(inputs)),
    )
