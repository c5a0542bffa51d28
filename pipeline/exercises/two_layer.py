"""Exercise 2: why is dW2 = a1ᵀ·dscores, with that transpose? The toy network of a two-layer classifier.

Source: cs231n, assignment 1, two_layer_net.ipynb and neural_net.py.
The derivation is in docs/exercises/two_layer.md.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.exercises.checks import accuracy, gradient_claims, relative_difference
from pipeline.exercises.counterparts import mlp_classifier_step
from pipeline.exercises.outcome import Claim, Outcome, at_least, at_most, is_true, plain, published
from pipeline.exercises.two_layer_products import (
    factors,
    from_own_losses,
    matrix_product,
    outer_products,
    sum_of_outer_products,
    wrong_orders,
)
from pipeline.exercises.two_layer_training import Training, ends_epoch, train_as_the_course_does
from pipeline.learning import gradient_check
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradient_check import BOUNDS, Problem
from pipeline.learning.gradients import autograd, manual
from pipeline.learning.models import two_layer
from pipeline.learning.penalty import Penalty
from pipeline.learning.randomness import generator
from pipeline.params.exercise.two_layer import TwoLayerExerciseParams

TITLE = "Two-layer network, and the transpose in its gradient"
QUESTION = (
    "The gradient of the second layer's weights is the product of the transposed activations and the scores' "
    "gradient, in that order. Where does the transpose come from, and why not another order?"
)
ANSWER = (
    "One sample's gradient is the outer product of its activations and its scores' gradient; the batch's is "
    "the sum of these over the samples, and that sum, written as one product of matrices, is a1ᵀ·dscores. "
    "The shapes leave no other order: each is a shape error, or a wrong number where sizes happen to agree."
)
ASKED = "dW2 as the product of matrices a1ᵀ·dscores"
ANSWERED = "dW2 as the sum over samples of outer products, which is the same"
RECIPE = TwoLayerExerciseParams(
    seed=0,
    samples=5,
    inputs=4,
    hidden=10,
    classes=3,
    initial_std=0.1,
    checked_penalty=0.05,
    penalty=5e-6,
    learning_rate=0.1,
    decay=0.95,
    iterations=100,
    batch_size=200,
)
LABELS = (0, 1, 2, 2, 1)
PUBLISHED_LOSS = 1.30378789133
PUBLISHED_SCORES = (
    (-0.81233741, -1.27654624, -0.70335995),
    (-0.17129677, -1.18803311, -0.47310444),
    (-0.51590475, -1.01354314, -0.8504215),
    (-0.15419291, -0.48629638, -0.52901952),
    (-0.00618733, -0.12435261, -0.15226949),
)
PUBLISHED_HALF = 0.01896542
# Sums of the same products in another order.
ROUNDING = 1e-12
# A path amplifies the rounding of its steps.
PATH = 1e-10
# Sizes N, H, C at which some wrong order has the shape of dW2.
SQUARE = {"H_equals_N": (5, 5, 3), "H_equals_C": (5, 3, 3), "all_equal": (3, 3, 3)}
# Of the step beside scikit-learn's.
STEP = 0.1
# How many samples' outer products the results hold, for the picture.
SHOWN = 5
WAYS = {"asked": matrix_product, "answered": outer_products}


@dataclass(frozen=True)
class Toy:
    """The network as drawn, the stream that it was drawn from, and the samples."""

    params: Params
    rng: np.random.RandomState
    X: Array
    y: Array


def draw(settings: TwoLayerExerciseParams) -> Toy:
    """Draw the network's weights by the seed, and the samples by the one after it.

    The labels are the published ones at the recipe's sizes, else drawn after the inputs.
    """
    N, D, H, C = settings.samples, settings.inputs, settings.hidden, settings.classes
    rng, of_data = np.random.RandomState(settings.seed), np.random.RandomState(settings.seed + 1)
    W1, W2 = (settings.initial_std * rng.randn(*shape) for shape in ((D, H), (H, C)))
    X = 10 * of_data.randn(N, D)
    y = np.array(LABELS) if (RECIPE.samples, RECIPE.classes) == (N, C) else of_data.randint(C, size=N)
    return Toy({"W1": W1, "b1": np.zeros(H), "W2": W2, "b2": np.zeros(C)}, rng, X, y)


def run(variant: str, settings: TwoLayerExerciseParams) -> Outcome:
    """Check the toy network's scores, loss and gradient, train it, and show what its dW2 is."""
    toy = draw(settings)
    params, X, y = toy.params, toy.X, toy.y
    way, other = WAYS[variant], next(WAYS[name] for name in WAYS if name != variant)
    training, dW2_difference = _train(way, other, settings)
    other_training, _ = _train(other, way, settings)
    penalty = Penalty("sum", settings.checked_penalty)
    loss, grads = way(two_layer, params, X, y, penalty)
    a1, dscores = factors(params, X, y)
    results: dict[str, Any] = {
        "toy_scores": two_layer.scores(params, X),
        "toy_loss": loss,
        "toy_loss_with_half_the_penalty": way(two_layer, params, X, y, Penalty("half", penalty.strength))[0],
        "toy_gradients": grads,
        "outer_products": [np.outer(a, d) for a, d in zip(a1[:SHOWN], dscores[:SHOWN], strict=True)],
        "sum_of_outer_products": sum_of_outer_products(a1, dscores),
        "outer_product_difference": dW2_difference,
        "own_loss_difference": from_own_losses(params, X, y),
        "wrong_orders": dict(_orders(settings, a1, dscores)),
        "final_loss": training.trace[-1]["loss"],
        "final_learning_rate": training.trace[-1]["learning_rate"],
        "accuracy": accuracy(two_layer, training.params, X, y),
        "epochs": {"count": len(training.epochs), "trace": training.epochs},
        "scikit_learn": {"mlp_step_difference": _mlp_step_difference(toy, penalty, settings)},
    }
    results = plain(results)
    claims = [
        *(_published(results) if settings == RECIPE else []),
        *_claims(results, params, penalty),
        at_most(
            "dW2 by either way: losses of the toy run differ by, relative",
            relative_difference(_losses(training), _losses(other_training)),
            PATH,
        ),
        is_true(
            "at 390.625 iterations an epoch the rate decays every 3,125 iterations, first after iteration 0",
            [at for at in range(10_000) if ends_epoch(at, 50_000, 128)] == [0, 3125, 6250, 9375],
        ),
        *_gradient_claims(Problem(two_layer, X, y, penalty), settings, way),
    ]
    return Outcome(
        "two_layer",
        "manual",
        X,
        y,
        training.trace,
        results,
        claims,
        training.params,
        _print(training, results),
    )


