import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.special import expit
from scipy.special import softmax as scipys_softmax

from pipeline.learning import probabilities

SCORES = arrays(np.float64, (4, 3), elements=st.floats(-50, 50))


@pytest.mark.parametrize("name", ["softmax", "one_vs_rest", "clipped"])
def test_probabilities_are_positive_sum_to_one_and_keep_the_scores_order(name):
    @settings(deadline=None, max_examples=40)
    @given(SCORES)
    def holds(scores):
        found = probabilities.get(name)(scores)
        assert (found > 0).all()
        np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-12)
        ranked = np.take_along_axis(found, scores.argsort(axis=1, kind="stable"), axis=1)
        assert (np.diff(ranked, axis=1) >= -1e-15).all()

    holds()


@settings(deadline=None, max_examples=40)
@given(SCORES)
def test_softmax_and_sigmoid_are_those_of_scipy(scores):
    np.testing.assert_allclose(probabilities.softmax(scores), scipys_softmax(scores, axis=1), rtol=1e-12)
    single = expit(scores)
    theirs = single / single.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(probabilities.one_vs_rest(scores), theirs, rtol=1e-12)


def test_estimates_outside_of_zero_and_one_are_cut():
    found = probabilities.clipped(np.array([[1.5, 0.5, -0.5]]))
    np.testing.assert_allclose(found, np.array([[1, 0.5, 1e-6]]) / 1.500001, rtol=1e-12)


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match="probabilities 'odds': choose one of softmax, one_vs_rest, clipped"):
        probabilities.get("odds")
