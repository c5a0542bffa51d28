import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.learning import gradients, models
from pipeline.learning.arrays import Array, Workspace
from pipeline.learning.gradients import autograd, manual, numeric
from pipeline.learning.penalty import Kind, Penalty
from tests.learning.problems import KINDS, Case, case, cases, copied, penalties, relative

ENGINES = pytest.mark.parametrize("engine", gradients.NAMES)
MODELS = pytest.mark.parametrize("name", models.NAMES)


@settings(max_examples=40, deadline=None)
@given(cases(), penalties, st.sampled_from([None, "mean", "sum"]))
def test_manual_and_autograd_agree_to_1e_10_in_float64(drawn: Case, penalty: Penalty, reduction) -> None:
    loss, grads = manual.loss_and_grads(*drawn, penalty=penalty, reduction=reduction)
    torch_loss, torch_grads = autograd.loss_and_grads(*drawn, penalty=penalty, reduction=reduction)
    assert loss == pytest.approx(torch_loss, rel=1e-12)
    for name in drawn.params:
        assert relative(grads[name], torch_grads[name]) <= 1e-10, name


# At fixed points: at a random one a ReLU may switch within the difference's step.
@pytest.mark.parametrize("kind", KINDS)
@MODELS
def test_manual_agrees_with_central_differences(name: str, kind: Kind) -> None:
    penalty = Penalty(kind, 0.7)
    drawn = case(name)
    loss, grads = manual.loss_and_grads(*drawn, penalty=penalty)
    numeric_loss, differences = numeric.loss_and_grads(*drawn, penalty=penalty)
    assert loss == pytest.approx(numeric_loss, rel=1e-14)
    for key in drawn.params:
        assert relative(grads[key], differences[key]) <= 1e-8, key


@MODELS
def test_derivative_along_a_direction_is_the_gradients_product_with_it(name: str) -> None:
    drawn = case(name)
    direction = {key: np.cos(np.arange(value.size)).reshape(value.shape) for key, value in drawn[1].items()}
    _, grads = autograd.loss_and_grads(*drawn, penalty=Penalty("half", 0.3))
    expected = sum((grads[key] * direction[key]).sum() for key in grads)
    found = numeric.directional(*drawn, direction, Penalty("half", 0.3))
    assert found == pytest.approx(expected, rel=1e-8)


@ENGINES
@MODELS
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_gradients_have_the_keys_shapes_and_type_of_the_parameters(name: str, engine: str, dtype) -> None:
    drawn = case(name, dtype=dtype)
    loss, grads = gradients.get(engine).loss_and_grads(*drawn, penalty=Penalty("half", 0.3))
    assert list(grads) == list(drawn.params)
    assert loss.dtype == dtype
    for key, value in drawn.params.items():
        assert (grads[key].shape, grads[key].dtype) == (value.shape, dtype)


@ENGINES
@MODELS
def test_no_input_is_changed_even_where_it_could_not_be(name: str, engine: str) -> None:
    drawn, before = case(name), case(name)
    for array in (*drawn.params.values(), drawn.X, drawn.y):
        array.flags.writeable = False
    gradients.get(engine).loss_and_grads(*drawn, penalty=Penalty("sum", 1.0))
    np.testing.assert_array_equal(drawn.X, before.X)
    np.testing.assert_array_equal(drawn.y, before.y)
    for key, value in before.params.items():
        np.testing.assert_array_equal(drawn.params[key], value)


@ENGINES
@MODELS
def test_writable_inputs_are_not_changed_either(name: str, engine: str) -> None:
    drawn, before = case(name), case(name)
    gradients.get(engine).loss_and_grads(*drawn, penalty=Penalty("sum", 1.0), buffer=Workspace(np.float64))
    np.testing.assert_array_equal(drawn.X, before.X)
    np.testing.assert_array_equal(drawn.y, before.y)
    for key, value in before.params.items():
        np.testing.assert_array_equal(drawn.params[key], value)


# Powers of two, by which a floating-point number is divided without rounding.
@pytest.mark.parametrize("engine", ["manual", "autograd"])
@pytest.mark.parametrize(
    ("name", "factor"),
    [
        ("softmax", 8),
        ("two_layer", 8),
        ("sigmoid_network", 8),
        ("linear_regression", 32),
        ("two_layer_regression", 32),
    ],
)
def test_summed_and_averaged_gradients_differ_by_exactly_n_or_n_times_c(
    name: str, factor: int, engine: str
) -> None:
    drawn = case(name, N=8, C=4)
    differentiate = gradients.get(engine).loss_and_grads
    mean, mean_grads = differentiate(*drawn, reduction="mean")
    total, total_grads = differentiate(*drawn, reduction="sum")
    assert total == factor * mean
    for key, grad in total_grads.items():
        np.testing.assert_array_equal(grad, factor * mean_grads[key])


