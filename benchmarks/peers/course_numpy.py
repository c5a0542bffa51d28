"""The two-layer network as courses write it in NumPy: float64, new arrays at every step."""

import numpy as np
from arguments import answer, parser
from mnist import read
from threadpoolctl import threadpool_limits

told = parser(__doc__).parse_args()
threadpool_limits(told.threads)
rng = np.random.default_rng(0)

X, y, X_test, y_test = read(told.data, np.float64)
params = {
    "W1": np.sqrt(2 / 784) * rng.standard_normal((784, told.hidden)),
    "b1": np.zeros(told.hidden),
    "W2": np.sqrt(2 / told.hidden) * rng.standard_normal((told.hidden, 10)),
    "b2": np.zeros(10),
}
velocity = {name: np.zeros_like(value) for name, value in params.items()}


def loss_and_grads(X: np.ndarray, y: np.ndarray) -> tuple[float, dict[str, np.ndarray]]:
    """Return the loss and its gradient."""
    N = len(X)
    hidden = np.maximum(0, X @ params["W1"] + params["b1"])
    scores = hidden @ params["W2"] + params["b2"]
    exp_scores = np.exp(scores - scores.max(axis=1, keepdims=True))
    probs = exp_scores / exp_scores.sum(axis=1, keepdims=True)
    loss = -np.log(probs[np.arange(N), y]).mean()
    loss += told.penalty * (np.sum(params["W1"] ** 2) + np.sum(params["W2"] ** 2))

    dscores = probs.copy()
    dscores[np.arange(N), y] -= 1
    dscores /= N
    dhidden = dscores @ params["W2"].T
    dhidden[hidden <= 0] = 0
    return loss, {
        "W1": X.T @ dhidden + 2 * told.penalty * params["W1"],
        "b1": dhidden.sum(axis=0),
        "W2": hidden.T @ dscores + 2 * told.penalty * params["W2"],
        "b2": dscores.sum(axis=0),
    }


def train_epoch(epoch: int) -> None:
    """Take every sample once, in random order."""
    order = rng.permutation(len(X))
    for start in range(0, len(X), told.batch_size):
        batch = order[start : start + told.batch_size]
        _, grads = loss_and_grads(X[batch], y[batch])
        for name in params:
            velocity[name] = 0.9 * velocity[name] - told.learning_rate * grads[name]
            params[name] += velocity[name]


def accuracy() -> float:
    """Return the share of the test images that are classified rightly."""
    hidden = np.maximum(0, X_test @ params["W1"] + params["b1"])
    return float(((hidden @ params["W2"] + params["b2"]).argmax(axis=1) == y_test).mean())


answer(train_epoch, accuracy, told.epochs)
