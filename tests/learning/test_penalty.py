import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.learning import penalty
from pipeline.learning.penalty import Kind, Penalty
from tests.learning.problems import KINDS, Case, case, cases, copied

relaxed = settings(max_examples=30, deadline=None)
strengths = st.floats(1e-6, 10)
ALL = pytest.mark.parametrize("kind", KINDS)


# The conventions of cs231n, of cs231n's case study, and of Coursera's course (m samples).
@pytest.mark.parametrize(
    ("kind", "value", "gradient"), [("sum", 3.0, 1.2), ("half", 1.5, 0.6), ("per_sample", 0.3, 0.12)]
)
def test_each_kind_is_its_published_convention(kind: Kind, value: float, gradient: float) -> None:
    params, grads = {"W": np.array([[1.0, -3.0]])}, {"W": np.array([[0.0, 0.0]])}
    l2 = Penalty(kind, 0.3)  # ΣW² = 10, m = 5
    assert l2.value(params, 5) == pytest.approx(value, rel=1e-14)
    l2.add_gradient(grads, params, 5)
    np.testing.assert_allclose(grads["W"], [[gradient / 2, -3 * gradient / 2]], rtol=1e-14)


@ALL
@relaxed
@given(drawn=cases(), strength=strengths, samples=st.integers(1, 1000))
def test_the_gradient_is_torchs_of_the_value(kind: Kind, drawn: Case, strength: float, samples: int) -> None:
    l2 = Penalty(kind, strength)
    leaves = {name: torch.from_numpy(value).requires_grad_() for name, value in drawn.params.items()}
    value = l2.value(leaves, samples)
    assert value.item() == pytest.approx(float(l2.value(drawn.params, samples)), rel=1e-13)
    theirs = torch.autograd.grad(value, list(leaves.values()), allow_unused=True)
    ours = {name: np.zeros_like(value) for name, value in drawn.params.items()}
    l2.add_gradient(ours, drawn.params, samples)
    for (name, grad), expected in zip(ours.items(), theirs, strict=True):
        if expected is None:  # the value doesn't depend on it
            assert name.startswith("b")
            assert not grad.any()
        else:
            np.testing.assert_allclose(grad, expected.numpy(), rtol=1e-13)


@ALL
def test_the_gradient_is_added_to_what_is_there_and_no_parameter_is_changed(kind: Kind) -> None:
    params = case("two_layer").params
    grads = {name: np.ones_like(value) for name, value in params.items()}
    Penalty(kind, 0.5).add_gradient(grads, params, 2)
    factor = {"sum": 1.0, "half": 0.5, "per_sample": 0.25}[kind]
    for name, grad in grads.items():
        added = factor * params[name] if name.startswith("W") else 0
        np.testing.assert_allclose(grad, 1 + added, rtol=1e-14)
        np.testing.assert_array_equal(params[name], case("two_layer").params[name])


@ALL
def test_biases_are_never_penalised(kind: Kind) -> None:
    params = case("two_layer").params
    moved = copied(params) | {"b1": params["b1"] + 100, "b2": params["b2"] - 100}
    l2 = Penalty(kind, 0.5)
    assert penalty.weights(params) == ["W1", "W2"]
    assert l2.value(moved, 3) == l2.value(params, 3) > 0


@relaxed
@given(strengths, st.integers(1, 10_000))
def test_the_conventions_are_each_others_with_the_strength_converted(strength: float, samples: int) -> None:
    c = Penalty("sum", strength).coefficient(samples)
    assert Penalty("half", 2 * strength).coefficient(samples) == c
    assert Penalty("per_sample", 2 * samples * strength).coefficient(samples) == pytest.approx(c, rel=1e-14)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_value_and_gradient_keep_the_type_of_the_parameters(dtype: type) -> None:
    params = case("two_layer", dtype=dtype).params
    grads = {name: np.zeros_like(value) for name, value in params.items()}
    Penalty("half", 0.1).add_gradient(grads, params, 3)
    assert Penalty("half", 0.1).value(params, 3).dtype == dtype
    assert {grad.dtype for grad in grads.values()} == {np.dtype(dtype)}


def test_no_penalty_is_exactly_nothing() -> None:
    params = case("two_layer").params
    grads = copied(params)
    penalty.NONE.add_gradient(grads, params, 3)
    assert penalty.NONE.value(params, 3) == 0
    for name, grad in grads.items():
        np.testing.assert_array_equal(grad, params[name])


def test_an_unknown_kind_is_answered_with_the_kinds_there_are() -> None:
    with pytest.raises(ValueError, match="penalty kind 'l1': choose one of sum, half, per_sample"):
        Penalty("l1", 0.1)  # type: ignore[arg-type]


@pytest.mark.parametrize("strength", [-1.0, -1e-300, float("nan")])
def test_a_strength_below_zero_or_no_number_is_refused(strength: float) -> None:
    with pytest.raises(ValueError, match=f"penalty strength {strength!r}: must be at least 0"):
        Penalty("sum", strength)