@settings(max_examples=30, deadline=None)
@given(cases(), penalties)
def test_the_penalty_is_no_part_of_the_reduction(drawn: Case, penalty: Penalty) -> None:
    for reduction in ("mean", "sum"):
        bare, bare_grads = manual.loss_and_grads(*drawn, reduction=reduction)
        loss, grads = manual.loss_and_grads(*drawn, penalty=penalty, reduction=reduction)
        c = {"sum": 1, "half": 1 / 2, "per_sample": 1 / (2 * len(drawn.X))}[penalty.kind] * penalty.strength
        squares = sum((value**2).sum() for key, value in drawn.params.items() if key.startswith("W"))
        assert loss == pytest.approx(bare + c * squares, rel=1e-12)
        for key, value in drawn.params.items():
            added = 2 * c * value if key.startswith("W") else 0 * value
            np.testing.assert_allclose(grads[key], bare_grads[key] + added, rtol=1e-12, atol=1e-12)


@settings(max_examples=30, deadline=None)
@given(cases(), penalties)
def test_a_workspace_gives_the_same_bits_as_fresh_arrays_step_after_step(
    drawn: Case, penalty: Penalty
) -> None:
    workspace = Workspace(np.float64)
    for rows in (slice(None), slice(0, 1), slice(None)):  # the last minibatch of an epoch is a smaller one
        batch = drawn.model, drawn.params, drawn.X[rows], drawn.y[rows]
        fresh_loss, fresh_grads = manual.loss_and_grads(*batch, penalty=penalty)
        loss, grads = manual.loss_and_grads(*batch, penalty=penalty, buffer=workspace)
        assert loss == fresh_loss
        for key, grad in grads.items():
            np.testing.assert_array_equal(grad, fresh_grads[key])


@MODELS
def test_autograd_takes_tensors_and_returns_tensors_of_the_same_bits(name: str) -> None:
    drawn = case(name)
    tensors = {key: torch.from_numpy(value).requires_grad_() for key, value in drawn.params.items()}
    loss, grads = autograd.loss_and_grads(
        drawn.model, tensors, torch.from_numpy(drawn.X), torch.from_numpy(drawn.y)
    )
    numpy_loss, numpy_grads = autograd.loss_and_grads(*drawn)
    assert isinstance(loss, torch.Tensor)
    assert not loss.requires_grad
    assert loss.item() == numpy_loss
    for key, grad in grads.items():
        assert tensors[key].grad is None
        np.testing.assert_array_equal(grad.numpy(), numpy_grads[key])


@ENGINES
@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint16])
@pytest.mark.parametrize("name", ["softmax", "two_layer", "sigmoid_network"])
def test_labels_may_be_of_any_integer_type(name: str, dtype: type, engine: str) -> None:
    model, params, X, y = case(name)
    differentiate = gradients.get(engine).loss_and_grads
    loss, grads = differentiate(model, params, X, y.astype(dtype))
    expected, expected_grads = differentiate(model, params, X, y)
    assert loss == expected
    for key, grad in grads.items():
        np.testing.assert_array_equal(grad, expected_grads[key])


def test_gradient_of_linear_regression_is_its_closed_form() -> None:
    model, params, X, y = case("linear_regression", N=6, C=3)
    _, grads = manual.loss_and_grads(model, params, X, y)
    residuals = X @ params["W"] + params["b"] - y
    np.testing.assert_allclose(grads["W"], 2 / 18 * X.T @ residuals, rtol=1e-12)
    np.testing.assert_allclose(grads["b"], 2 / 18 * residuals.sum(0), rtol=1e-12)


@pytest.mark.parametrize("engine", ["manual", "autograd"])
@pytest.mark.parametrize("name", ["two_layer", "two_layer_regression"])
def test_a_relu_at_exactly_zero_lets_no_gradient_through(name: str, engine: str) -> None:
    model, params, X, y = case(name)
    dead = copied(params) | {"W1": np.zeros_like(params["W1"])}
    if "b1" in dead:
        dead["b1"] = np.zeros_like(params["b1"])
    _, grads = gradients.get(engine).loss_and_grads(model, dead, X, y)
    assert not grads["W1"].any()


