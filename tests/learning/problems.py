"""Small random problems that the tests of the mathematics share."""

from typing import Any, NamedTuple, get_args

import numpy as np
import numpy.typing as npt
from hypothesis import strategies as st

from pipeline.learning import models
from pipeline.learning.arrays import Array, Params
from pipeline.learning.models import Model
from pipeline.learning.penalty import Kind, Penalty

KINDS: tuple[Kind, ...] = get_args(Kind)


class Case(NamedTuple):
    """A model, parameters, inputs X (N, D), and labels (N,) or targets (N, C)."""

    model: Model
    params: Params
    X: Array
    y: Array


def case(
    name: str,
    seed: int = 0,
    N: int = 6,
    D: int = 4,
    H: int = 5,
    C: int = 3,
    dtype: npt.DTypeLike = np.float64,
) -> Case:
    """Random weights, random biases, random samples; small enough scores that no unit saturates."""
    model = models.get(name)
    rng = np.random.default_rng(seed)
    params = {
        key: (rng.standard_normal(shape) / np.sqrt(shape[0])).astype(dtype)
        for key, shape in model.shapes(D, C, H).items()
    }
    X = rng.standard_normal((N, D)).astype(dtype)
    y: Any = rng.integers(C, size=N)
    if not model.LOSS.takes_labels:
        y = rng.standard_normal((N, C)).astype(dtype)
    return Case(model, params, X, y)


def cases(*names: str) -> st.SearchStrategy[Case]:
    """Cases of any size and seed, of these models or of all."""
    return st.builds(
        case,
        st.sampled_from(names or models.NAMES),
        seed=st.integers(0, 2**32 - 1),
        N=st.integers(1, 9),
        D=st.integers(1, 7),
        H=st.integers(1, 6),
        C=st.integers(2, 5),
    )


penalties = st.builds(Penalty, st.sampled_from(KINDS), st.floats(0, 10))


def copied(params: Params) -> Params:
    return {name: value.copy() for name, value in params.items()}


def relative(ours: Any, theirs: Any) -> float:
    """‖ours - theirs‖ / ‖theirs‖, and 0 where both are zero."""
    difference = np.linalg.norm(np.asarray(ours) - np.asarray(theirs))
    return float(difference / np.linalg.norm(theirs)) if difference else 0.0
