"""scikit-learn's counterpart of each model, with the penalty converted to scikit-learn's convention.

With our penalty c·ΣW² on the mean loss over N samples (c = `Penalty.coefficient`):

    Ridge                α = c·N·C             its loss is a sum over samples and outputs
    LogisticRegression   C = 1/(2·c·N)         its loss is C times a sum, its penalty ½ΣW²
    SGDClassifier        α = 2·c               its penalty is α/2·ΣW², its loss a mean
    MLPClassifier        α = 2·c·n             its penalty is α/(2n)·ΣW², n the minibatch size

What is kept of an estimator is its coefficients, in the parameters of one of our models.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from pipeline.learning.arrays import Array, Params
from pipeline.learning.models import Model
from pipeline.learning.probabilities import Name


@dataclass(frozen=True)
class Fitted:
    """A fitted estimator as parameters of ours, and the estimator's own word to hold them against."""

    model: Model
    params: Params
    probabilities: Name
    says: Callable[[Array], Array]
    """X (N, D) -> scikit-learn's own probabilities (N, C)."""
    history: list[dict[str, float]] = field(default_factory=list)
    """A row an epoch, where the estimator keeps one."""


def fit_as_told(estimator: Any, X: Array, y: Array) -> None:
    """Fit without the warning that more iterations would bring it further: their number is a parameter."""
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        estimator.fit(X, y)