def timings(settings: TwoLayerExerciseParams) -> dict[str, float]:
    """This exercise says nothing of speed."""
    return {}


def _train(way: Any, other: Any, settings: TwoLayerExerciseParams) -> tuple[Training, float]:
    """Train the network, made anew; also return how far both ways' dW2 are apart at worst."""
    toy, penalty = draw(settings), Penalty("sum", settings.penalty)
    differences = []

    def gradient(params: Params, X: Array, y: Array) -> tuple[Any, Params]:
        loss, grads = way(two_layer, params, X, y, penalty)
        theirs = other(two_layer, params, X, y, penalty)[1]
        differences.append(relative_difference(grads["W2"], theirs["W2"]))
        return loss, grads

    training = train_as_the_course_does(toy.params, toy.X, toy.y, (toy.X, toy.y), gradient, settings, toy.rng)
    return training, float(np.max(differences))


def _orders(
    settings: TwoLayerExerciseParams, a1: Array, dscores: Array
) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Yield the wrong orders at the settings' own sizes, and at those where some have dW2's shape."""
    yield "as_drawn", wrong_orders(a1, dscores)
    for name, (N, H, C) in SQUARE.items():
        toy = draw(settings.model_copy(update={"samples": N, "hidden": H, "classes": C}))
        yield name, wrong_orders(*factors(toy.params, toy.X, toy.y))


def _mlp_step_difference(toy: Toy, penalty: Penalty, settings: TwoLayerExerciseParams) -> float | None:
    if settings.classes == 2:  # of two classes MLPClassifier makes one output: another network
        return None
    # It clips probabilities below 2e-16, which larger weights or a longer step would reach.
    size = RECIPE.initial_std / settings.initial_std
    params = {name: size * value for name, value in toy.params.items()}
    return mlp_classifier_step(Problem(two_layer, toy.X, toy.y, penalty), params, STEP)


def _published(results: dict[str, Any]) -> list[Claim]:
    missed = results["toy_loss"] - results["toy_loss_with_half_the_penalty"]
    scores = np.abs(np.subtract(results["toy_scores"], PUBLISHED_SCORES)).max()
    return [
        at_most("toy scores, published to 8 decimals: largest difference", scores, 0.5e-8),
        published("toy loss", results["toy_loss"], PUBLISHED_LOSS, 0.5e-11),
        published("a ½ too many in the penalty misses it by", missed, PUBLISHED_HALF, 0.5e-8),
    ]


def _claims(results: dict[str, Any], params: Params, penalty: Penalty) -> list[Claim]:
    orders, step = results["wrong_orders"], results["scikit_learn"]["mlp_step_difference"]
    missed = results["toy_loss"] - results["toy_loss_with_half_the_penalty"]
    half = penalty.strength * sum(float(np.sum(params[name] ** 2)) for name in ("W1", "W2")) / 2
    return [
        at_most(
            "the sum of outer products against a1ᵀ·dscores, at every iteration, relative",
            results["outer_product_difference"],
            ROUNDING,
        ),
        at_most(
            "each sample's outer product against autograd's gradient of its own loss, relative",
            results["own_loss_difference"],
            ROUNDING,
        ),
        is_true(
            "as drawn, no other order of a1 and dscores gives dW2", not _orders_that_pass(orders["as_drawn"])
        ),
        *(
            at_least(
                f"{name.replace('_', ' ')}: wrong orders of the right shape differ from dW2 by, relative",
                np.min([found["difference"] for found in orders[name] if found["difference"] is not None]),
                1e-3,
            )
            for name in SQUARE
        ),
        at_most(
            "the penalty is r·ΣW²: a ½ too many misses the loss by ½r·ΣW², but for (of the loss)",
            abs(missed - half) / max(results["toy_loss"], np.finfo(np.float64).tiny),
            ROUNDING,
        ),
        *(
            [at_most("MLPClassifier's loss after a full-batch step, relative difference", step, 1e-6)]
            if step is not None
            else []
        ),
    ]


def _orders_that_pass(orders: list[dict[str, Any]]) -> list[str]:
    return [
        found["order"] for found in orders if found["difference"] is not None and found["difference"] < 1e-3
    ]


def _gradient_claims(problem: Problem, settings: TwoLayerExerciseParams, way: Any) -> Iterator[Claim]:
    """Check the gradient where the biases aren't zero, so that a penalised bias would show."""
    rng = generator(settings.seed, "check")
    shapes = two_layer.shapes(settings.inputs, settings.classes, settings.hidden)
    params = {name: settings.initial_std * rng.standard_normal(shape) for name, shape in shapes.items()}
    errors = gradient_check.against(
        problem, params, manual.loss_and_grads, autograd.loss_and_grads, "float64"
    )
    yield at_most(
        "two_layer: gradient against autograd, relative",
        np.max(list(errors.values())),
        BOUNDS["autograd_float64"],
    )
    yield from gradient_claims(problem, params, settings.seed, way)


def _losses(training: Training) -> list[float]:
    return [row["loss"] for row in training.trace]


def _print(training: Training, results: dict[str, Any]) -> list[str]:
    """Return the lines that the notebook prints, of the training every tenth."""
    count = len(training.trace)
    return [
        "scores:",
        *("  ".join(f"{score:.8f}" for score in row) for row in results["toy_scores"]),
        f"loss: {results['toy_loss']:.11f}",
        *(f"iteration {row['iteration']} / {count}: loss {row['loss']:f}" for row in training.trace[::10]),
        f"final training loss: {results['final_loss']}",
    ]
