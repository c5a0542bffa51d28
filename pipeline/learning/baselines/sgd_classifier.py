"""SGDClassifier: one logistic classifier a digit against the rest, by plain SGD of one sample a step."""

from sklearn.linear_model import SGDClassifier

from pipeline.learning.arrays import Array
from pipeline.learning.baselines import Fitted
from pipeline.learning.models import softmax
from pipeline.learning.penalty import Penalty


def fit(
    X: Array, y: Array, penalty: Penalty, learning_rate: float, epochs: int, threads: int, seed: int
) -> Fitted:
    """Fit labels y (N,) to X (N, D) at a constant learning rate, averaging the weights over the steps."""
    estimator = SGDClassifier(
        loss="log_loss",
        alpha=2 * penalty.coefficient(len(X)),
        learning_rate="constant",
        eta0=learning_rate,
        average=True,
        max_iter=epochs,
        tol=None,
        n_jobs=threads,
        random_state=seed,
    ).fit(X, y)
    return Fitted(
        model=softmax,  # its scores are the same; what they mean is not
        params={"W": estimator.coef_.T.copy(), "b": estimator.intercept_},
        probabilities="one_vs_rest",
        says=estimator.predict_proba,
    )
