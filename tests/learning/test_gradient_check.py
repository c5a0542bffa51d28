"""The gradient check is green on right gradients and red, by each of its ways alone, on planted faults."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.learning import gradient_check, models
from pipeline.learning.arrays import Array, Params
from pipeline.learning.gradient_check import BOUNDS, Errors, LossAndGrads, Problem
from pipeline.learning.gradients import autograd, manual
from pipeline.learning.models import sigmoid_network, two_layer, two_layer_regression
from pipeline.learning.penalty import NONE, Kind, Penalty
from pipeline.stages import check_gradients
from tests.learning.problems import KINDS, Case, case, copied

MODELS = pytest.mark.parametrize("name", models.NAMES)
WEIGHTS = [(name, key) for name in models.NAMES for key in models.get(name).shapes(1, 1, 1) if key[0] == "W"]
BIASES = [(name, key) for name in models.NAMES for key in models.get(name).shapes(1, 1, 1) if key[0] == "b"]
PENALTY = Penalty("sum", 0.05)


def checked(drawn: Case, engine: LossAndGrads, penalty: Penalty = PENALTY) -> dict[str, Errors]:
    """Every kind of check of an engine's gradient, as the stage check_gradients makes them."""
    problem = Problem(drawn.model, drawn.X, drawn.y, penalty)
    rng, theirs = np.random.default_rng(0), autograd.loss_and_grads
    return {
        "autograd_float64": gradient_check.against(problem, drawn.params, engine, theirs, "float64"),
        "autograd_float32": gradient_check.against(problem, drawn.params, engine, theirs, "float32"),
        "directions": gradient_check.along_directions(problem, drawn.params, engine, 3, rng),
        "coordinates": gradient_check.at_coordinates(problem, drawn.params, engine, 1000, rng),
    }


def red(checks: dict[str, Errors], kind: str) -> set[str]:
    """The parameters whose error is over the bound of a kind of check."""
    return {name for name, error in checks[kind].items() if not error <= BOUNDS[kind]}


def assert_red_on(checks: dict[str, Errors], *faulty: str) -> None:
    """Every kind of check alone finds these parameters' gradients wrong, and no other's."""
    assert {kind: red(checks, kind) for kind in BOUNDS} == {kind: set(faulty) for kind in BOUNDS}


def with_fault(plant: Callable[[Params, Params, Array], Any]) -> LossAndGrads:
    """Return the manual engine, whose gradients `plant(grads, params, X)` spoils in place."""

    def engine(model: Any, params: Params, X: Array, y: Array, penalty: Penalty = NONE) -> tuple[Any, Params]:
        loss, grads = manual.loss_and_grads(model, params, X, y, penalty=penalty)
        plant(grads, params, X)
        return loss, grads

    return engine


# Right gradients


@pytest.mark.parametrize("kind", KINDS)
@MODELS
def test_the_manual_gradient_passes_every_check(name: str, kind: Kind) -> None:
    assert_red_on(checked(case(name), manual.loss_and_grads, Penalty(kind, 0.3)))


@pytest.mark.parametrize("seed", range(1, 6))
@MODELS
def test_right_gradients_pass_at_other_points_and_of_other_sizes(name: str, seed: int) -> None:
    drawn = case(name, seed, N=4 + seed, D=9 - seed, H=3 + seed, C=2 + seed)
    for engine in (manual.loss_and_grads, autograd.loss_and_grads):
        assert_red_on(checked(drawn, engine))


@MODELS
def test_a_right_gradient_of_a_small_loss_passes_and_a_wrong_one_does_not(name: str) -> None:
    # An absolute tolerance would let any gradient of this size pass.
    drawn = case(name)
    small = drawn._replace(X=drawn.X * 1e-5)
    first = next(iter(small.params))
    problem = Problem(small.model, small.X, small.y, NONE)
    doubled = with_fault(lambda grads, params, X: np.multiply(grads[first], 2, out=grads[first]))
    compare = gradient_check.against
    right = compare(problem, small.params, manual.loss_and_grads, autograd.loss_and_grads, "float64")
    wrong = compare(problem, small.params, doubled, autograd.loss_and_grads, "float64")
    assert right[first] <= BOUNDS["autograd_float64"]
    assert wrong[first] == pytest.approx(1)