@ENGINES
@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"X": np.zeros((6, 3))}, "X of shape (6, 3) does not fit parameters of shapes"),
        ({"X": np.zeros(4)}, "X of shape (4,) does not fit parameters of shapes"),
        ({"params": {"V": np.zeros((4, 3))}}, "does not fit parameters of shapes {'V': (4, 3)}"),
        ({"y": np.zeros((6, 3), int)}, "labels of shape (6, 3): expected (6,)"),
        ({"y": np.zeros(5, int)}, "labels of shape (5,): expected (6,)"),
        ({"y": np.array([0, 1, 2, 3, 0, 0])}, "labels from 0 to 3: expected 0 to 2"),
        ({"y": np.array([0, 1, 2, -1, 0, 0])}, "labels from -1 to 2: expected 0 to 2"),
        ({"y": np.arange(6) % 2 == 0}, "labels of type bool: expected integers"),
        ({"y": np.arange(6) % 3 / 1.0}, "labels of type float64: expected integers"),
        ({"X": np.zeros((0, 4)), "y": np.zeros(0, int)}, "no samples"),
    ],
)
@pytest.mark.parametrize("name", ["softmax", "two_layer", "sigmoid_network"])
def test_samples_that_fit_no_classifier_are_refused(name: str, change, message: str, engine: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        gradients.get(engine).loss_and_grads(**(case(name)._asdict() | change))


@ENGINES
@pytest.mark.parametrize("shape", [(6,), (6, 1), (5, 3), (1, 3)])
@pytest.mark.parametrize("name", ["linear_regression", "two_layer_regression"])
def test_targets_that_would_only_broadcast_are_refused(name: str, shape: tuple[int, ...], engine) -> None:
    with pytest.raises(ValueError, match=re.escape(f"targets of shape {shape}: expected (6, 3)")):
        gradients.get(engine).loss_and_grads(*case(name)._replace(y=np.zeros(shape)))


@pytest.mark.parametrize("change", [lambda X: X[::-1], lambda X: X.astype(">f8"), lambda X: X[:, ::-1]])
def test_arrays_that_torch_has_no_tensors_for_are_taken_by_autograd_too(
    change: Callable[[Array], Array],
) -> None:
    model, params, X, y = case("two_layer")
    loss, grads = autograd.loss_and_grads(model, params, change(X), y)
    with torch.no_grad():
        again, same = autograd.loss_and_grads(model, params, np.ascontiguousarray(change(X), np.float64), y)
    assert loss == again
    for key, grad in grads.items():
        np.testing.assert_array_equal(grad, same[key])


@ENGINES
@pytest.mark.parametrize("reduction", ["SUM", "average", "none"])
def test_another_reduction_than_sum_and_mean_is_refused(reduction: Any, engine: str) -> None:
    with pytest.raises(ValueError, match=f"reduction '{reduction}': choose mean or sum"):
        gradients.get(engine).loss_and_grads(*case("softmax"), reduction=reduction)


@pytest.mark.parametrize("zero", [("W2", "b2"), ("W1", "b1")])
def test_autograd_is_right_where_a_sigmoid_unit_sees_exactly_zero(zero: tuple[str, str]) -> None:
    drawn = case("sigmoid_network")
    for key in zero:
        drawn.params[key][:] = 0
    _, grads = autograd.loss_and_grads(*drawn)
    _, differences = numeric.loss_and_grads(*drawn)
    for key, grad in grads.items():
        assert relative(grad, differences[key]) <= 1e-8, key


@ENGINES
@pytest.mark.parametrize(("name", "key"), [("softmax", "b"), ("two_layer", "b1"), ("two_layer", "b2")])
def test_a_bias_that_would_only_broadcast_is_refused(name: str, key: str, engine: str) -> None:
    drawn = case(name)
    drawn.params[key] = np.zeros(1)
    with pytest.raises(ValueError, match=re.escape("(1,)")):
        gradients.get(engine).loss_and_grads(*drawn)


@pytest.mark.parametrize(("key", "shape"), [("b1", (4,)), ("W2", (4, 3))])
def test_hidden_units_that_differ_are_a_wrong_value_for_autograd_too(key: str, shape) -> None:
    drawn = case("two_layer", H=5)
    drawn.params[key] = np.zeros(shape)
    with pytest.raises(ValueError, match=re.escape(str(shape))):
        autograd.loss_and_grads(*drawn)
