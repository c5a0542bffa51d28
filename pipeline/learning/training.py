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
    descent = _Descent(model, engine, params, train, settings)
    glance = train.first(len(validation.y))
    history: list[Row] = []
    first_layer = weights(params)[0]
    snapshots = {0: engine.to_numpy(params[first_layer])}
    best = Trained({}, 0, history, snapshots)
    best_accuracy = -1.0
    for epoch in range(1, settings.epochs + 1):
        loss, rate = descent.epoch(epoch)
        validation_loss, validation_accuracy = assess(model, params, validation)
        if not validation_loss <= descent.limit:  # the loss of a minibatch is from before its update
            raise DivergedError(
                f"diverged: the validation loss is {validation_loss:.4g} after epoch {epoch}, "
                f"at learning rate {rate:g}; {REMEDY}"
            )
        row = {
            "epoch": epoch,
            "train/loss": loss,
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


class _Descent:
    """Gradient descent over the training samples, epoch by epoch."""

    def __init__(
        self, model: Model, engine: TrainingEngine, params: Params, train: Samples, settings: Settings
    ) -> None:
        self._model, self._engine, self._params = model, engine, params
        self._train, self._settings = train, settings
        self._workspace = Workspace(train.X.dtype)
        self._optimiser = Momentum(engine, params, settings.momentum, self._workspace)
        self.limit = sys.float_info.max  # the first loss may be anything finite
        self._rate = 0.0

    def epoch(self, epoch: int) -> tuple[float, float]:
        """Train an epoch, the first of which is 1; return the mean loss and the last learning rate.

        The loss is the mean over the minibatches, each before its update. Raises DivergedError.
        """
        settings, optimiser, total = self._settings, self._optimiser, 0.0
        for step, (X, y) in enumerate(self._minibatches()):
            previous = self._rate
            self._rate = settings.learning_rate(epoch - 1 + step / settings.batches_per_epoch)
            loss, downhill = self._engine.differentiate(
                self._model, self._params, X, y, rate=self._rate * optimiser.scale, buffer=self._workspace
            )
            value = float(loss)
            if not value <= self.limit:
                raise DivergedError(
                    f"diverged: the training loss reached {value:.4g} at epoch {epoch}, "
                    f"minibatch {step + 1}, at learning rate {previous:g}; {REMEDY}"
                )
            if epoch == 1 and step == 0:
                self.limit = DIVERGENCE_FACTOR * value
            optimiser.step(downhill, self._rate * settings.penalty.shrinkage(len(y)))
            total += value
        return total / settings.batches_per_epoch, self._rate

    def _minibatches(self) -> Iterator[tuple[Array, Array]]:
        """Yield X (B, D) and y (B,); distorted ones are made while the one before is trained on."""
        distort = self._settings.distort
        if distort is None:
            return self._gathered(self._workspace)
        # What is made ahead waits for its turn, in memory of its own.
        return ahead((distort(X), y) for X, y in self._gathered(fresh))

    def _gathered(self, buffer: Buffers) -> Iterator[tuple[Array, Array]]:
        gather, train = self._engine.gather, self._train
        for index in self._settings.minibatches():
            yield gather(train.X, index, buffer), gather(train.y, index, fresh)


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
