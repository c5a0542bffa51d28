"""Exercise 5: three ways that agree, every factor of the chain rule, and what goes red when one is wrong."""

import numpy as np
import pytest

from pipeline.exercises import relu_regression as exercise
from pipeline.learning import losses
from pipeline.learning.gradients import autograd, manual
from pipeline.learning.models import two_layer_regression
from tests.exercises import faults

VARIANTS = ("asked", "answered")
SMALL = exercise.RECIPE.model_copy(
    update={"samples": 16, "inputs": 20, "hidden": 8, "outputs": 4, "iterations": 30, "learning_rate": 1e-4}
)


@pytest.fixture(scope="module")
def outcomes():
    return {variant: exercise.run(variant, exercise.RECIPE) for variant in VARIANTS}


@pytest.fixture(scope="module", params=VARIANTS)
def outcome(request, outcomes):
    return outcomes[request.param]


def failed(variant="asked", **changes):
    settings = SMALL.model_copy(update=changes)
    return " | ".join(claim.says for claim in exercise.run(variant, settings).claims if not claim.holds)


def test_three_ways_agree_along_500_iterations(outcomes):
    ours, theirs = ([row["loss"] for row in outcomes[variant].trace] for variant in VARIANTS)
    third = [row["loss"] for row in outcomes["asked"].results["autograd"]["trace"]]
    assert len(ours) == len(theirs) == len(third) == 500
    np.testing.assert_allclose(ours, theirs, rtol=1e-8)
    np.testing.assert_allclose(ours, third, rtol=1e-8)
    for variant in VARIANTS:
        assert 0 < outcomes[variant].results["worst_relative_difference"] <= 1e-8
    weights = [outcomes[variant].weights for variant in VARIANTS]
    for name in ("W1", "W2"):
        np.testing.assert_allclose(weights[0][name], weights[1][name], rtol=1e-7, atol=1e-9)


def test_the_draws_are_those_of_the_source():
    rng = np.random.RandomState(0)  # randn after randn, in the tutorial's order
    X, y, params = exercise.draw(exercise.RECIPE, np.random.RandomState(0))
    for found, shape in (
        (X, (64, 1000)),
        (y, (64, 10)),
        (params["W1"], (1000, 100)),
        (params["W2"], (100, 10)),
    ):
        np.testing.assert_array_equal(found, rng.randn(*shape))


def test_the_expected_first_loss_is_the_published_one(outcome):
    results = outcome.results
    assert results["expected_first_loss"] == 32_000_640
    assert abs(results["mean_first_loss"] - 32_000_640) <= 5 * results["standard_error"]
    assert results["standard_error"] < 0.02 * 32_000_640


def test_every_intermediate_is_autograds(outcome):
    shapes = {name: tuple(found["shape"]) for name, found in outcome.results["intermediates"].items()}
    assert shapes == {
        "grad_y_pred": (64, 10),
        "grad_w2": (100, 10),
        "grad_h_relu": (64, 100),
        "grad_h": (64, 100),
        "grad_w1": (1000, 100),
    }
    assert all(found["difference"] <= 1e-12 for found in outcome.results["intermediates"].values())


def test_at_exactly_zero_ours_is_autograds_and_the_other_mask_is_not(outcome):
    zero = outcome.results["at_zero"]
    assert zero["mask_less_or_equal"] == zero["autograd"] == 0
    assert zero["mask_less"] > 0


def test_a_row_of_the_trace_holds_the_iteration_and_its_loss(outcome):
    for trace in (outcome.trace, outcome.results["autograd"]["trace"]):
        assert [row["iteration"] for row in trace] == list(range(500))
        assert all(row.keys() == {"iteration", "loss"} for row in trace)


def test_the_same_settings_give_the_same_results_to_the_bit():
    first, second = (exercise.run("answered", SMALL) for _ in range(2))
    assert first.trace == second.trace
    assert first.results == second.results


def test_one_step_of_scikit_learns_regressor_is_ours(outcome):
    assert outcome.results["scikit_learn"]["weights_difference"] <= 1e-6
    assert outcome.results["scikit_learn"]["loss_difference"] <= 1e-6


def test_every_claim_holds(outcome):
    assert [claim.says for claim in outcome.claims if not claim.holds] == []


@pytest.mark.parametrize("change", [{}, {"seed": 3}, {"hidden": 20}, {"outputs": 1}, {"iterations": 1}])
def test_the_claims_hold_for_other_settings_too(change):
    assert failed(**change) == ""


def test_the_lines_show_the_chain_rule_with_its_shapes(outcome):
    assert outcome.printed[0] == f"0 {outcome.trace[0]['loss']}"
    assert outcome.printed[-1].split() == ["grad_w1", "[1000,", "100]", "=", "x^T", ".", "grad_h"]


# What must go red.


def test_a_missing_relu_mask_is_seen(monkeypatch):
    monkeypatch.setattr(two_layer_regression, "relu_backward", lambda dy, y: dy)
    assert "three ways to descend" in failed()
    assert "gradient against central differences" in failed()
    assert "the chain rule step by step against the model's own backward" in failed()


def test_a_mask_that_lets_through_at_zero_is_seen(monkeypatch):
    def relu_backward(dy, y):
        dy *= y >= 0
        return dy

    monkeypatch.setattr(two_layer_regression, "relu_backward", relu_backward)
    assert "at exactly 0: our gradient" in failed()


def test_a_factor_2_is_seen(monkeypatch):
    right = losses.SQUARED_ERROR.value_and_gradient

    def without_the_2(*given):
        loss, dscores = right(*given)
        return loss, dscores / 2

    wrong = losses.Loss(losses.SQUARED_ERROR.value, without_the_2, "elements", False)
    monkeypatch.setattr(two_layer_regression, "LOSS", wrong)
    assert "three ways to descend" in failed()
    assert "gradient against central differences" in failed()


def test_a_wrong_transpose_of_a_compatible_shape_is_seen(monkeypatch):
    faults.transpose_dW2(monkeypatch, two_layer_regression)
    assert "gradient against central differences" in failed(outputs=8)


def test_a_wrong_factor_in_the_chain_is_named(monkeypatch):
    right = exercise.step_by_step

    def step_by_step(params, X, y):
        grads = right(params, X, y)
        return {**grads, "grad_h_relu": grads["grad_y_pred"] @ params["W2"]}  # square: a shape that fits

    monkeypatch.setattr(exercise, "step_by_step", step_by_step)
    assert failed(outputs=8).startswith("grad_h_relu, against autograd's of the same tensor")


def test_a_wrong_autograd_is_seen_too(monkeypatch):
    right = autograd.loss_and_grads

    def loss_and_grads(*given, **options):
        loss, grads = right(*given, **options)
        return loss, {name: 1.000001 * grad for name, grad in grads.items()}

    monkeypatch.setattr(autograd, "loss_and_grads", loss_and_grads)
    assert "three ways to descend" in failed()


def test_inputs_changed_in_place_are_seen(monkeypatch):
    faults.change_inputs(monkeypatch, two_layer_regression)
    assert "inputs and parameters stay as they are" in failed()


def test_the_gradient_is_the_sums_and_not_the_means():
    X, y, params = exercise.draw(SMALL, np.random.RandomState(0))
    total = manual.loss_and_grads(two_layer_regression, params, X, y)
    assert total[0] == pytest.approx(((two_layer_regression.scores(params, X) - y) ** 2).sum())
