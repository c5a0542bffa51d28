"""What the sum and the mean do to training by minibatches, the step being fixed."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from pipeline.exercises.checks import accuracy
from pipeline.exercises.descent import losses
from pipeline.exercises.outcome import Claim, Trace, at_least, at_most
from pipeline.learning import sgd
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradients import manual
from pipeline.learning.losses import Reduction
from pipeline.learning.models import softmax
from pipeline.learning.penalty import Penalty
from pipeline.learning.randomness import generator
from pipeline.params.exercise.spiral import SpiralParams

REDUCTIONS: tuple[Reduction, ...] = ("mean", "sum")


def sizes(samples: int) -> tuple[int, int, int]:
    """Return the sizes of the batches: a tenth, a third and all of the samples."""
    return samples // 10, samples // 3, samples


def families(
    settings: SpiralParams, start: Params, X: Array, y: Array, penalty: Penalty
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Train by batches of each size, with the mean and with the sum; yield each under its name."""
    for reduction in REDUCTIONS:
        for batch_size in sizes(len(X)):
            params, trace = _train(settings, start, X, y, penalty, batch_size, reduction)
            found = [row["loss"] for row in trace]
            yield (
                f"batch_{batch_size}_{reduction}",
                {
                    "trace": trace,
                    "accuracy": accuracy(softmax, params, X, y),
                    "final_loss": found[-1],
                    "largest_rise": float(np.diff(found).max(initial=0.0)),
                },
            )


def claims(found: dict[str, dict[str, Any]], samples: int) -> list[Claim]:
    """Return what the two families show, at the published settings; the seed may be any."""
    small, _, large = sizes(samples)
    mean = [found[f"batch_{size}_mean"]["final_loss"] for size in sizes(samples)]
    rises = [found[f"batch_{size}_sum"]["largest_rise"] for size in sizes(samples)]
    return [
        at_most(
            f"by the mean, batches of {small} to {large} end alike: final losses differ by",
            np.ptp(mean),
            0.02,
        ),
        at_least(
            "by the sum, the loss's largest rise grows from batch to larger batch by",
            np.diff(rises).min(),
            1.0,
        ),
    ]


def _train(
    settings: SpiralParams,
    start: Params,
    X: Array,
    y: Array,
    penalty: Penalty,
    batch_size: int,
    reduction: Reduction,
) -> tuple[Params, Trace]:
    """Train with the step fixed; the trace has the mean loss of all samples in any case."""
    batches = _endless(len(X), batch_size, generator(settings.seed, f"minibatches of {batch_size}"))

    def gradient(params: Params) -> tuple[Any, Params]:
        index = np.sort(next(batches))  # in the order of the samples, so that all of them are X itself
        whole = manual.loss_and_grads(softmax, params, X, y, penalty=penalty)[0]
        batch = (X[index], y[index])
        return whole, manual.loss_and_grads(softmax, params, *batch, penalty=penalty, reduction=reduction)[1]

    return losses(start, gradient, settings.learning_rate, settings.iterations)


def _endless(samples: int, batch_size: int, rng: np.random.Generator) -> Iterator[Array]:
    while True:
        yield from sgd.minibatches(samples, batch_size, False, rng)
