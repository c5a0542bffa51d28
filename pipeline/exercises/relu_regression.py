"""Exercise 5: why are gradients products of the layers in reverse? A ReLU regression on random data.

Source: "Learning PyTorch with Examples", its NumPy and its PyTorch version.
The derivation is in docs/exercises/relu_regression.md.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from threadpoolctl import threadpool_limits

from pipeline.exercises.checks import gradient_claims, relative_difference, worst_difference
from pipeline.exercises.descent import losses
from pipeline.exercises.outcome import Claim, Outcome, Trace, at_most, is_true
from pipeline.exercises.relu_regression_counterparts import mlp_regressor_step
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradient_check import Problem
from pipeline.learning.gradients import autograd, manual
from pipeline.learning.models import two_layer_regression
from pipeline.learning.penalty import NONE
from pipeline.learning.randomness import generator
from pipeline.params.exercise.relu_regression import ReluRegressionParams

TITLE = "Two-layer ReLU regression on random data"
QUESTION = (
    "In the hand-written backward pass the gradients are products of the layers' matrices in reverse order, "
    "some of them transposed, and it begins with 2(ŷ - y). Why is that a gradient, and why these products?"
)
ANSWER = (
    "The loss is a sum of squares, whose derivative by each prediction is 2(ŷ - y); every step back "
    "multiplies by the derivative of one layer, from the last to the first, as the chain rule demands. "
    "The transposes are what makes each product the sum over samples or outputs that the chain rule asks for."
)
ASKED = "the gradient derived by hand, in NumPy"
ANSWERED = "autograd with nn.Sequential and torch.optim.SGD, which is the same"
RECIPE = ReluRegressionParams(
    seed=0, samples=64, inputs=1000, hidden=100, outputs=10, learning_rate=1e-6, iterations=500
)
# The trajectories amplify the rounding of their steps.
TRAJECTORY_BOUND = 1e-8
# One product of matrices in another order of summation.
ROUNDING_BOUND = 1e-12
# Draws to average the first loss over; the mean of so many is all but normal.
DRAWS = 200
STANDARD_ERRORS = 5.0


def draw(
    settings: ReluRegressionParams, rng: "np.random.RandomState | np.random.Generator"
) -> tuple[Array, Array, Params]:
    """Draw X (N, D), y (N, C) and the weights, all N(0, 1), in the order of the source."""
    N, D, H, C = settings.samples, settings.inputs, settings.hidden, settings.outputs
    X, y = (rng.standard_normal(shape) for shape in ((N, D), (N, C)))
    return X, y, {"W1": rng.standard_normal((D, H)), "W2": rng.standard_normal((H, C))}


def run(variant: str, settings: ReluRegressionParams) -> Outcome:
    """Train three ways from the same start, and hold every factor of the chain rule against autograd."""
    X, y, start = draw(settings, np.random.RandomState(settings.seed))
    ways = _ways(start, X, y, settings)
    weights, trace = ways["manual" if variant == "asked" else "torch.optim"]
    apart = float(np.max([_apart(ways[way], ways["manual"]) for way in ("autograd", "torch.optim")]))
    intermediates = _intermediates(start, X, y)
    results: dict[str, Any] = {
        "worst_relative_difference": apart,
        "intermediates": intermediates,
        "at_zero": _at_exactly_zero(start, X, y),
        **_first_losses(settings),
        "derivative_by_the_predictions": _by_the_predictions(start, X, y, settings.seed),
        "scikit_learn": mlp_regressor_step(start, X, y, settings.learning_rate),
        "autograd": {"trace": ways["autograd"][1]},
    }
    claims = [
        at_most(
            "three ways to descend: largest relative difference on the whole path", apart, TRAJECTORY_BOUND
        ),
        *(
            at_most(f"{name}, against autograd's of the same tensor", found["difference"], ROUNDING_BOUND)
            for name, found in intermediates.items()
        ),
        at_most(
            "the chain rule step by step against the model's own backward",
            _against_the_model(start, X, y),
            ROUNDING_BOUND,
        ),
        *_claims(results),
        *gradient_claims(Problem(two_layer_regression, X, y, NONE), start, settings.seed),
    ]
    gradient = "manual" if variant == "asked" else "autograd"
    return Outcome(
        "two_layer_regression", gradient, X, y, trace, results, claims, weights, _print(trace, intermediates)
    )


def timings(settings: ReluRegressionParams) -> dict[str, float]:
    """This exercise says nothing of speed."""
    return {}


def step_by_step(params: Params, X: Array, y: Array) -> dict[str, Array]:
    """Return the gradient of the loss by each tensor on the way back, by the chain rule, last first."""
    W1, W2 = params["W1"], params["W2"]
    h = X @ W1  # (N, H)
    h_relu = np.maximum(h, 0)  # (N, H)
    y_pred = h_relu @ W2  # (N, C)
    grad_y_pred = 2 * (y_pred - y)  # (N, C)
    grad_h_relu = grad_y_pred @ W2.T  # (N, H) = (N, C)·(C, H)
    grad_h = np.where(h > 0, grad_h_relu, 0)  # (N, H)
    return {
        "grad_y_pred": grad_y_pred,
        "grad_w2": h_relu.T @ grad_y_pred,  # (H, C) = (H, N)·(N, C)
        "grad_h_relu": grad_h_relu,
        "grad_h": grad_h,
        "grad_w1": X.T @ grad_h,  # (D, H) = (D, N)·(N, H)
    }


def by_autograd(params: Params, X: Array, y: Array) -> dict[str, Array]:
    """Return what `step_by_step` does, by torch's differentiation of the same tensors."""
    W1, W2 = (torch.from_numpy(params[name]).requires_grad_() for name in ("W1", "W2"))
    h = torch.from_numpy(X) @ W1
    h_relu = h.relu()
    y_pred = h_relu @ W2
    loss = (y_pred - torch.from_numpy(y)).square().sum()
    grads = torch.autograd.grad(loss, (y_pred, W2, h_relu, h, W1))
    names = ("grad_y_pred", "grad_w2", "grad_h_relu", "grad_h", "grad_w1")
    return {name: grad.numpy() for name, grad in zip(names, grads, strict=True)}


