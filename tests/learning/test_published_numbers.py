"""The exercises' published losses and weights, reproduced by the models and the manual gradient."""

import numpy as np
import pytest
import torch

from pipeline.datasets import toy
from pipeline.learning import features, models
from pipeline.learning.arrays import Params
from pipeline.learning.gradients import manual
from pipeline.learning.penalty import NONE, Penalty


def descend(
    name: str,
    params: Params,
    X: np.ndarray,
    y: np.ndarray,
    rate: float,
    steps: int,
    penalty: Penalty = NONE,
) -> list[float]:
    """Full-batch gradient descent in place; the loss before each update."""
    losses = []
    for _ in range(steps):
        loss, grads = manual.loss_and_grads(models.get(name), params, X, y, penalty=penalty)
        losses.append(float(loss))
        for key, value in params.items():
            value -= rate * grads[key]
    return losses


# cs231n, assignment 1, two_layer_net.ipynb: its toy model and data.


def toy_network() -> tuple[Params, np.ndarray, np.ndarray]:
    rng = np.random.RandomState(0)
    W1, W2 = 1e-1 * rng.randn(4, 10), 1e-1 * rng.randn(10, 3)
    X = 10 * np.random.RandomState(1).randn(5, 4)
    return {"W1": W1, "b1": np.zeros(10), "W2": W2, "b2": np.zeros(3)}, X, np.array([0, 1, 2, 2, 1])


def test_toy_network_of_cs231n_has_its_published_loss() -> None:
    params, X, y = toy_network()
    loss, _ = manual.loss_and_grads(models.get("two_layer"), params, X, y, penalty=Penalty("sum", 0.05))
    assert loss == pytest.approx(1.30378789133, abs=1e-11)


def test_toy_network_of_cs231n_has_its_published_scores() -> None:
    params, X, _ = toy_network()
    published = [
        [-0.81233741, -1.27654624, -0.70335995],
        [-0.17129677, -1.18803311, -0.47310444],
        [-0.51590475, -1.01354314, -0.8504215],
        [-0.15419291, -0.48629638, -0.52901952],
        [-0.00618733, -0.12435261, -0.15226949],
    ]
    np.testing.assert_allclose(models.get("two_layer").scores(params, X), published, atol=5e-9)


def test_a_half_too_many_in_the_penalty_misses_the_published_loss_by_a_known_amount() -> None:
    params, X, y = toy_network()
    loss, _ = manual.loss_and_grads(models.get("two_layer"), params, X, y, penalty=Penalty("half", 0.05))
    assert 1.30378789133 - loss == pytest.approx(0.01896542, abs=5e-9)


def test_gradient_of_the_second_layer_is_the_sum_of_outer_products() -> None:
    params, X, y = toy_network()
    a1 = np.maximum(X @ params["W1"] + params["b1"], 0)
    dscores = np.exp(a1 @ params["W2"]) / np.exp(a1 @ params["W2"]).sum(1, keepdims=True)
    dscores[np.arange(5), y] -= 1
    outer = sum(np.outer(a, d) for a, d in zip(a1, dscores / 5, strict=True))
    _, grads = manual.loss_and_grads(models.get("two_layer"), params, X, y)
    np.testing.assert_allclose(grads["W2"], outer, rtol=1e-12, atol=1e-16)


def test_spiral_of_the_cs231n_case_study_gives_its_published_trace() -> None:
    rng = np.random.RandomState(0)
    r, arms = np.linspace(0, 1, 100), []
    for j in range(3):
        t = np.linspace(4 * j, 4 * (j + 1), 100) + 0.2 * rng.randn(100)
        arms.append(np.stack([r * np.sin(t), r * np.cos(t)], axis=1))
    X, y = np.concatenate(arms), np.repeat(np.arange(3), 100)
    params = {"W": 0.01 * rng.randn(2, 3), "b": np.zeros(3)}
    losses = descend("softmax", params, X, y, 1.0, 200, Penalty("half", 1e-3))
    published = {0: 1.096919, 10: 0.917310, 20: 0.851535, 30: 0.822352, 190: 0.786302}
    for iteration, loss in published.items():
        assert losses[iteration] == pytest.approx(loss, abs=6e-7)
    assert (models.get("softmax").scores(params, X).argmax(1) == y).mean() == pytest.approx(0.49, abs=0.005)


def standardised_parabola() -> tuple[np.ndarray, np.ndarray]:
    x, y = toy.quadratic(5)
    raw = features.polynomial(x, 2)
    target = y[:, None]
    standardised = features.Columns.of(raw).standardize(raw), features.Columns.of(target).standardize(target)
    return standardised[0].astype(np.float32), standardised[1].astype(np.float32)


