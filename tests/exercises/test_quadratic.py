"""Exercise 1: its published numbers, what the Hessian predicts, and what goes red when a part is wrong."""

import numpy as np
import pytest
import torch

from pipeline.exercises import quadratic as exercise
from pipeline.exercises import quadratic_problem as problems
from pipeline.learning import losses
from pipeline.learning.least_squares import Quadratic
from pipeline.learning.models import linear_regression

VARIANTS = ("asked", "answered")


@pytest.fixture(scope="module")
def outcomes():
    return {variant: exercise.run(variant, exercise.RECIPE) for variant in VARIANTS}


@pytest.fixture(scope="module")
def asked(outcomes):
    return outcomes["asked"]


@pytest.fixture(scope="module")
def answered(outcomes):
    return outcomes["answered"]


def failed(variant="answered", **changes):
    settings = exercise.RECIPE.model_copy(update={"seed": 7, **changes})
    return " | ".join(claim.says for claim in exercise.run(variant, settings).claims if not claim.holds)


# The published numbers.


def test_as_asked_the_published_losses_and_weights(asked):
    assert len(asked.trace) == 30
    assert asked.trace[0]["loss"] == 25.450000762939453
    assert asked.trace[0]["weights"] == pytest.approx([0.57, 0.81, 1.898], abs=1e-6)
    assert f"{asked.trace[10]['loss']:.1e}" == "2.1e+11"
    assert f"{asked.trace[20]['loss']:.2e}" == "1.78e+21"


def test_as_answered_the_published_loss_and_weights_with_both_rates(answered):
    assert answered.trace[0]["loss"] == 0.25755801796913147
    assert answered.trace[0]["weights"] == pytest.approx([0.49954653, 0.5004535], abs=5e-8)
    other = answered.results["rate_0.02"]["trace"]
    assert other[0]["loss"] == 0.25755801796913147
    assert other[0]["weights"] == pytest.approx([0.4996977, 0.5003023], abs=5e-8)


def test_the_published_limits_and_condition_numbers(asked, answered):
    assert f"{asked.results['max_learning_rate']:.6f}" == "0.004835"
    assert f"{asked.results['largest_eigenvalue']:.1f}" == "413.6"
    assert f"{asked.results['condition_number']:.0f}" == "7378"
    assert f"{asked.results['points_10']['max_learning_rate']:.6f}" == "0.000389"
    assert f"{answered.results['max_learning_rate']:.3f}" == "0.631"
    assert f"{answered.results['condition_number']:.0f}" == "105"


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_coefficients_are_those_of_the_parabola(outcomes, variant):
    results = outcomes[variant].results
    for name in ("lstsq", "sklearn"):
        assert results[name] == pytest.approx([1, 0, 0], abs=1e-9)
    assert results["coefficients"] == pytest.approx([1, 0, 0], abs=1e-6)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_claim_holds(outcomes, variant):
    assert [claim.says for claim in outcomes[variant].claims if not claim.holds] == []


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_results_are_complete(outcomes, variant):
    demanded = {
        *("rate_0.02", "points_10", "max_learning_rate", "condition_number", "iterations_needed"),
        *("iterations_taken", "coefficients", "lstsq", "sklearn"),
    }
    results = outcomes[variant].results
    assert demanded <= set(results)
    assert {"trace", "iterations_needed", "max_learning_rate"} <= set(results["points_10"])


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"points": 3},
        {"points": 8, "more_points": 15},
        {"iterations": 200},
        {"asked_learning_rate": 0.004},
    ],
)
def test_the_claims_that_are_not_about_published_numbers_hold_for_other_settings_too(variant, change):
    assert failed(variant, **change) == ""


# What the Hessian says.


def test_the_hessian_is_torchs_second_derivative():
    problem = problems.standardised(5)
    X, y = torch.from_numpy(problem.X), torch.from_numpy(problem.y)

    def loss(theta):
        return ((X @ theta[:2] + theta[2] - y[:, 0]) ** 2).mean()

    found = torch.autograd.functional.hessian(loss, torch.full((3,), 0.5, dtype=torch.float64))
    np.testing.assert_allclose(problem.quadratic().hessian, found.numpy(), atol=1e-12)


