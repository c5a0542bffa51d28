"""A network trained by several processes, each on a part of its hidden units (Shoeybi et al. 2019).

The scores of a two-layer network are a sum over its hidden units: so it is the sum of narrower networks, and
given the gradient of the scores, the backward pass of each gives the gradient of its own parameters. All that
the processes, the ranks, have to tell each other is their shares of the scores, N x C numbers a minibatch.
The output's bias is in each of them, moves alike, and is added by one.

Every rank runs the whole of `training.fit` on its part. It sees the same samples in the same order, the same
scores and so the same losses to the bit, and takes every decision by itself as the others do.
"""

from collections.abc import Callable

import numpy as np

from pipeline import machine, ranks
from pipeline.learning import training
from pipeline.learning.arrays import Array, Buffers, Params, fresh
from pipeline.learning.gradients import TrainingEngine
from pipeline.learning.models import Model
from pipeline.learning.penalty import weights
from pipeline.learning.training import Row, Samples, Settings, Trained


class Part:
    """The model of one rank: its forward gives the scores of the whole network, its backward its own part."""

    def __init__(self, whole: Model, rank: ranks.Rank, params: Params) -> None:
        self._whole, self._rank = whole, rank
        # What is in every part, rank 0 adds.
        self._added_by_another = {
            name: np.zeros_like(value)
            for name, value in params.items()
            if rank.number > 0 and name not in whole.HIDDEN_AXES
        }
        self.LOSS, self.REDUCTION, self.HIDDEN_AXES = whole.LOSS, whole.REDUCTION, whole.HIDDEN_AXES
        self.shapes, self.backward = whole.shapes, whole.backward

    def forward(self, params: Params, X: Array, buffer: Buffers = fresh) -> Params:
        """Return every intermediate result of this part, and the whole network's scores (N, C)."""
        hidden = self._whole.forward(self._own(params), X, buffer)
        self._rank.all_reduce(hidden["scores"])
        return hidden

    def scores(self, params: Params, X: Array) -> Array:
        """Return the whole network's scores (N, C) of X (N, D)."""
        return self._rank.all_reduce(self._whole.scores(self._own(params), X))

    def _own(self, params: Params) -> Params:
        """Return the parameters of which the sum over the ranks is the whole."""
        return {**params, **self._added_by_another}


def fit(
    model: Model,
    engine: TrainingEngine,
    params: Params,
    train: Samples,
    validation: Samples,
    settings: Settings,
    observe: Callable[[Row], None] = lambda row: None,
    threads: int = 1,
) -> Trained:
    """Train as `training.fit` does, with so many threads: those of so many ranks, or else of the library.

    The weights are the same but for rounding. `params` may be changed. Raises UserError where one of the
    processes was killed.
    """
    size = _size(model, params, settings, threads)

    def train_one(model: Model, params: Params, observe: Callable[[Row], None]) -> Trained:
        return training.fit(model, engine, params, train, validation, settings, observe)

    with machine.held(threads // size):
        if size == 1:
            return train_one(model, params, observe)
        parts = split(model, params, size)

        def train_part(rank: ranks.Rank) -> Trained:
            told = observe if rank.number == 0 else lambda row: None
            own = parts[rank.number]
            return train_one(Part(model, rank, own), own, told)

        return _joined(model, ranks.run(train_part, size))


def _size(model: Model, params: Params, settings: Settings, threads: int) -> int:
    """Return how many ranks train: as many as threads where NumPy computes, and the model has parts.

    Not where minibatches are distorted: every rank would have to do it.
    """
    hidden = [
        value.shape[model.HIDDEN_AXES[name]]
        for name, value in params.items()
        if name in model.HIDDEN_AXES and isinstance(value, np.ndarray)
    ]
    return min(threads, *hidden) if hidden and ranks.FORKS and settings.distort is None else 1


def _joined(model: Model, trained: list[Trained]) -> Trained:
    """Return the network whose parts were trained, which all must have seen the same losses."""
    first = trained[0]
    if any(other.history != first.history for other in trained):
        raise RuntimeError("the processes that train a network's parts saw different losses")
    layer = weights(first.params)[0]
    snapshots = {
        epoch: join(model, [{layer: each.snapshots[epoch]} for each in trained])[layer]
        for epoch in first.snapshots
    }
    kept = join(model, [each.params for each in trained])
    return Trained(kept, first.best_epoch, first.history, snapshots)


def split(model: Model, params: Params, count: int) -> list[Params]:
    """Return `count` narrower networks, as equal as can be; what has no hidden units is in each of them."""
    axes = model.HIDDEN_AXES
    pieces = {
        name: np.array_split(value, count, axes[name]) if name in axes else [value] * count
        for name, value in params.items()
    }
    return [{name: pieces[name][number] for name in params} for number in range(count)]


def join(model: Model, parts: list[Params]) -> Params:
    """Return the network that `split` took apart, or those of its parameters that are in every part."""
    axes = model.HIDDEN_AXES
    return {
        name: np.concatenate([part[name] for part in parts], axes[name]) if name in axes else value
        for name, value in parts[0].items()
    }
