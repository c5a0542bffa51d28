"""Minibatch stochastic gradient descent, in its parts: sampling, learning-rate schedule, momentum."""

import math
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import numpy as np

from pipeline.learning import penalty
from pipeline.learning.arrays import Array, Buffers, Params, fresh
from pipeline.learning.gradients import Step, TrainingEngine

Schedule: TypeAlias = Literal["constant", "exponential", "cosine"]


def learning_rates(schedule: Schedule, initial: float, decay: float, epochs: int) -> Callable[[float], float]:
    """Return the learning rate as a function of the epochs completed, in fractions of an epoch.

    constant: the initial rate. exponential: times `decay` after every completed epoch. cosine: half
    a cosine, from the initial rate down to 0 at the end (Loshchilov and Hutter 2017).
    """
    return {
        "constant": lambda completed: initial,
        "exponential": lambda completed: initial * decay ** math.floor(completed),
        "cosine": lambda completed: initial * (1 + math.cos(math.pi * completed / epochs)) / 2,
    }[schedule]


def minibatches(
    samples: int, batch_size: int, replacement: bool, rng: np.random.Generator
) -> Iterator[np.ndarray]:
    """Yield one epoch's minibatches as indices (B,) of the samples.

    Without replacement every sample comes once, the last minibatch being what is left; with
    replacement there are as many minibatches, each drawn independently and full.
    """
    batch_size = min(batch_size, samples)
    if replacement:
        for _ in range(math.ceil(samples / batch_size)):
            yield rng.integers(samples, size=batch_size)
    else:
        order = rng.permutation(samples)
        for start in range(0, samples, batch_size):
            yield order[start : start + batch_size]


class Momentum:
    """Gradient descent with heavy-ball momentum (Polyak 1964) and an L2 penalty; see `gradients.Step`."""

    def __init__(self, engine: TrainingEngine, params: Params, momentum: float) -> None:
        self._descend = engine.descend
        self._momentum = momentum
        self._velocity: dict[str, Array] = {name: value * 0 for name, value in params.items()}

    def step(
        self,
        params: Params,
        grads: Params,
        learning_rate: float,
        shrinkage: float = 0.0,
        buffer: Buffers = fresh,
    ) -> None:
        """Update the parameters in place; the gradients, which are without the penalty's, are used up."""
        penalised = penalty.weights(params)
        for name, velocity in self._velocity.items():
            step = Step(learning_rate, self._momentum, shrinkage if name in penalised else 0.0)
            self._descend(params[name], velocity, grads[name], step, buffer)
