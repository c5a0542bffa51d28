"""Exercise 3: why is the gradient divided by N? A softmax classifier on the spiral, and a network beside it.

Source: cs231n, "Putting it together: Minimal Neural Network Case Study"; its notebook begins with seed(0).
The derivation is in docs/exercises/spiral.md.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.datasets import toy
from pipeline.exercises import checks, spiral_batches
from pipeline.exercises.checks import relative_difference
from pipeline.exercises.counterparts import logistic_regression, mlp_classifier_step
from pipeline.exercises.descent import Gradient, losses
from pipeline.exercises.outcome import Claim, Outcome, Trace, at_least, at_most, published
from pipeline.learning.arrays import Array, Params, Workspace
from pipeline.learning.gradient_check import Problem
from pipeline.learning.gradients import manual
from pipeline.learning.models import Model, softmax, two_layer
from pipeline.learning.penalty import NONE, Penalty
from pipeline.learning.randomness import generator
from pipeline.params.exercise.spiral import SpiralParams

TITLE = "Softmax classifier on the spiral"
QUESTION = (
    "The gradient of the softmax loss is divided by the number of samples, once, at the scores. Why there, "
    "why at all, and is it some kind of regularisation?"
)
ANSWER = (
    "The loss is a mean over N samples, so each sample's share of the gradient carries 1/N; backpropagation "
    "is linear, so it makes no difference whether the scores' gradient or every weight's is divided. "
    "It regularises nothing: a sum with step/N and N times the penalty takes exactly the same path, but with "
    "the step fixed a sum makes the effective step grow with the batch."
)
ASKED = "the gradient of the scores is divided by N"
ANSWERED = "the gradients of W and b are divided by N instead, which is the same"
RECIPE = SpiralParams(
    seed=0,
    points=100,
    noise=0.2,
    initial_std=0.01,
    learning_rate=1.0,
    penalty=1e-3,
    iterations=200,
    hidden=100,
    network_iterations=10_000,
)
PUBLISHED = {0: 1.096919, 10: 0.917310, 20: 0.851535, 30: 0.822352, 190: 0.786302}
# Of the notebook. Its later losses differ from machine to machine: training amplifies the rounding.
NETWORK_PUBLISHED = {0: 1.098637, 1000: 0.294416}
HALF_A_DIGIT = 0.5e-6
ARMS = 3


@dataclass(frozen=True)
class Start:
    """The samples, and the parameters of both models, from one stream of draws as the author drew them."""

    X: Array
    y: Array
    linear: Params
    network: Params


def draw(settings: SpiralParams) -> Start:
    """Draw the data, then the linear classifier's weights, then the network's."""
    rng = np.random.RandomState(settings.seed)
    X, y = toy.spiral(settings.points, settings.noise, rng, ARMS)
    std, hidden = settings.initial_std, settings.hidden
    linear = {"W": std * rng.randn(2, ARMS), "b": np.zeros(ARMS)}
    W1, W2 = std * rng.randn(2, hidden), std * rng.randn(hidden, ARMS)
    return Start(X, y, linear, {"W1": W1, "b1": np.zeros(hidden), "W2": W2, "b2": np.zeros(ARMS)})


def scores_divided(
    model: Model, params: Params, X: Array, y: Array, penalty: Penalty = NONE, **options: Any
) -> tuple[Any, Params]:
    """Return loss and gradient as asked: the mean, its 1/N at the scores."""
    return manual.loss_and_grads(model, params, X, y, penalty=penalty, **options)


def weights_divided(
    model: Model, params: Params, X: Array, y: Array, penalty: Penalty = NONE, **options: Any
) -> tuple[Any, Params]:
    """Return loss and gradient as answered: the sum's, with every gradient divided by N at the end."""
    loss, grads = manual.loss_and_grads(model, params, X, y, reduction="sum", **options)
    grads = {name: grad / len(X) for name, grad in grads.items()}
    penalty.add_gradient(grads, params, len(X))
    return loss / len(X) + penalty.value(params, len(X)), grads


WAYS = {"asked": scores_divided, "answered": weights_divided}


