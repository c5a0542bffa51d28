"""Exercise 4's network as asked, with its fault: it keeps its weights and takes the samples one at a time.

It is here to be shown, measured and compared with: digits_cg trains by vectorised copies of it, and claims
that they give the same numbers.
"""

import numpy as np

from pipeline.learning.arrays import Array, sigmoid


def matrices(theta: Array, inputs: int, hidden: int) -> tuple[Array, Array]:
    """Return θ1 (H, D+1) and θ2 (C, H+1), whose columns 0 are the biases, as views of the flat θ."""
    split = hidden * (inputs + 1)
    return theta[:split].reshape(hidden, inputs + 1), theta[split:].reshape(-1, hidden + 1)


def feed_forward(theta1: Array, theta2: Array, x: Array) -> tuple[Array, Array, Array, Array]:
    """Return a0, z1, a1 and the scores of one sample (D,); a0 and a1 are led by the 1 of the bias."""
    a0 = np.append(1.0, x)  # (D+1,)
    z1 = np.dot(theta1, a0)  # (H,)
    a1 = np.append(1.0, sigmoid(z1))  # (H+1,)
    return a0, z1, a1, np.dot(theta2, a1)  # scores: (C,)


def sigmoid_gradient(z: Array) -> Array:
    """Return the sigmoid's derivative, as the course has it written."""
    a = sigmoid(z)
    return a * (1 - a)


def one_hot(label: int, classes: int) -> Array:
    """Return 1 at the label and 0 elsewhere, (C,)."""
    target = np.zeros(classes)
    target[label] = 1
    return target


class NetworkAsAsked:
    """Sigmoid units throughout; `strength` is the λ of the penalty λ/(2m)·ΣW² over m samples."""

    def __init__(self, theta: Array, inputs: int, hidden: int, strength: float) -> None:
        self.inputs, self.hidden, self.strength = inputs, hidden, strength
        self.theta1, self.theta2 = matrices(theta, inputs, hidden)

    def cost(self, theta: Array, X: Array, y: Array) -> float:
        """Return the loss of X (m, D) and labels y (m,), as it is of `theta` by the penalty alone."""
        total = 0.0
        for x, label in zip(X, y, strict=True):
            *_, scores = feed_forward(self.theta1, self.theta2, x)  # the fault: not those of `theta`
            target = one_hot(label, len(scores))  # (C,)
            # -log σ(s) where the target is 1 and -log(1 - σ(s)) where it is 0, without overflow
            total += np.sum(np.logaddexp(0, (1 - 2 * target) * scores))
        theta1, theta2 = matrices(theta, self.inputs, self.hidden)
        squares = np.sum(theta1[:, 1:] ** 2) + np.sum(theta2[:, 1:] ** 2)
        return float(total / len(X) + self.strength / (2 * len(X)) * squares)

    def gradient(self, theta: Array, X: Array, y: Array) -> Array:
        """Return the gradient of the loss at `theta`, which is right, and flat like `theta`."""
        theta1, theta2 = matrices(theta, self.inputs, self.hidden)
        dtheta1, dtheta2 = np.zeros(theta1.shape), np.zeros(theta2.shape)
        for x, label in zip(X, y, strict=True):
            a0, z1, a1, scores = feed_forward(theta1, theta2, x)
            dscores = sigmoid(scores) - one_hot(label, len(scores))  # (C,)
            da1 = np.dot(theta2.T, dscores)[1:]  # (H,); the bias's 1 depends on nothing
            dz1 = da1 * sigmoid_gradient(z1)  # (H,)
            dtheta2 += np.outer(dscores, a1)  # (C, H+1)
            dtheta1 += np.outer(dz1, a0)  # (H, D+1)
        for dtheta, weights in ((dtheta1, theta1), (dtheta2, theta2)):
            dtheta /= len(X)
            dtheta[:, 1:] += self.strength / len(X) * weights[:, 1:]
        return np.concatenate([dtheta1.ravel(), dtheta2.ravel()])
