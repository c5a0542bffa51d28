import numpy as np
import pytest

from pipeline.learning.initialization import normal
from pipeline.learning.randomness import generator

SHAPES = {"W1": (400, 300), "b1": (300,), "W2": (300, 10), "b2": (10,)}


def test_the_same_seed_and_purpose_draw_the_same():
    assert generator(3, "split").random(5).tolist() == generator(3, "split").random(5).tolist()


@pytest.mark.parametrize("other", [(4, "split"), (3, "minibatches"), (3, "split ")])
def test_another_seed_or_purpose_draws_something_else(other):
    assert generator(3, "split").random() != generator(*other).random()


def test_a_draw_more_for_one_purpose_shifts_no_other():
    alone = generator(0, "minibatches").random(3).tolist()
    generator(0, "initialization").random(1000)
    assert generator(0, "minibatches").random(3).tolist() == alone


def test_weights_have_the_deviation_asked_for_and_biases_are_zero():
    params = normal(SHAPES, 0.01, generator(0, "initialization"))
    assert {name: value.shape for name, value in params.items()} == SHAPES
    # The deviation of n draws is off by about 1/sqrt(2n), here 0.2%.
    assert params["W1"].std() == pytest.approx(0.01, rel=0.01)
    assert not params["b1"].any()
    assert not params["b2"].any()


def test_without_a_deviation_each_layer_has_that_of_he():
    params = normal(SHAPES, None, generator(0, "initialization"))
    assert params["W1"].std() == pytest.approx(np.sqrt(2 / 400), rel=0.01)
    assert params["W2"].std() == pytest.approx(np.sqrt(2 / 300), rel=0.05)


def test_both_types_start_from_the_same_draws():
    single, double = (normal(SHAPES, 0.1, generator(0, "i"), dtype) for dtype in (np.float32, np.float64))
    assert single["W2"].dtype == np.float32
    np.testing.assert_array_equal(single["W2"], double["W2"].astype(np.float32))
