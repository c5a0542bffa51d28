"""MLPClassifier: scikit-learn's counterpart of two_layer, at a constant learning rate."""

from sklearn.neural_network import MLPClassifier

from pipeline.learning.arrays import Array
from pipeline.learning.baselines import Fitted, fit_as_told
from pipeline.learning.models import two_layer
from pipeline.learning.penalty import Penalty


def fit(
    X: Array,
    y: Array,
    penalty: Penalty,
    hidden: int,
    batch_size: int,
    learning_rate: float,
    momentum: float,
    epochs: int,
    seed: int,
) -> Fitted:
    """Fit labels y (N,) to X (N, D) for exactly so many epochs; scikit-learn has no schedule like ours."""
    batch_size = min(batch_size, len(X))
    estimator = MLPClassifier(
        hidden_layer_sizes=(hidden,),
        solver="sgd",
        alpha=2 * penalty.coefficient(len(X)) * batch_size,
        batch_size=batch_size,
        learning_rate="constant",
        learning_rate_init=learning_rate,
        momentum=momentum,
        nesterovs_momentum=False,
        max_iter=epochs,
        n_iter_no_change=epochs + 1,
        random_state=seed,
    )
    fit_as_told(estimator, X, y)
    (W1, W2), (b1, b2) = estimator.coefs_, estimator.intercepts_
    return Fitted(
        model=two_layer,
        params={"W1": W1, "b1": b1, "W2": W2, "b2": b2},
        probabilities="softmax",
        says=estimator.predict_proba,
        history=[
            {"epoch": epoch, "train/loss": float(loss)}
            for epoch, loss in enumerate(estimator.loss_curve_, start=1)
        ],
    )
