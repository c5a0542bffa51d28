import numpy as np
import pytest

from pipeline.learning import initialization, models
from pipeline.learning.randomness import generator

SHAPES = models.get("two_layer").shapes(400, 50, 300)


def drawn(std: float | None = None, seed: int = 0, dtype: type = np.float32) -> dict[str, np.ndarray]:
    return initialization.normal(SHAPES, std, generator(seed, "weights"), dtype)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_parameters_have_the_names_shapes_order_and_type_asked_for(dtype: type) -> None:
    params = drawn(dtype=dtype)
    assert [(name, value.shape) for name, value in params.items()] == list(SHAPES.items())
    assert {value.dtype for value in params.values()} == {np.dtype(dtype)}


def test_parameters_are_float32_where_nothing_is_said() -> None:
    assert initialization.normal({"W": (2, 3)}, None, generator(0, "weights"))["W"].dtype == np.float32


def test_biases_start_at_zero() -> None:
    params = drawn()
    assert not params["b1"].any()
    assert not params["b2"].any()


@pytest.mark.parametrize("std", [1e-4, 0.01, 2.0])
def test_weights_are_normal_of_the_deviation_asked_for(std: float) -> None:
    for name in ("W1", "W2"):
        standard = drawn(std)[name].astype(np.float64).ravel() / std
        n = standard.size
        # Four standard errors of the mean, of the deviation, and of the fourth moment (3, variance 96).
        assert abs(standard.mean()) < 4 / np.sqrt(n)
        assert abs(standard.std() - 1) < 4 / np.sqrt(2 * n)
        assert abs((standard**4).mean() - 3) < 4 * np.sqrt(96 / n)


def test_weights_are_hes_where_no_deviation_is_asked_for() -> None:
    params = drawn()
    for name, inputs in (("W1", 400), ("W2", 300)):
        relative_error = 4 / np.sqrt(2 * params[name].size)
        assert params[name].std() == pytest.approx(np.sqrt(2 / inputs), rel=relative_error)


def test_hes_weights_keep_the_second_moment_through_many_relu_layers() -> None:
    # He et al. 2015, equation 10: Var(z of a layer) is that of the layer before.
    rng = np.random.default_rng(0)
    W = initialization.normal({f"W{i}": (500, 500) for i in range(10)}, None, rng, np.float64)
    z = rng.standard_normal((200, 500)) * np.sqrt(2)
    for weights in W.values():
        z = np.maximum(z, 0) @ weights
    assert z.var() == pytest.approx(2, rel=0.25)


def test_the_same_seed_draws_the_same_bits_and_another_one_others() -> None:
    for name, value in drawn(seed=1).items():
        np.testing.assert_array_equal(value, drawn(seed=1)[name])
    assert (drawn(seed=1)["W1"] != drawn(seed=2)["W1"]).mean() > 0.99


def test_a_deviation_only_scales_the_draws() -> None:
    np.testing.assert_allclose(drawn(0.5, dtype=np.float64)["W2"], 5 * drawn(0.1, dtype=np.float64)["W2"])


def test_weights_are_drawn_one_after_the_other_and_biases_take_no_draw() -> None:
    rng = np.random.default_rng(0)
    expected = [rng.standard_normal((4, 3)), rng.standard_normal((3, 2))]
    params = initialization.normal(
        models.get("two_layer").shapes(4, 2, 3), 1.0, np.random.default_rng(0), np.float64
    )
    np.testing.assert_array_equal(params["W1"], expected[0])
    np.testing.assert_array_equal(params["W2"], expected[1])


def test_both_types_start_from_the_same_draws() -> None:
    single, double = drawn(0.1), drawn(0.1, dtype=np.float64)
    for name, value in single.items():
        np.testing.assert_array_equal(value, double[name].astype(np.float32), strict=True)