# The published output was made with rate 0.03, although the published code says 0.02.
@pytest.mark.parametrize(
    ("rate", "weights"), [(0.03, [0.49954653, 0.5004535]), (0.02, [0.4996977, 0.5003023])]
)
def test_standardised_parabola_gives_the_published_loss_and_weights(
    rate: float, weights: list[float]
) -> None:
    X, y = standardised_parabola()
    params = {"W": np.full((2, 1), 0.5, np.float32), "b": np.full(1, 0.5, np.float32)}
    losses = descend("linear_regression", params, X, y, rate, 1)
    assert losses[0] == pytest.approx(0.25755801796913147, rel=1e-6)
    np.testing.assert_allclose(params["W"][:, 0], weights, rtol=2e-7)


def test_raw_parabola_diverges_as_published() -> None:
    x, y = toy.quadratic(5)
    X, targets = features.polynomial(x, 2).astype(np.float32), y[:, None].astype(np.float32)
    params = {"W": np.full((2, 1), 0.5, np.float32), "b": np.full(1, 0.5, np.float32)}
    losses = descend("linear_regression", params, X, targets, 0.01, 1)
    assert losses[0] == pytest.approx(25.450000762939453, rel=1e-7)
    np.testing.assert_allclose([*params["b"], *params["W"][:, 0]], [0.57, 0.81, 1.898], rtol=1e-6)
    losses += descend("linear_regression", params, X, targets, 0.01, 20)
    assert losses[10] == pytest.approx(2.1e11, rel=0.03)  # published as about 2.1e11 and 1.78e21
    assert losses[20] == pytest.approx(1.78e21, rel=0.01)


def test_first_loss_of_the_random_regression_is_what_its_distribution_says() -> None:
    # E‖relu(xW1)W2 - y‖² over standard normal draws is N·C·(1 + H·D/2): 32,000,640 of the exercise's own
    # N = 64, D = 1000, H = 100, C = 10, of which smaller ones tell more draws a second.
    N, D, H, C = 8, 20, 30, 5
    rng = np.random.default_rng(0)
    losses = []
    for _ in range(2000):
        params = {"W1": rng.standard_normal((D, H)), "W2": rng.standard_normal((H, C))}
        X, y = rng.standard_normal((N, D)), rng.standard_normal((N, C))
        losses.append(manual.loss_and_grads(models.get("two_layer_regression"), params, X, y)[0])
    standard_error = np.std(losses, ddof=1) / np.sqrt(len(losses))
    assert standard_error < 0.02 * np.mean(losses)
    assert abs(np.mean(losses) - N * C * (1 + H * D / 2)) < 3 * standard_error


def test_random_regression_follows_torchs_sequential_and_sgd_along_the_whole_trajectory() -> None:
    N, D, H, C, rate = 16, 50, 20, 4, 1e-4
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((N, D)), rng.standard_normal((N, C))
    params = {"W1": rng.standard_normal((D, H)), "W2": rng.standard_normal((H, C))}
    network = torch.nn.Sequential(
        torch.nn.Linear(D, H, bias=False, dtype=torch.float64),
        torch.nn.ReLU(),
        torch.nn.Linear(H, C, bias=False, dtype=torch.float64),
    )
    with torch.no_grad():
        network[0].weight.copy_(torch.from_numpy(params["W1"].T))
        network[2].weight.copy_(torch.from_numpy(params["W2"].T))
    optimiser = torch.optim.SGD(network.parameters(), lr=rate)
    theirs = []
    for _ in range(100):
        loss = ((network(torch.from_numpy(X)) - torch.from_numpy(y)) ** 2).sum()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        theirs.append(loss.item())
    ours = descend("two_layer_regression", params, X, y, rate, 100)
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)
    assert ours[-1] < ours[0] / 1000


def test_softmax_with_small_weights_on_pictures_starts_at_the_logarithm_of_the_classes() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((50, 3073)), rng.integers(10, size=50)
    params = {"W": 1e-4 * rng.standard_normal((3073, 10)), "b": np.zeros(10)}
    loss, _ = manual.loss_and_grads(models.get("softmax"), params, X, y)
    assert loss == pytest.approx(np.log(10), rel=1e-3)


def test_softmax_in_loops_over_samples_in_columns_gives_the_same_loss_and_gradient() -> None:
    rng = np.random.default_rng(0)
    D, N, C, strength = 30, 20, 10, 0.1
    X, y = rng.standard_normal((D, N)), rng.integers(C, size=N)
    W = rng.standard_normal((C, D))
    loss, dW = 0.0, np.zeros_like(W)
    for i in range(N):
        powers = np.exp(W @ X[:, i])
        p = powers / powers.sum()
        loss -= np.log(p[y[i]]) / N
        for j in range(C):
            dW[j] += (p[j] - (j == y[i])) * X[:, i] / N
    loss += strength / 2 * (W**2).sum()
    dW += strength * W
    ours, grads = manual.loss_and_grads(
        models.get("softmax"), {"W": W.T, "b": np.zeros(C)}, X.T, y, penalty=Penalty("half", strength)
    )
    assert ours == pytest.approx(loss, rel=1e-12)
    np.testing.assert_allclose(grads["W"].T, dW, rtol=1e-12, atol=1e-14)