def test_as_asked_the_loss_grows_as_the_largest_eigenvalue_says(asked):
    factor = 1 - 0.01 * asked.results["largest_eigenvalue"]
    grown = asked.trace[20]["loss"] / asked.trace[19]["loss"]
    assert grown == pytest.approx(factor**2, rel=1e-4)


def test_the_prediction_of_the_iterations_is_exact_and_the_bound_holds(asked, answered):
    for found in (asked.results, answered.results, answered.results["points_10"]):
        assert found["iterations_taken"] == found["iterations_predicted"] <= found["iterations_needed"]
    assert asked.results["iterations_at_rate"] is None  # it never gets there
    assert answered.results["iterations_at_rate"] > 30


def test_one_side_of_the_limit_converges_and_the_other_diverges(asked):
    below, above = (
        [row["loss"] for row in asked.results[name]["trace"]] for name in ("below_limit", "above_limit")
    )
    assert max(below) == below[0] > 1000 * below[-1]
    assert above[-1] > 1000 * above[0]


def test_the_standardised_start_has_no_error_along_the_top_eigenvector(answered):
    standard, beside = (
        answered.results[name] for name in ("standardised_above_limit", "standardised_perturbed")
    )
    assert standard["relative_error_along_top"] < 1e-15 < 1e-3 < beside["relative_error_along_top"]
    losses_of = [row["loss"] for row in standard["trace"]]
    assert min(losses_of) < 1e-10 * losses_of[0]
    assert losses_of[-1] > losses_of[0]
    assert beside["growth"] == pytest.approx(1.02, abs=1e-9)


def test_a_run_that_overflows_ends_where_it_is_finite_no_more(asked):
    trace = asked.results["points_10"]["trace"]
    assert len(trace) < 30
    assert all(np.isfinite(row["loss"]) for row in trace)


# What must go red.


@pytest.mark.parametrize("factor", [0.5, 5.0], ids=["a ½ too many", "a missing 1/N"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_wrong_factor_in_the_loss_is_seen(variant, factor, monkeypatch):
    right = losses.SQUARED_ERROR
    wrong = losses.Loss(
        lambda scores, y: factor * right.value(scores, y), right.value_and_gradient, "elements", False
    )
    monkeypatch.setattr(linear_regression, "LOSS", wrong)
    assert "the Hessian's gradient against autograd's" in failed(variant)
    published = next(c.says for c in exercise.run(variant, exercise.RECIPE).claims if not c.holds)
    assert published.startswith("loss at iteration 0, published")


def test_a_wrong_factor_in_the_hessian_is_seen(monkeypatch):
    right = problems.Problem.quadratic

    def without_1_over_n(problem):
        loss = right(problem)
        return Quadratic(len(problem.X) * loss.hessian, len(problem.X) * loss.linear)

    monkeypatch.setattr(problems.Problem, "quadratic", without_1_over_n)
    assert "the Hessian's gradient against autograd's" in failed("asked")


def test_a_forgotten_bias_is_seen(monkeypatch):
    monkeypatch.setattr(linear_regression, "forward", lambda params, X, *buffer: {"scores": X @ params["W"]})
    with pytest.raises(RuntimeError):  # torch finds no way from the loss to the bias
        failed("answered")


def test_a_wrong_prediction_is_seen(monkeypatch):
    right = problems.iterations_by_spectrum
    monkeypatch.setattr(problems, "iterations_by_spectrum", lambda *given: right(*given) + 5)
    assert "those that all eigenvalues predict" in failed()


def test_features_that_are_not_standardised_are_seen(monkeypatch):
    monkeypatch.setattr(problems, "standardised", problems.raw)
    assert "the start's error along the top eigenvector" in failed("asked")
