"""Gradients by torch: the same forward, differentiated automatically."""

import warnings
from collections.abc import Set
from typing import Any

import numpy as np
import torch
from torch.optim.sgd import sgd

from pipeline.learning.arrays import Array, Buffers, Params, fresh
from pipeline.learning.blas import Sum
from pipeline.learning.gradients import check_batch
from pipeline.learning.losses import Reduction, scale
from pipeline.learning.models import Model
from pipeline.learning.penalty import NONE, Penalty


def loss_and_grads(
    model: Model,
    params: Params,
    X: Array,
    y: Array,
    penalty: Penalty = NONE,
    reduction: Reduction | None = None,
    buffer: Buffers = fresh,  # torch manages its own memory
) -> tuple[Any, Params]:
    """Return the penalised loss and its gradient by torch; see `gradients.Engine`.

    NumPy arrays in, NumPy arrays out; tensors in, tensors out.
    """
    check_batch(model, params, X, y)
    tensors = {name: _tensor(value) for name, value in params.items()}
    loss, grads = _differentiate(model, tensors, _tensor(X), _tensor(y), reduction, penalty)
    if isinstance(X, torch.Tensor):
        return loss, grads
    return loss.numpy()[()], {name: grad.numpy() for name, grad in grads.items()}


def differentiate(
    model: Model,
    params: Params,
    X: Array,
    y: Array,
    reduction: Reduction | None = None,
    rate: float = 1.0,
    buffer: Buffers = fresh,
) -> tuple[Any, Params]:
    """Return the loss without penalty, and `rate` times its gradient; see `gradients.TrainingEngine`."""
    return _differentiate(model, params, X, y, reduction, NONE, rate)


def _differentiate(
    model: Model,
    params: Params,
    X: Array,
    y: Array,
    reduction: Reduction | None,
    penalty: Penalty,
    rate: float = 1.0,
) -> tuple[torch.Tensor, Params]:
    leaves = {name: value.detach().requires_grad_() for name, value in params.items()}
    with torch.enable_grad():  # whoever calls under no_grad asks for gradients all the same
        scores = model.forward(leaves, X)["scores"]
        loss = model.LOSS.value(scores, y) * scale(model.LOSS, scores, reduction or model.REDUCTION)
        if penalty.strength:
            loss = loss + penalty.value(leaves, len(X))
        # The rate as a factor of the loss: handed over as its gradient, it would make torch import SymPy.
        grads = torch.autograd.grad(loss * rate, list(leaves.values()))
    return loss.detach(), dict(zip(leaves, grads, strict=True))


class Moving:
    """Parameters in descent by torch's fused kernel; see `gradients.Moving`."""

    scale = 1.0

    def __init__(self, params: Params, penalised: Set[str]) -> None:
        self.values, self.sums = dict(params), dict[str, Sum]()
        shrinking = [name for name in params if name in penalised]
        others = [name for name in params if name not in penalised]
        # torch's velocities are the negatives of ours: they are subtracted.
        velocities: dict[str, torch.Tensor | None] = {
            name: torch.zeros_like(value) for name, value in params.items()
        }
        self._groups = [
            (names, [velocities[name] for name in names], shrinks)
            for names, shrinks in ((shrinking, 1.0), (others, 0.0))
            if names
        ]

    def step(self, downhill: Params, momentum: float, shrinkage: float) -> None:
        """Take the step. See `gradients.Moving`."""
        for names, velocities, shrinks in self._groups:
            sgd(
                [self.values[name] for name in names],
                [downhill[name] for name in names],
                velocities,
                momentum=momentum,
                weight_decay=shrinkage * shrinks,
                lr=1.0,  # it is in `downhill` and in the shrinkage already
                dampening=0.0,
                nesterov=False,
                maximize=False,
                fused=True,
            )


def moving(params: Params, penalised: Set[str]) -> Moving:
    """Return the tensors as ones that can be trained. See `gradients.TrainingEngine`."""
    return Moving(params, penalised)


def to_native(array: np.ndarray, device: str) -> torch.Tensor:
    """Return the array as a tensor on the device, in the same memory where it can; ValueError if no such."""
    if device.startswith("cuda") and not torch.cuda.is_available():
        raise ValueError(f"device {device!r}: this torch finds no CUDA device; use cpu")
    return _tensor(array).to(device)


def gather(array: torch.Tensor, index: np.ndarray, buffer: Buffers) -> torch.Tensor:
    """Return the rows at `index` (B,)."""
    return array.index_select(0, torch.from_numpy(index).to(array.device))


def to_numpy(array: torch.Tensor) -> np.ndarray:
    """Return a copy in the CPU's memory."""
    return array.detach().cpu().numpy().copy()


def _tensor(array: Array) -> torch.Tensor:
    """View an array as a tensor; labels become the int64 that torch indexes with."""
    if isinstance(array, torch.Tensor):
        return array
    if np.issubdtype(array.dtype, np.integer):
        array = array.astype(np.int64)
    if not array.dtype.isnative or min(array.strides, default=0) < 0:  # which torch's tensors can't be
        array = array.astype(array.dtype.newbyteorder("="), order="C")
    with warnings.catch_warnings():
        # torch has no read-only tensors, and says so; a copy of all samples would not fit every memory.
        warnings.filterwarnings("ignore", "The given NumPy array is not writable")
        return torch.from_numpy(array)