def descend_with_torch(
    start: Params, X: Array, y: Array, settings: ReluRegressionParams
) -> tuple[Params, Trace]:
    """Train as PyTorch's users do: nn.Sequential, MSELoss of the sum, torch.optim.SGD."""
    first, second = (
        torch.nn.Linear(inputs, outputs, bias=False, dtype=torch.float64)
        for inputs, outputs in (start["W1"].shape, start["W2"].shape)
    )
    with torch.no_grad():  # nn.Linear keeps the transpose
        first.weight.copy_(torch.from_numpy(start["W1"]).T)
        second.weight.copy_(torch.from_numpy(start["W2"]).T)
    network = torch.nn.Sequential(first, torch.nn.ReLU(), second)
    criterion = torch.nn.MSELoss(reduction="sum")
    optimiser = torch.optim.SGD(network.parameters(), lr=settings.learning_rate)
    samples, targets = torch.from_numpy(X), torch.from_numpy(y)
    trace: Trace = []
    for iteration in range(settings.iterations):
        loss = criterion(network(samples), targets)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        trace.append({"iteration": iteration, "loss": loss.item()})
    return {
        "W1": first.weight.detach().numpy().T.copy(),
        "W2": second.weight.detach().numpy().T.copy(),
    }, trace


def _ways(
    start: Params, X: Array, y: Array, settings: ReluRegressionParams
) -> dict[str, tuple[Params, Trace]]:
    """Train the three ways. On one thread: at these sizes, waking a second takes longer than it saves."""
    with threadpool_limits(1):
        return {
            "manual": _descend(manual.loss_and_grads, start, X, y, settings),
            "autograd": _descend(autograd.loss_and_grads, start, X, y, settings),
            "torch.optim": descend_with_torch(start, X, y, settings),
        }


def _descend(
    engine: Callable[..., tuple[Any, Params]],
    start: Params,
    X: Array,
    y: Array,
    settings: ReluRegressionParams,
) -> tuple[Params, Trace]:
    return losses(
        start,
        lambda params: engine(two_layer_regression, params, X, y),
        settings.learning_rate,
        settings.iterations,
    )


def _apart(way: tuple[Params, Trace], reference: tuple[Params, Trace]) -> float:
    """Return the largest relative difference of a loss on the path, or of the weights at its end."""
    ours, theirs = (np.array([row["loss"] for row in trace]) for _, trace in (way, reference))
    return float(np.maximum(np.max(np.abs(ours / theirs - 1)), worst_difference(way[0], reference[0])))


def _intermediates(params: Params, X: Array, y: Array) -> dict[str, dict[str, Any]]:
    ours, theirs = step_by_step(params, X, y), by_autograd(params, X, y)
    return {
        name: {"shape": list(grad.shape), "difference": relative_difference(grad, theirs[name])}
        for name, grad in ours.items()
    }