def test_what_float32_leaves_of_a_gradient_that_has_vanished_is_no_error_and_a_wrong_one_is() -> None:
    drawn = case("linear_regression", N=64)
    problem, theirs = Problem(drawn.model, drawn.X, drawn.y, NONE), autograd.loss_and_grads
    sizes = {
        name: float(np.linalg.norm(grad))
        for name, grad in theirs(drawn.model, drawn.params, drawn.X, drawn.y)[1].items()
    }
    fitted = {
        **drawn.params,
        "b": drawn.params["b"] + (drawn.y - drawn.model.scores(drawn.params, drawn.X)).mean(0),
    }

    def error(engine: LossAndGrads, sizes: dict[str, float] | None = None) -> float:
        return gradient_check.against(problem, fitted, engine, theirs, "float32", sizes)["b"]

    assert error(manual.loss_and_grads) > BOUNDS["autograd_float32"]
    assert error(manual.loss_and_grads, dict.fromkeys(sizes, 1e-20)) == error(manual.loss_and_grads)
    assert error(manual.loss_and_grads, sizes) <= BOUNDS["autograd_float32"]
    shifted = with_fault(lambda grads, params, X: grads.update(b=grads["b"] + 1e-4 * sizes["b"]))
    assert error(shifted, sizes) > BOUNDS["autograd_float32"]


# Planted faults


@pytest.mark.parametrize(("name", "key"), WEIGHTS)
def test_a_missing_transpose_is_refused_by_its_shape(name: str, key: str) -> None:
    def transpose(grads: Params, params: Params, X: Array) -> None:
        grads[key] = grads[key].T

    drawn = case(name, D=4, H=5, C=3)
    rows, columns = drawn.params[key].shape
    message = rf"gradient of {key}: shape \({columns}, {rows}\), expected \({rows}, {columns}\)"
    problem = Problem(drawn.model, drawn.X, drawn.y, PENALTY)
    engine, rng = with_fault(transpose), np.random.default_rng(0)
    with pytest.raises(ValueError, match=message):
        gradient_check.against(problem, drawn.params, engine, autograd.loss_and_grads, "float64")
    with pytest.raises(ValueError, match=message):
        gradient_check.along_directions(problem, drawn.params, engine, 1, rng)
    with pytest.raises(ValueError, match=message):
        gradient_check.at_coordinates(problem, drawn.params, engine, 1, rng)


@pytest.mark.parametrize(("name", "key"), WEIGHTS)
def test_a_missing_transpose_of_a_square_weight_is_found_by_its_numbers(name: str, key: str) -> None:
    def transpose(grads: Params, params: Params, X: Array) -> None:
        grads[key] = grads[key].T

    assert_red_on(checked(case(name, D=5, H=5, C=5), with_fault(transpose)), key)


@pytest.mark.parametrize("name", ["softmax", "linear_regression"])
def test_inputs_not_transposed_are_found_where_there_are_as_many_samples_as_inputs(name: str) -> None:
    def product_of_the_wrong_order(grads: Params, params: Params, X: Array) -> None:
        # XᵀdS + 2cW → X·dS + 2cW, with dS told by solving XᵀdS for it.
        ridge = 2 * PENALTY.strength * params["W"]
        grads["W"] = X @ np.linalg.solve(X.T, grads["W"] - ridge) + ridge

    assert_red_on(checked(case(name, N=5, D=5), with_fault(product_of_the_wrong_order)), "W")


@MODELS
def test_a_gradient_of_the_sum_for_the_mean_or_the_other_way_round_is_found(name: str) -> None:
    def engine(model: Any, params: Params, X: Array, y: Array, penalty: Penalty = NONE) -> tuple[Any, Params]:
        other = "sum" if model.REDUCTION == "mean" else "mean"
        return manual.loss_and_grads(model, params, X, y, penalty=penalty, reduction=other)

    drawn = case(name)
    assert_red_on(checked(drawn, engine), *drawn.params)


