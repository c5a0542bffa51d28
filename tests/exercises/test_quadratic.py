"""Exercise 1: its published numbers, what the Hessian predicts, and what goes red when a part is wrong."""

import json

import numpy as np
import pytest
import torch

from pipeline.exercises import quadratic as exercise
from pipeline.exercises import quadratic_problem as problems
from pipeline.exercises.outcome import plain
from pipeline.exercises.quadratic_problem import Spectrum
from pipeline.figures.exercises import quadratic as figure
from pipeline.learning import features, least_squares, losses
from pipeline.learning.gradients import autograd, manual
from pipeline.learning.least_squares import Quadratic
from pipeline.learning.models import linear_regression

VARIANTS = ("asked", "answered")
# A fault shows in few iterations of few points.
SMALL = {"seed": 7, "points": 5, "more_points": 4, "iterations": 5}


@pytest.fixture(scope="module")
def outcomes():
    return {variant: exercise.run(variant, exercise.RECIPE) for variant in VARIANTS}


@pytest.fixture(scope="module")
def asked(outcomes):
    return outcomes["asked"]


@pytest.fixture(scope="module")
def answered(outcomes):
    return outcomes["answered"]


@pytest.fixture(params=VARIANTS)
def outcome(request, outcomes):
    return outcomes[request.param]


def failed(variant="answered", **changes):
    settings = exercise.RECIPE.model_copy(update={**SMALL, **changes})
    claims = exercise.run(variant, settings).claims
    assert not any("published" in claim.says for claim in claims)
    return " | ".join(claim.says for claim in claims if not claim.holds)


# The published numbers.


def test_as_asked_the_published_losses_and_weights(asked):
    assert [row["iteration"] for row in asked.trace] == list(range(30))
    assert asked.trace[0]["loss"] == 25.450000762939453
    assert asked.trace[0]["weights"] == pytest.approx([0.57, 0.81, 1.898], abs=1e-6)
    assert "bias" not in asked.trace[0]
    assert asked.weights["b"] == 0  # never trained: the feature that is 1 has a weight
    assert f"{asked.trace[10]['loss']:.1e}" == "2.1e+11"
    assert f"{asked.trace[20]['loss']:.2e}" == "1.78e+21"
    assert asked.trace[10]["loss"] == pytest.approx(210414845952.0, rel=1e-5)
    assert asked.trace[20]["loss"] == pytest.approx(1.78208337974976e21, rel=1e-5)


def test_as_answered_the_published_loss_and_weights_with_both_rates(answered):
    assert [row["iteration"] for row in answered.trace] == list(range(30))
    assert answered.trace[0]["loss"] == pytest.approx(0.25755801796913147, abs=3.1e-8)
    assert answered.trace[0]["weights"] == pytest.approx([0.49954653, 0.5004535], abs=5e-8)
    assert answered.trace[0]["bias"] == pytest.approx(0.5 - 0.03 * 2 * 0.5, abs=1e-7)
    other = answered.results["rate_0.02"]["trace"]
    assert other[0]["loss"] == answered.trace[0]["loss"]
    assert other[0]["weights"] == pytest.approx([0.4996977, 0.5003023], abs=5e-8)


def test_the_published_limits_and_condition_numbers(asked, answered):
    assert f"{asked.results['max_learning_rate']:.6f}" == "0.004835"
    assert f"{asked.results['largest_eigenvalue']:.1f}" == "413.6"
    assert f"{asked.results['condition_number']:.0f}" == "7378"
    assert f"{asked.results['points_10']['max_learning_rate']:.6f}" == "0.000389"
    assert f"{answered.results['max_learning_rate']:.3f}" == "0.631"
    assert f"{answered.results['condition_number']:.0f}" == "105"


def test_the_coefficients_are_those_of_the_parabola(outcome):
    for name in ("lstsq", "sklearn", "coefficients"):
        assert outcome.results[name] == pytest.approx([1, 0, 0], abs=1e-9)


# The claims, and what is left behind.


def test_every_claim_holds(outcome):
    assert [claim.says for claim in outcome.claims if not claim.holds] == []


