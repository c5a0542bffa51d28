"""The claims about gradients hold for a right one and for no wrong one."""

import numpy as np
import pytest

from pipeline.exercises import checks
from pipeline.exercises.checks import gradient_claims, relative_difference, worst_difference
from pipeline.learning.gradient_check import Problem
from pipeline.learning.gradients import manual
from pipeline.learning.models import two_layer
from pipeline.learning.penalty import NONE, Penalty

rng = np.random.default_rng(0)
SHAPES = two_layer.shapes(4, 4, 4)  # square, so that a transpose has the right shape
PARAMS = {name: rng.standard_normal(shape) for name, shape in SHAPES.items()}
PROBLEM = Problem(two_layer, rng.standard_normal((6, 4)), np.arange(6) % 4, Penalty("half", 0.1))


def wrong(change):
    def engine(model, params, X, y, penalty=NONE):
        loss, grads = manual.loss_and_grads(model, params, X, y, penalty=penalty)
        change(grads, params, X, penalty)
        return loss, grads

    return engine


def failed(change, problem=PROBLEM):
    return [c.says for c in gradient_claims(problem, PARAMS, 0, wrong(change)) if not c.holds]


@pytest.mark.parametrize("kind", ["sum", "half", "per_sample"])
@pytest.mark.parametrize("strength", [0.0, 1e-6, 1.0])
def test_a_right_gradient_passes(kind, strength):
    problem = Problem(two_layer, PROBLEM.X, PROBLEM.y, Penalty(kind, strength))
    assert failed(lambda *given: None, problem) == []


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda grads, *_: grads.update(W1=2 * grads["W1"]), "central differences"),
        (lambda grads, *_: grads.update(W2=grads["W2"].T), "central differences"),
        (lambda grads, *_: grads.update(W2=grads["W2"][:2]), "central differences"),
        (lambda grads, *_: grads.update(b1=grads["b1"] * np.nan), "central differences"),
        (
            lambda grads, params, X, p: grads.update(b2=grads["b2"] + p.strength * params["b2"]),
            "of the weights",
        ),
        (
            lambda grads, params, X, p: grads.update(W1=grads["W1"] + p.strength * params["W1"]),
            "of the weights",
        ),
        (lambda grads, params, X, p: np.negative(X, out=X), "stay as they are"),
        (lambda grads, params, X, p: np.negative(params["b1"], out=params["b1"]), "stay as they are"),
    ],
    ids=["factor 2", "transpose", "shape", "NaN", "penalised bias", "penalty twice", "X", "params"],
)
def test_a_wrong_one_is_found_by_name(change, says):
    before = {name: value.copy() for name, value in PARAMS.items()}
    X = PROBLEM.X.copy()
    assert any(says in claim and claim.startswith("two_layer: ") for claim in failed(change))
    for name in before:  # the fault has changed them
        PARAMS[name][:] = before[name]
    PROBLEM.X[:] = X


def test_the_relative_difference_is_that_of_the_norms():
    assert relative_difference([3.0, 4.0], [0.0, 4.0]) == 0.75
    assert relative_difference(0.0, 0.0) == 0
    assert relative_difference(1.0, 0.0) == np.inf
    assert relative_difference(np.zeros((2, 1)), np.zeros((1, 2))) == np.inf
    assert np.isnan(relative_difference(np.nan, 1.0))


def test_the_worst_difference_forgets_neither_a_name_nor_what_is_no_number():
    assert worst_difference({"W": np.ones(2)}, {"W": np.ones(2)}) == 0
    assert worst_difference({"W": np.ones(2)}, {"W": np.ones(2), "b": np.ones(1)}) == np.inf
    assert np.isnan(
        worst_difference({"W": np.array([np.nan]), "b": np.ones(1)}, {"W": np.ones(1), "b": np.ones(1)})
    )
    assert checks.DIRECTIONS > 1
