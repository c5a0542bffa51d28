"""The training loop of the toy network, to the letter of its source.

Everywhere else in this project the learning rate decays per completed epoch; see pipeline/learning/sgd.py.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.exercises.checks import accuracy
from pipeline.exercises.outcome import Trace
from pipeline.learning.arrays import Array, Params
from pipeline.learning.models import two_layer
from pipeline.params.exercise.two_layer import TwoLayerExerciseParams


@dataclass(frozen=True)
class Training:
    """The network after training, a row for each iteration, and one for each that ends an epoch."""

    params: Params
    trace: Trace
    epochs: Trace


def ends_epoch(iteration: int, samples: int, batch_size: int) -> bool:
    """Return whether the learning rate decays after this iteration, the first being 0.

    An epoch is max(samples / batch_size, 1) iterations, not rounded: at 390.625 only every eighth one
    ends at a whole iteration, so the rate decays every 3,125 iterations, and first after iteration 0.
    """
    return iteration % max(samples / batch_size, 1) == 0


def train_as_the_course_does(
    params: Params,
    X: Array,
    y: Array,
    validation: tuple[Array, Array],
    gradient: Callable[[Params, Array, Array], tuple[Any, Params]],
    settings: TwoLayerExerciseParams,
    rng: np.random.RandomState,
) -> Training:
    """Return the network trained by SGD on minibatches drawn from X (N, D) and y (N,) with replacement.

    An epoch's accuracies are those of the current minibatch and of `validation`, after the update.
    `params` stay as they are.
    """
    learning_rate = settings.learning_rate
    trace: Trace = []
    epochs: Trace = []
    for iteration in range(settings.iterations):
        batch = rng.choice(len(X), settings.batch_size)
        X_batch, y_batch = X[batch], y[batch]  # (B, D), (B,)
        loss, grads = gradient(params, X_batch, y_batch)
        params = {name: value - learning_rate * grads[name] for name, value in params.items()}
        trace.append({"iteration": iteration, "loss": float(loss), "learning_rate": learning_rate})
        if ends_epoch(iteration, len(X), settings.batch_size):
            epochs.append(
                {
                    "iteration": iteration,
                    "batch_accuracy": accuracy(two_layer, params, X_batch, y_batch),
                    "validation_accuracy": accuracy(two_layer, params, *validation),
                }
            )
            learning_rate *= settings.decay
    return Training(params, trace, epochs)
