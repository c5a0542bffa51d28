"""Minibatch stochastic gradient descent, in its parts: sampling, learning-rate schedule, momentum."""

import math
from collections.abc import Callable, Iterator
from typing import Literal, TypeAlias

import numpy as np

from pipeline.learning import penalty
from pipeline.learning.arrays import Params, Workspace
from pipeline.learning.gradients import TrainingEngine

# Blocks in a window: enough to mix samples from everywhere, few enough to be long.
BLOCKS = 32

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


def largest_stable_rate(curvature: float, momentum: float) -> float:
    """Return the learning rate below which descent on a loss of at most this curvature can't diverge.

    Along an eigenvector of the Hessian, of eigenvalue λ, the steps of momentum μ shrink while ηλ is below
    2(1 + μ) (Polyak 1964).
    """
    return 2 * (1 + momentum) / curvature


def minibatches(
    samples: int, batch_size: int, replacement: bool, rng: np.random.Generator, window: int | None = None
) -> Iterator[np.ndarray]:
    """Yield one epoch's minibatches as indices (B,) of the samples.

    Without replacement every sample comes once, the last minibatch being what is left; with
    replacement there are as many minibatches, each drawn independently and full. With a `window`,
    samples are read as `windows` puts them, so that those used together lie together on disk.
    """
    batch_size = min(batch_size, samples)
    if replacement:
        for _ in range(math.ceil(samples / batch_size)):
            yield rng.integers(samples, size=batch_size)
        return
    left = np.empty(0, np.intp)
    for order in windows(samples, window or samples, rng):
        order = np.concatenate([left, order])
        whole = len(order) - len(order) % batch_size
        for start in range(0, whole, batch_size):
            yield order[start : start + batch_size]
        left = order[whole:]
    if len(left):
        yield left


def windows(samples: int, window: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Yield all indices once, shuffled within windows of about `window` samples: a block shuffle.

    A window holds blocks of neighbours, BLOCKS of them in a full one, chosen at random from everywhere;
    so an epoch reads a file in long stretches and needs only a window of it in memory at a time.
    """
    if window >= samples:
        yield rng.permutation(samples)
        return
    size = math.ceil(window / BLOCKS)
    starts = rng.permutation(np.arange(0, samples, size))
    for first in range(0, len(starts), BLOCKS):
        blocks = [np.arange(at, min(at + size, samples)) for at in starts[first : first + BLOCKS]]
        yield rng.permutation(np.concatenate(blocks))


class Momentum:
    """Gradient descent with heavy-ball momentum (Polyak 1964) and an L2 penalty; see `gradients.Moving`."""

    def __init__(
        self, engine: TrainingEngine, params: Params, momentum: float, workspace: Workspace | None = None
    ) -> None:
        """Take the parameters over: from here on `params` holds what the last step left.

        `workspace` is the one that gradients are computed in: those of the weights are then added where the
        next step needs them, so that one that is computed is one that is stepped along.
        """
        self._momentum = momentum
        self._moving = engine.moving(params, set(penalty.weights(params)))
        params.update(self._moving.values)
        if workspace is not None:
            for name, place in self._moving.sums.items():
                workspace.lend(f"d{name}", place)

    @property
    def scale(self) -> float:
        """What the gradients of the next step are to be multiplied by, beside the learning rate."""
        return self._moving.scale

    def step(self, downhill: Params, shrinkage: float = 0.0) -> None:
        """Update the parameters.

        `downhill` is the learning rate times the gradient without the penalty's, times `scale`; `shrinkage`
        is the rate times the penalty's 2c, not times `scale`.
        """
        self._moving.step(downhill, self._momentum, shrinkage)