def _against_the_model(params: Params, X: Array, y: Array) -> float:
    grads = manual.loss_and_grads(two_layer_regression, params, X, y)[1]
    ours = step_by_step(params, X, y)
    return worst_difference({"W1": ours["grad_w1"], "W2": ours["grad_w2"]}, grads)


def _at_exactly_zero(params: Params, X: Array, y: Array) -> dict[str, float]:
    """Compare the two masks and autograd where a hidden unit's input is exactly 0 for every sample.

    Returns the norm of the gradient of that unit's weights by each; only `h < 0` lets one through.
    """
    W1 = params["W1"].copy()
    W1[:, 0] = 0
    params = {**params, "W1": W1}
    by_model = manual.loss_and_grads(two_layer_regression, params, X, y)[1]["W1"]
    by_torch = autograd.loss_and_grads(two_layer_regression, params, X, y)[1]["W1"]
    through = step_by_step(params, X, y)["grad_h_relu"].copy()
    through[X @ W1 < 0] = 0
    return {
        "mask_less": float(np.linalg.norm((X.T @ through)[:, 0])),
        "mask_less_or_equal": float(np.linalg.norm(by_model[:, 0])),
        "autograd": float(np.linalg.norm(by_torch[:, 0])),
    }


def _first_losses(settings: ReluRegressionParams) -> dict[str, float]:
    """Compare the first loss, averaged over draws, with what is expected of it.

    A prediction is a sum of H products of a ReLU of N(0, D), whose mean square is D/2, with N(0, 1):
    its variance is H·D/2, and that of its error 1 more, for the target.
    """
    rng = generator(settings.seed, "first losses")
    first = [
        float(two_layer_regression.LOSS.value(two_layer_regression.scores(params, X), y))
        for X, y, params in (draw(settings, rng) for _ in range(DRAWS))
    ]
    N, D, H, C = settings.samples, settings.inputs, settings.hidden, settings.outputs
    return {
        "expected_first_loss": N * C * (1 + H * D / 2),
        "mean_first_loss": float(np.mean(first)),
        "standard_error": float(np.std(first, ddof=1) / np.sqrt(DRAWS)),
    }


def _by_the_predictions(params: Params, X: Array, y: Array, seed: int) -> float:
    """Return how far 2(ŷ - y) is from a central difference of the loss along a random direction of ŷ.

    The loss is a quadratic in ŷ, so that the difference over any step is exact but for rounding.
    """
    y_pred = two_layer_regression.scores(params, X)
    direction = generator(seed, "predictions").standard_normal(y_pred.shape)
    ahead, behind = (two_layer_regression.LOSS.value(y_pred + sign * direction, y) for sign in (1, -1))
    return relative_difference(np.vdot(2 * (y_pred - y), direction), (ahead - behind) / 2)


def _claims(results: dict[str, Any]) -> list[Claim]:
    zero, theirs = results["at_zero"], results["scikit_learn"]
    deviation = abs(results["mean_first_loss"] - results["expected_first_loss"])
    return [
        at_most(
            "2(ŷ - y) against a central difference, relative",
            results["derivative_by_the_predictions"],
            1e-9,
        ),
        at_most(
            f"mean first loss of {DRAWS} draws: standard errors from N·C·(1 + H·D/2)",
            deviation / results["standard_error"],
            STANDARD_ERRORS,
        ),
        at_most("at exactly 0: our gradient", zero["mask_less_or_equal"], 0.0),
        at_most("at exactly 0: autograd's gradient", zero["autograd"], 0.0),
        is_true("at exactly 0: the mask h < 0 lets a gradient through", zero["mask_less"] > 0),
        at_most(
            "MLPRegressor's weights after one step, relative difference", theirs["weights_difference"], 1e-6
        ),
        at_most("MLPRegressor's loss after one step, relative difference", theirs["loss_difference"], 1e-6),
    ]


def _print(trace: Trace, intermediates: dict[str, dict[str, Any]]) -> list[str]:
    """Return the lines of the tutorial, every fiftieth and the last, and the chain rule with its shapes."""
    factors = {
        "grad_y_pred": "2 (y_pred - y)",
        "grad_w2": "h_relu^T . grad_y_pred",
        "grad_h_relu": "grad_y_pred . w2^T",
        "grad_h": "grad_h_relu, 0 where h <= 0",
        "grad_w1": "x^T . grad_h",
    }
    shown = [row for row in trace if row["iteration"] % 50 == 0 or row is trace[-1]]
    return [
        *(f"{row['iteration']} {row['loss']}" for row in shown),
        *(f"{name:12} {intermediates[name]['shape']!s:12} = {factor}" for name, factor in factors.items()),
    ]