def run(variant: str, settings: SpiralParams) -> Outcome:
    """Train both classifiers, and show what dividing by N does and what it doesn't."""
    start = draw(settings)
    X, y, penalty = start.X, start.y, Penalty("half", settings.penalty)
    as_published = RECIPE.model_copy(update={"seed": settings.seed})
    way, other = WAYS[variant], next(WAYS[name] for name in WAYS if name != variant)
    rate, iterations = settings.learning_rate, settings.iterations
    linear, trace = losses(start.linear, _gradient(way, softmax, X, y, penalty), rate, iterations)
    _, other_trace = losses(start.linear, _gradient(other, softmax, X, y, penalty), rate, iterations)
    network, network_trace = losses(
        start.network,
        _gradient(way, two_layer, X, y, penalty, buffer=Workspace(X.dtype)),
        rate,
        settings.network_iterations,
    )
    summed = manual.loss_and_grads(softmax, start.linear, X, y, reduction="sum")[1]
    averaged = way(softmax, start.linear, X, y)[1]
    families = dict(spiral_batches.families(settings, start.linear, X, y, penalty))
    results: dict[str, Any] = {
        "accuracy": checks.accuracy(softmax, linear, X, y),
        "network": {"accuracy": checks.accuracy(two_layer, network, X, y), "trace": network_trace},
        "sum_over_mean": float(np.linalg.norm(_joined(summed)) / np.linalg.norm(_joined(averaged))),
        **families,
        "scikit_learn": _scikit_learn(start, linear, penalty, RECIPE.initial_std / settings.initial_std),
    }
    claims = [
        *(_published(trace, network_trace, results) if settings == RECIPE else []),
        at_most(
            "the summed gradient over the averaged one: relative difference from N",
            relative_difference(_joined(summed), len(X) * _joined(averaged)),
            1e-12,
        ),
        at_most(
            "dividing at the scores or at the weights: losses differ by", _apart(trace, other_trace), 1e-10
        ),
        at_most(
            "a sum, with step/N and N times the penalty, takes the same path: losses differ by",
            _apart(trace, _rescaled_sum(settings, start, penalty)),
            1e-10,
        ),
        *(spiral_batches.claims(families, len(X)) if settings == as_published else []),
        at_most(
            "largest gradient of our loss where LogisticRegression ends",
            results["scikit_learn"]["gradient_at_logistic_regression"],
            1e-3,
        ),
        at_most(
            "MLPClassifier's loss after a full-batch step from the same weights, relative difference",
            results["scikit_learn"]["mlp_step_difference"],
            1e-6,
        ),
        *checks.gradient_claims(
            Problem(softmax, X, y, penalty), _anywhere(linear, settings.seed), settings.seed, way
        ),
        *checks.gradient_claims(
            Problem(two_layer, X, y, penalty), _anywhere(network, settings.seed), settings.seed, way
        ),
    ]
    learned = {**linear, **{f"network.{name}": value for name, value in network.items()}}
    return Outcome("softmax", "manual", X, y, trace, results, claims, learned, _print(trace, results))


def timings(settings: SpiralParams) -> dict[str, float]:
    """This exercise says nothing of speed."""
    return {}


def _gradient(
    way: Callable[..., tuple[Any, Params]], model: Model, X: Array, y: Array, penalty: Penalty, **options: Any
) -> Gradient:
    return lambda params: way(model, params, X, y, penalty=penalty, **options)


def _rescaled_sum(settings: SpiralParams, start: Start, penalty: Penalty) -> Trace:
    """Descend the N times larger loss: the sum over samples and N times the penalty, by step/N."""
    N = len(start.X)
    larger = Penalty(penalty.kind, N * penalty.strength)

    def gradient(params: Params) -> tuple[Any, Params]:
        loss, grads = manual.loss_and_grads(
            softmax, params, start.X, start.y, penalty=larger, reduction="sum"
        )
        return loss / N, grads

    return losses(start.linear, gradient, settings.learning_rate / N, settings.iterations)[1]


def _scikit_learn(start: Start, linear: Params, penalty: Penalty, size: float) -> dict[str, float]:
    """Hold scikit-learn's estimators of the same loss against ours; the network's weights are `size` times.

    MLPClassifier clips probabilities below 2e-16, which larger weights would reach.
    """
    X, y = start.X, start.y
    theirs = logistic_regression(X, y, penalty.strength)
    optimum = {"W": theirs.coef_.T, "b": theirs.intercept_}
    loss, grads = manual.loss_and_grads(softmax, optimum, X, y, penalty=penalty)
    return {
        "logistic_regression_loss": float(loss),
        "logistic_regression_accuracy": float(theirs.score(X, y)),
        "our_loss": float(manual.loss_and_grads(softmax, linear, X, y, penalty=penalty)[0]),
        "gradient_at_logistic_regression": float(max(np.abs(grad).max() for grad in grads.values())),
        "mlp_step_difference": mlp_classifier_step(
            Problem(two_layer, X, y, penalty),
            {name: size * value for name, value in start.network.items()},
            0.1,
        ),
    }


def _published(trace: Trace, network_trace: Trace, results: dict[str, Any]) -> list[Claim]:
    return [
        *(
            published(f"loss at iteration {at}", trace[at]["loss"], number, HALF_A_DIGIT)
            for at, number in PUBLISHED.items()
        ),
        published("training accuracy", results["accuracy"], 0.49, 0.005),
        *(
            published(
                f"the network's loss at iteration {at}", network_trace[at]["loss"], number, HALF_A_DIGIT
            )
            for at, number in NETWORK_PUBLISHED.items()
        ),
        at_least("the network's training accuracy, published as 0.98", results["network"]["accuracy"], 0.97),
    ]


def _apart(trace: Trace, other: Trace) -> float:
    return relative_difference([row["loss"] for row in trace], [row["loss"] for row in other])


def _joined(grads: Params) -> Array:
    return np.concatenate([grad.ravel() for grad in grads.values()])


def _anywhere(params: Params, seed: int) -> Params:
    """Draw parameters of these shapes where the gradient is large: at the end of training it vanishes."""
    rng = generator(seed, "check")
    return {name: rng.standard_normal(value.shape) for name, value in params.items()}


def _print(trace: Trace, results: dict[str, Any]) -> list[str]:
    """Return the lines that the notebook prints."""
    network = results["network"]
    return [
        *(f"iteration {row['iteration']}: loss {row['loss']:f}" for row in trace[::10]),
        f"training accuracy: {results['accuracy']:.2f}",
        *(f"iteration {row['iteration']}: loss {row['loss']:f}" for row in network["trace"][::1000]),
        f"training accuracy: {network['accuracy']:.2f}",
    ]