def test_the_results_are_complete_and_plain_json(outcome):
    demanded = {
        *("rate_0.02", "points_10", "max_learning_rate", "condition_number", "iterations_needed"),
        *("iterations_taken", "coefficients", "lstsq", "sklearn", "largest_eigenvalue"),
        *("below_limit", "above_limit", "standardised_above_limit", "standardised_perturbed"),
    }
    results = outcome.results
    assert demanded <= set(results)
    assert {"trace", "iterations_needed", "iterations_taken", "max_learning_rate", "condition_number"} <= set(
        results["points_10"]
    )
    for name, value in results.items():
        if isinstance(value, dict):
            assert [row["iteration"] for row in value["trace"]] == list(range(len(value["trace"]))), name
    assert plain(results) == results
    json.dumps([results, outcome.trace], allow_nan=False)


def test_both_variants_have_the_same_results_by_name(asked, answered):
    assert asked.results.keys() == answered.results.keys()
    assert asked.results["points_10"].keys() == answered.results["points_10"].keys()


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "change",
    [
        {},
        {"points": 3, "more_points": 100, "iterations": 1},
        {"points": 7, "more_points": 15, "iterations": 50},
        {"asked_learning_rate": 0.0048, "answered_learning_rate": 0.63},
        {"asked_learning_rate": 0.0049, "answered_learning_rate": 0.64},
        {"asked_learning_rate": 1e3, "answered_learning_rate": 1e-30, "tolerance": 1e-200},
    ],
    ids=str,
)
def test_the_claims_that_are_not_about_published_numbers_hold_for_other_settings_too(variant, change):
    assert failed(variant, **change) == ""


def test_the_same_settings_give_the_same_results_to_the_bit(answered):
    again = exercise.run("answered", exercise.RECIPE)
    assert (again.trace, again.results, again.claims) == (answered.trace, answered.results, answered.claims)


def test_where_float32_overflows_the_trace_ends_and_nothing_infinite_is_left(asked):
    found = asked.results["points_10"]
    assert 1 < len(found["trace"]) < 30
    assert found["coefficients_after_iterations"] is None
    # The next loss would have been beyond float32's largest number.
    growth = (1 - 0.01 * found["largest_eigenvalue"]) ** 2
    largest = float(np.finfo(np.float32).max)
    assert found["trace"][-1]["loss"] < largest < growth * found["trace"][-1]["loss"]


def test_the_lines_say_what_the_trace_holds(asked, answered):
    assert asked.printed[0].startswith("0 loss 25.4500008 weights 0.56999999 0.81 1.898")
    assert answered.printed[0].startswith("0 loss 0.257558018 weights 0.49954653 0.50045347 bias 0.47")
    assert [line.split()[0] for line in answered.printed] == ["0", "10", "20", "29", "y"]


@pytest.mark.parametrize("change", [{}, {"asked_learning_rate": 500.0, "points": 4}])
def test_the_picture_is_drawn_whatever_happened(change):
    settings = exercise.RECIPE.model_copy(update={**SMALL, **change})
    drawn = figure.draw(*(exercise.run(variant, settings) for variant in VARIANTS))
    assert drawn.startswith(b"\x89PNG")


# What the Hessian says.