@pytest.mark.parametrize("model", [two_layer, two_layer_regression])
def test_a_missing_relu_mask_is_found(model: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(model, "relu_backward", lambda dy, y: dy)
    drawn = case(model.__name__.rpartition(".")[2])
    assert_red_on(checked(drawn, manual.loss_and_grads), *({"W1", "b1"} & set(drawn.params)))


@pytest.mark.parametrize("model", [two_layer, two_layer_regression])
def test_a_mask_written_over_the_activations_before_they_are_used_is_found(
    model: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def backward(params: Params, X: Array, hidden: Params, *rest: Any) -> Params:
        hidden["a1"][:] = hidden["a1"] > 0
        return right(params, X, hidden, *rest)

    right = model.backward
    monkeypatch.setattr(model, "backward", backward)
    assert_red_on(checked(case(model.__name__.rpartition(".")[2]), manual.loss_and_grads), "W2")


def test_a_missing_derivative_of_the_sigmoid_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    def backward(params: Params, X: Array, hidden: Params, dscores: Array, buffer: Any) -> Params:
        grads = right(params, X, hidden, dscores, buffer)
        da1 = dscores @ params["W2"].T
        return grads | {"W1": X.T @ da1, "b1": da1.sum(0)}

    right = sigmoid_network.backward
    monkeypatch.setattr(sigmoid_network, "backward", backward)
    assert_red_on(checked(case("sigmoid_network"), manual.loss_and_grads), "W1", "b1")


@pytest.mark.parametrize("factor", [2.0, 0.5, -1.0, 1 + 1e-3])
@pytest.mark.parametrize(("name", "key"), WEIGHTS + BIASES)
def test_a_wrong_factor_or_sign_of_one_gradient_is_found(name: str, key: str, factor: float) -> None:
    engine = with_fault(lambda grads, params, X: np.multiply(grads[key], factor, out=grads[key]))
    assert_red_on(checked(case(name), engine), key)


@pytest.mark.parametrize(("name", "key"), BIASES)
def test_a_penalised_bias_is_found(name: str, key: str) -> None:
    def penalise(grads: Params, params: Params, X: Array) -> None:
        grads[key] += 2 * PENALTY.strength * params[key]

    assert_red_on(checked(case(name), with_fault(penalise)), key)


@pytest.mark.parametrize(("name", "key"), WEIGHTS)
def test_a_weight_that_the_penalty_forgot_is_found(name: str, key: str) -> None:
    def forget(grads: Params, params: Params, X: Array) -> None:
        grads[key] -= 2 * PENALTY.strength * params[key]

    assert_red_on(checked(case(name), with_fault(forget)), key)


@pytest.mark.parametrize(("name", "key"), WEIGHTS)
def test_one_wrong_element_is_found(name: str, key: str) -> None:
    def spoil(grads: Params, params: Params, X: Array) -> None:
        grads[key].flat[0] += 0.1 * np.abs(grads[key]).max()

    assert_red_on(checked(case(name), with_fault(spoil)), key)


@MODELS
def test_a_gradient_that_is_no_number_is_found(name: str) -> None:
    first = next(iter(case(name).params))
    engine = with_fault(lambda grads, params, X: grads[first].fill(np.nan))
    assert_red_on(checked(case(name), engine), first)


@MODELS
def test_inputs_changed_before_they_are_used_up_are_found_and_reach_nobody_else(name: str) -> None:
    def engine(model: Any, params: Params, X: Array, y: Array, penalty: Penalty = NONE) -> tuple[Any, Params]:
        X += 1
        for value in params.values():
            value *= 1.5
        return manual.loss_and_grads(model, params, X, y, penalty=penalty)

    drawn = case(name)
    before = copied(drawn.params)
    assert_red_on(checked(drawn, engine), *drawn.params)
    np.testing.assert_array_equal(drawn.X, case(name).X)
    for key, value in before.items():
        np.testing.assert_array_equal(drawn.params[key], value)


# What the check can't compare, and what it says


def test_a_kink_within_the_step_is_stepped_around_and_refused_where_it_is_everywhere() -> None:
    drawn = case("two_layer", N=1)
    at_kink = copied(drawn.params)
    at_kink["b1"] = -(drawn.X @ drawn.params["W1"])[0]  # every hidden unit at exactly 0
    problem, rng = Problem(drawn.model, drawn.X, drawn.y, PENALTY), np.random.default_rng(0)
    errors = gradient_check.at_coordinates(problem, at_kink, manual.loss_and_grads, 100, rng)
    assert max(errors.values()) <= BOUNDS["coordinates"]
    with pytest.raises(ValueError, match="no direction of W1 in 100 leaves every ReLU as it is"):
        gradient_check.along_directions(problem, at_kink, manual.loss_and_grads, 1, rng)


def test_a_failure_says_model_parameter_error_bound_and_where_to_look() -> None:
    drawn = case("softmax")
    doubled = with_fault(lambda grads, params, X: np.multiply(grads["b"], 2, out=grads["b"]))
    message = (
        r"gradient of b in softmax: relative error 1.0e\+00 against autograd_float64, more than 1e-10; "
        r"see the backward of pipeline/learning/models/softmax.py"
    )
    with pytest.raises(UserError, match=message):
        check_gradients._hold({"softmax": checked(drawn, doubled)})
