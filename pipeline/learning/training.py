"""The training loop: minibatches, gradient, update; history an epoch; the best epoch by validation."""

import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np

from pipeline.learning.ahead import ahead
from pipeline.learning.arrays import Array, Buffers, Params, Workspace, fresh
from pipeline.learning.gradients import TrainingEngine, check_batch
from pipeline.learning.losses import scale
from pipeline.learning.models import Model
from pipeline.learning.penalty import Penalty, weights
from pipeline.learning.sgd import Momentum

Row: TypeAlias = dict[str, float]

# A loss this many times that of the first minibatch is no transient: the steps overshoot ever further.
DIVERGENCE_FACTOR = 100.0
REMEDY = "lower the learning rate or the momentum"
# Samples a forward pass when only scores are wanted: enough to keep the BLAS busy, and of twice as many
# NumPy would ask the system for the activations' memory anew at every pass, which took half as long again.
SCORING_BATCH = 1000


class DivergedError(ArithmeticError):
    """The loss left the finite numbers, or grew past any transient; the message says where."""


@dataclass(frozen=True)
class Settings:
    """How to train. Rates are per update; `minibatches` yields one epoch's indices at every call."""

    epochs: int
    learning_rate: Callable[[float], float]
    """From the epochs completed, in fractions of an epoch."""
    momentum: float
    penalty: Penalty
    minibatches: Callable[[], Iterator[np.ndarray]]
    batches_per_epoch: int
    distort: Callable[[Array], Array] | None = None
    """From a minibatch (B, D) to the one that is trained on instead, both native to the engine."""


@dataclass(frozen=True)
class Samples:
    """Inputs X (N, D) and labels y (N,), native to an engine."""

    X: Array
    y: Array

    def first(self, count: int) -> "Samples":
        """Return the first `count` samples, without a copy."""
        return Samples(self.X[:count], self.y[:count])


@dataclass(frozen=True)
class Trained:
    """What training leaves: the parameters of the best epoch, which one it was, and all epochs' rows."""

    params: Params
    best_epoch: int
    history: list[Row]
    snapshots: dict[int, np.ndarray]
    """The first layer's weights (D, M) by epoch: at the start, after 1, 2, 4, 8 … epochs, at the end."""


def fit(
    model: Model,
    engine: TrainingEngine,
    params: Params,
    train: Samples,
    validation: Samples,
    settings: Settings,
    observe: Callable[[Row], None] = lambda row: None,
) -> Trained:
    """Train `params` and return those of the epoch with the highest validation accuracy.

    `params` is left with those of the last epoch, in arrays of the engine's own.

    `observe` is called with every epoch's row: epoch, train/loss (mean over the epoch's minibatches,
    each before its update), train/accuracy (on as many first training samples as there are validation
    samples), validation/loss, validation/accuracy, learning_rate (of the last update). Both losses are
    without the penalty. Of equal epochs the first is the best. Raises DivergedError.
    """
    check_batch(model, params, train.X, train.y)  # once, and no minibatch again
    workspace = Workspace(train.X.dtype)
    optimiser = Momentum(engine, params, settings.momentum, workspace)
    glance = train.first(len(validation.y))
    history: list[Row] = []
    first_layer = weights(params)[0]
    snapshots = {0: engine.to_numpy(params[first_layer])}
    best = Trained({}, 0, history, snapshots)
    best_accuracy = -1.0
    limit = sys.float_info.max  # the first loss may be anything finite
    rate = 0.0
    for epoch in range(1, settings.epochs + 1):
        total = 0.0
        for step, (X, y) in enumerate(_minibatches(engine, train, settings, workspace)):
            previous = rate
            rate = settings.learning_rate(epoch - 1 + step / settings.batches_per_epoch)
            loss, downhill = engine.differentiate(model, params, X, y, rate=rate, buffer=workspace)
            value = float(loss)
            if not value <= limit:
                raise DivergedError(_diagnosis(value, epoch, step, previous))
            if epoch == 1 and step == 0:
                limit = DIVERGENCE_FACTOR * value
            optimiser.step(downhill, rate * settings.penalty.shrinkage(len(y)))
            total += value
        validation_loss, validation_accuracy = assess(model, params, validation)
        if not validation_loss <= limit:  # the loss of a minibatch is from before its update
            raise DivergedError(
                f"diverged: the validation loss is {validation_loss:.4g} after epoch {epoch}, "
                f"at learning rate {rate:g}; {REMEDY}"
            )
        row = {
            "epoch": epoch,
            "train/loss": total / settings.batches_per_epoch,
            "train/accuracy": assess(model, params, glance)[1],
            "validation/loss": validation_loss,
            "validation/accuracy": validation_accuracy,
            "learning_rate": rate,
        }
        history.append(row)
        observe(row)
        if epoch == settings.epochs or math.log2(epoch).is_integer():
            snapshots[epoch] = engine.to_numpy(params[first_layer])
        if validation_accuracy > best_accuracy:
            best_accuracy = validation_accuracy
            kept = {name: engine.to_numpy(value) for name, value in params.items()}
            best = Trained(kept, epoch, history, snapshots)
    return best


def _minibatches(
    engine: TrainingEngine, train: Samples, settings: Settings, workspace: Workspace
) -> Iterator[tuple[Array, Array]]:
    """Yield an epoch's X (B, D) and y (B,); distorted ones are made while the one before is trained on."""
    distort = settings.distort
    if distort is None:
        return _gathered(engine, train, settings.minibatches(), workspace)
    # What is made ahead waits for its turn, in memory of its own.
    originals = _gathered(engine, train, settings.minibatches(), fresh)
    return ahead((distort(X), y) for X, y in originals)


def _gathered(
    engine: TrainingEngine, train: Samples, indices: Iterator[np.ndarray], buffer: Buffers
) -> Iterator[tuple[Array, Array]]:
    for index in indices:
        yield engine.gather(train.X, index, buffer), engine.gather(train.y, index, fresh)


def assess(model: Model, params: Params, samples: Samples) -> tuple[float, float]:
    """Return the mean loss without penalty, and the accuracy, over the samples."""
    loss, correct, factor = 0.0, 0, 0.0
    for start in range(0, len(samples.y), SCORING_BATCH):
        X, y = samples.X[start : start + SCORING_BATCH], samples.y[start : start + SCORING_BATCH]
        scores = model.scores(params, X)
        loss += float(model.LOSS.value(scores, y))
        correct += int((scores.argmax(1) == y).sum())
        factor = scale(model.LOSS, scores, "mean") * len(y)
    return loss * factor / len(samples.y), correct / len(samples.y)


def _diagnosis(loss: float, epoch: int, step: int, rate: float) -> str:
    return (
        f"diverged: the training loss reached {loss:.4g} at epoch {epoch}, minibatch {step + 1}, "
        f"at learning rate {rate:g}; {REMEDY}"
    )