@pytest.mark.parametrize("make", [problems.raw, problems.standardised])
def test_the_hessian_is_torchs_second_derivative(make):
    problem = make(6)
    X, y = torch.from_numpy(problem.X[:, -2:]), torch.from_numpy(problem.y)

    def loss(theta):
        return ((X @ theta[:2] + theta[2] - y[:, 0]) ** 2).mean()

    found = torch.autograd.functional.hessian(loss, torch.full((3,), 0.5, dtype=torch.float64))
    np.testing.assert_allclose(problem.quadratic().hessian, found.numpy(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("make", [problems.raw, problems.standardised])
def test_parameters_and_theta_are_the_same_in_another_order(make):
    problem, theta = make(4), np.arange(3.0)[:, None]
    np.testing.assert_array_equal(problem.theta(problem.params(theta)), theta)
    scores = linear_regression.scores(problem.params(theta), problem.X)
    np.testing.assert_allclose(scores, np.column_stack([problem.X[:, -2:], np.ones(4)]) @ theta, rtol=1e-12)


def test_raw_coefficients_predict_what_the_standardised_model_predicts():
    problem, theta = problems.standardised(6), np.array([[0.3], [0.6], [0.2]])
    x = np.arange(1, 7)
    scores = linear_regression.scores(problem.params(theta), problem.X)
    in_raw_units = problem.targets.mean + problem.targets.std * scores[:, 0]
    np.testing.assert_allclose(np.polyval(problem.coefficients(theta), x), in_raw_units, rtol=1e-12)


def test_as_asked_the_loss_grows_as_the_largest_eigenvalue_says(asked):
    factor = 1 - 0.01 * asked.results["largest_eigenvalue"]
    grown = asked.trace[20]["loss"] / asked.trace[19]["loss"]
    assert grown == pytest.approx(factor**2, rel=1e-5)


def test_one_percent_on_either_side_of_the_limit_decides(asked):
    below, above = (
        [row["loss"] for row in asked.results[name]["trace"]] for name in ("below_limit", "above_limit")
    )
    assert np.all(np.diff(below) < 0)
    assert below[-1] < below[0] / 1000
    assert above[-1] > 1000 * above[0]
    assert above[-1] / above[-2] == pytest.approx(1.02**2, rel=1e-6)
    assert asked.results["above_limit"]["growth"] == pytest.approx(1.02, rel=1e-12)


def test_the_standardised_start_has_no_error_along_the_top_eigenvector(answered):
    spectrum = Spectrum.of(problems.standardised(5))
    np.testing.assert_allclose(np.abs(spectrum.vectors[:, -1]), [np.sqrt(0.5), np.sqrt(0.5), 0], atol=1e-14)
    np.testing.assert_allclose(spectrum.solution[:, 0], [0, 1, 0], atol=1e-12)
    alone, perturbed = (
        answered.results[name] for name in ("standardised_above_limit", "standardised_perturbed")
    )
    assert alone["error_along_top"] < 1e-15 < 1e-3 < perturbed["error_along_top"]
    # The loss falls to rounding, and only then grows: by the factor that the limit says.
    in_order = [row["loss"] for row in alone["trace"]]
    assert in_order[300] < in_order[0] / 1000
    assert min(in_order) < 1e-10 * in_order[0] < in_order[0] < in_order[-1]
    assert in_order[-1] / in_order[-2] == pytest.approx(1.02**2, rel=1e-9)


def test_the_prediction_of_the_iterations_is_exact_and_the_condition_number_bounds_them(asked, answered):
    for found in (asked.results, asked.results["points_10"], answered.results, answered.results["points_10"]):
        assert found["iterations_taken"] == found["iterations_predicted"] <= found["iterations_needed"]
        kappa = found["condition_number"]
        assert found["iterations_needed"] == pytest.approx(kappa / 4 * np.log(1e3), abs=1)
    for found in (asked.results, asked.results["points_10"]):
        assert found["iterations_predicted_at_rate"] is None  # it never gets there


def test_thirty_iterations_are_too_few_for_five_points_as_for_ten(answered):
    for found in (answered.results, answered.results["points_10"]):
        assert found["iterations_taken_at_rate"] == found["iterations_predicted_at_rate"] > 1000
        assert 0.05 < found["loss_left"] == pytest.approx(found["loss_left_predicted"], rel=1e-6)


def test_a_run_of_so_many_iterations_is_one_by_one_the_same():
    problem = problems.raw(5)
    one_by_one, _ = problems.train(manual, problem, problem.start(), 0.004, 37)
    np.testing.assert_allclose(problems.run_on(problem, 0.004, 37), one_by_one, rtol=1e-12)


def test_what_would_take_too_long_is_predicted_and_not_run():
    outcome = exercise.run("asked", exercise.RECIPE.model_copy(update={**SMALL, "points": 40}))
    assert outcome.results["iterations_predicted"] > problems.MOST_ITERATIONS
    assert outcome.results["iterations_taken"] is None
    assert outcome.results["coefficients"] == pytest.approx([1, 0, 0], abs=1e-3)


# What must go red.


def with_loss(monkeypatch, value):
    right = losses.SQUARED_ERROR
    monkeypatch.setattr(
        linear_regression, "LOSS", losses.Loss(value, right.value_and_gradient, "elements", False)
    )


@pytest.mark.parametrize("factor", [0.5, 5.0, 0.0, np.nan], ids=["½ too many", "no 1/N", "zero", "no number"])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_wrong_factor_in_the_loss_is_seen(variant, factor, monkeypatch):
    right = losses.SQUARED_ERROR.value
    with_loss(monkeypatch, lambda scores, y: factor * right(scores, y))
    found = failed(variant)
    assert "the Hessian's gradient at the start against autograd's" in found
    assert "the factor of an error along the top eigenvector" in found


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_missing_1_over_n_is_seen(variant, monkeypatch):
    monkeypatch.setattr(autograd, "scale", lambda loss, scores, reduction: 1.0)
    assert "the Hessian's gradient at the start against autograd's" in failed(variant)
    outcome = exercise.run(variant, exercise.RECIPE)
    published = next(claim.says for claim in outcome.claims if not claim.holds)
    assert published.startswith("loss at iteration 0, published")


@pytest.mark.parametrize("factor", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_wrong_factor_in_the_hessian_is_seen(variant, factor, monkeypatch):
    right = least_squares.quadratic

    def wrong(*given):
        loss = right(*given)
        return Quadratic(factor * loss.hessian, factor * loss.linear)

    monkeypatch.setattr(least_squares, "quadratic", wrong)
    found = failed(variant)
    assert "the Hessian's gradient at the start against autograd's" in found
    assert "raw, 1% above the limit: growth of the error" in found


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_gradient_with_half_too_many_is_seen(variant, monkeypatch):
    right = autograd.loss_and_grads

    def wrong(*given, **options):
        loss, grads = right(*given, **options)
        return loss, {name: 0.5 * grad for name, grad in grads.items()}

    monkeypatch.setattr(autograd, "loss_and_grads", wrong)
    found = failed(variant)
    assert "linear_regression: gradient against central differences" in found
    assert "share of the loss left after" in found


def test_a_bias_left_out_is_seen(monkeypatch):
    monkeypatch.setattr(
        linear_regression, "forward", lambda params, X, *given: {"scores": X @ params["W"] + 0 * params["b"]}
    )
    found = failed("answered")
    assert "the Hessian's gradient at the start against autograd's" in found
    assert "share of the loss left after" in found


def test_a_wrong_gradient_by_hand_is_seen(monkeypatch):
    right = linear_regression.backward
    monkeypatch.setattr(
        linear_regression, "backward", lambda *given: {name: 2 * g for name, g in right(*given).items()}
    )
    assert "raw, 1% above the limit: growth of the error along the top eigenvector" in failed()


@pytest.mark.parametrize("variant", VARIANTS)
def test_inputs_changed_in_place_are_seen(variant, monkeypatch):
    right = linear_regression.forward

    def forward(params, X, *given):
        X += 1e-9
        return right(params, X, *given)

    monkeypatch.setattr(linear_regression, "forward", forward)
    assert "linear_regression: inputs and parameters stay as they are" in failed(variant)


def test_a_wrong_prediction_of_the_iterations_is_seen(monkeypatch):
    right = Spectrum.iterations
    monkeypatch.setattr(Spectrum, "iterations", lambda *given: right(*given) + 5)
    assert "less those that the eigenvalues predict" in failed()


def test_a_wrong_bound_by_the_condition_number_is_seen(monkeypatch):
    right = least_squares.iterations_needed
    monkeypatch.setattr(least_squares, "iterations_needed", lambda *given: right(*given) // 4)
    assert "over what the condition number allows" in failed()


def test_features_that_are_not_standardised_are_seen(monkeypatch):
    monkeypatch.setattr(problems, "standardised", problems.raw)
    assert "share of the start's error that lies along the top eigenvector" in failed("asked")


def test_the_population_standard_deviation_in_place_of_the_unbiased_one_is_seen(monkeypatch):
    def of(columns):
        return features.Columns(columns.mean(axis=0), columns.std(axis=0))

    monkeypatch.setattr(features.Columns, "of", of)
    outcome = exercise.run("answered", exercise.RECIPE)
    assert next(claim.says for claim in outcome.claims if not claim.holds).startswith("loss at iteration 0")


def test_a_wrong_way_back_to_raw_units_is_seen(monkeypatch):
    right = features.raw_coefficients
    monkeypatch.setattr(features, "raw_coefficients", lambda *given: right(*given)[::-1])
    assert "descent to the end: a, b, c from those of lstsq" in failed()
