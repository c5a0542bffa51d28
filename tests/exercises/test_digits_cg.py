"""Exercise 4: its published numbers, why the cost stalls, and what goes red when a part is wrong."""

import json
import math
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.optimize import fmin_cg
from sklearn.datasets import load_digits

from pipeline.datasets import splits
from pipeline.errors import UserError
from pipeline.exercises import digits_cg, digits_cg_training
from pipeline.exercises.digits_cg_asked import NetworkAsAsked
from pipeline.exercises.digits_cg_training import (
    cost_ignoring_theta,
    cost_of_theta,
    draw,
    pack,
    train,
    unpack,
)
from pipeline.exercises.outcome import plain, without_traces
from pipeline.figures.exercises import digits_cg as figure
from pipeline.learning.gradient_check import Problem
from pipeline.learning.gradients import manual
from pipeline.learning.models import sigmoid_network
from pipeline.learning.penalty import Penalty
from tests.exercises import faults

REPOSITORY = Path(__file__).parents[2]
VARIANTS = ("asked", "answered")
# Besides another seed.
OTHERS = ({"hidden": 10}, {"penalty": 0.0}, {"epsilon": 0.5})
SMALL = 300
SHORT = digits_cg.RECIPE.model_copy(update={"iterations": 8})


@pytest.fixture(scope="module")
def small_digits(tmp_path_factory):
    """scikit-learn's digits of 8×8 pixels, twice as large and with an edge of 2: 20×20."""
    pixels, labels = load_digits(return_X_y=True)
    larger = np.kron(pixels[:SMALL].reshape(-1, 8, 8) / 16, np.ones((1, 2, 2)))
    images = np.pad(larger, ((0, 0), (2, 2), (2, 2))).reshape(SMALL, 400)
    directory = tmp_path_factory.mktemp("digits")
    splits.write(directory / digits_cg.DIGITS, images.astype(np.float32), labels[:SMALL])
    return directory


@pytest.fixture
def _on_small_digits(small_digits, monkeypatch):
    monkeypatch.chdir(small_digits)


@pytest.fixture(scope="module")
def small_outcomes(small_digits):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(small_digits)
        return {variant: digits_cg.run(variant, digits_cg.RECIPE) for variant in VARIANTS}


@pytest.fixture(scope="module")
def mnist_digits(tmp_path_factory):
    """The 5,000 digits of 20×20 pixels that the stages fetch and normalize make of MNIST."""
    folder = tmp_path_factory.mktemp("mnist")
    shutil.copyfile(REPOSITORY / "params.yaml", folder / "params.yaml")
    for stage in ("fetch", "normalize"):
        subprocess.run(
            [sys.executable, "-m", "pipeline", stage],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
            check=True,
        )
    return folder


@pytest.fixture(scope="module")
def outcomes(mnist_digits):
    """Both variants on those digits."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(mnist_digits)
        return {variant: digits_cg.run(variant, digits_cg.RECIPE) for variant in VARIANTS}


@pytest.fixture
def problem(small_digits, monkeypatch):
    monkeypatch.chdir(small_digits)
    images, labels = splits.read(digits_cg.DIGITS)
    return Problem(
        sigmoid_network, images[:50].astype(np.float64), labels[:50].astype(int), Penalty("per_sample", 1.0)
    )


def failed(variant="answered", **change):
    outcome = digits_cg.run(variant, SHORT.model_copy(update=change))
    return [claim.says for claim in outcome.claims if not claim.holds]


# On MNIST's digits: Coursera's exercise 4 and its answer, and what was measured on these digits.


def test_as_asked_the_cost_starts_at_15_6_and_hardly_moves(outcomes):
    asked = outcomes["asked"]
    assert f"{asked.trace[0]['loss']:.1f}" == "15.6"
    costs = [row["loss"] for row in asked.trace]
    assert max(costs) - min(costs) < 1e-3 * costs[0]
    # As the author printed it: down by a little, up again, and no further: 15.44123, 15.44111, 15.44119.
    assert costs[1] < costs[2] < costs[0]


def test_as_asked_the_optimiser_gives_up_at_once_and_learns_nothing(outcomes):
    results = outcomes["asked"].results
    assert results["iterations"] == 0
    assert results["message"] == "Desired error not necessarily achieved due to precision loss."
    assert results["training_accuracy"] == pytest.approx(0.1, abs=0.01)


def test_as_answered_the_cost_starts_at_6_9_and_falls(outcomes):
    answered = outcomes["answered"]
    assert f"{answered.results['start_cost']:.1f}" == "6.9"
    assert answered.results["final_cost"] < 0.5
    assert answered.results["iterations"] == 50


def test_as_answered_50_iterations_reach_the_published_training_accuracy(outcomes):
    results = outcomes["answered"].results
    assert 0.953 - 0.01 <= results["training_accuracy"] <= 0.98
    assert 0.85 < results["iterations_20"]["training_accuracy"] < results["training_accuracy"]


@pytest.mark.parametrize("variant", VARIANTS)
def test_each_fault_has_its_share(variant, outcomes):
    results = outcomes[variant].results
    assert results["cost_fixed_alone"]["training_accuracy"] == pytest.approx(0.93, abs=0.01)
    assert results["draw_fixed_alone"]["training_accuracy"] == pytest.approx(0.1, abs=0.02)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_claim_holds_on_the_5000_digits(variant, outcomes):
    assert [claim.says for claim in outcomes[variant].claims if not claim.holds] == []
    assert sum("measured" in claim.says for claim in outcomes[variant].claims) >= 3


def test_the_lines_say_that_the_cost_stands_still(outcomes):
    assert outcomes["asked"].printed[0].startswith("evaluation 0: cost 15.63")
    assert "precision loss" in "\n".join(outcomes["asked"].printed)
    assert outcomes["answered"].printed[0].startswith("evaluation 0: cost 6.94")


def test_the_timings_are_seconds_and_their_ratio(mnist_digits, monkeypatch):
    monkeypatch.chdir(mnist_digits)
    found = digits_cg.timings(digits_cg.RECIPE)
    assert set(found) == {"one_by_one_seconds", "vectorised_seconds", "speedup"}
    assert found["one_by_one_seconds"] / found["vectorised_seconds"] == pytest.approx(found["speedup"])


# On any digits.


@pytest.mark.parametrize("variant", VARIANTS)
def test_the_results_are_complete_finite_and_json(variant, small_outcomes):
    outcome = small_outcomes[variant]
    summary = {
        "training_accuracy",
        "message",
        "iterations",
        "evaluations",
        "start_cost",
        "final_cost",
        "iterations_20",
    }
    assert summary | {"directional_check", "cost_fixed_alone", "draw_fixed_alone"} <= set(outcome.results)
    for alone in ("cost_fixed_alone", "draw_fixed_alone"):
        assert summary | {"trace"} <= set(outcome.results[alone])
    for trace in (outcome.trace, outcome.results["cost_fixed_alone"]["trace"]):
        assert [row["iteration"] for row in trace] == list(range(len(trace)))
        assert all(type(row["loss"]) is float and math.isfinite(row["loss"]) for row in trace)
    assert plain(outcome.results) == outcome.results
    json.dumps(without_traces(outcome.results), allow_nan=False)


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_claim_holds_on_few_digits_and_none_is_of_the_published_ones(variant, small_outcomes):
    claims = small_outcomes[variant].claims
    assert [claim.says for claim in claims if not claim.holds] == []
    assert not any("published" in claim.says or "measured" in claim.says for claim in claims)


@pytest.mark.usefixtures("_on_small_digits")
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize(
    "change",
    [{"seed": 5}, {"iterations": 1}, *(pytest.param(each, marks=pytest.mark.slow) for each in OTHERS)],
)
def test_the_claims_hold_for_other_settings_too(variant, change):
    assert failed(variant, **change) == []


@pytest.mark.usefixtures("_on_small_digits")
def test_the_same_settings_give_the_same_outcome_to_the_bit():
    first, second = (digits_cg.run("answered", SHORT) for _ in range(2))
    assert first.trace == second.trace
    assert first.results == second.results


def test_without_digits_the_remedy_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match="dvc repro"):
        digits_cg.run("answered", SHORT)


def test_a_faulty_step_changes_the_cost_by_the_penalty_alone(small_outcomes):
    for row in small_outcomes["asked"].results["directional_check"]:
        assert row["found"] == pytest.approx(row["penalty"], abs=1e-14)
    rows = small_outcomes["asked"].results["directional_check"]
    found, predicted = (np.linalg.norm([row[key] for row in rows]) for key in ("found", "predicted"))
    assert found < 0.1 * predicted


def test_a_right_step_changes_the_cost_as_its_gradient_says_to_second_order(small_outcomes):
    rows = small_outcomes["answered"].results["directional_check"]
    predicted, found, central = (
        np.array([row[key] for row in rows]) for key in ("predicted", "found", "central")
    )
    size = np.linalg.norm(predicted)
    assert np.linalg.norm(central - predicted) < 1e-6 * size
    assert 1e-6 * size < np.linalg.norm(found - predicted) < 1e-2 * size


def test_scipys_own_check_tells_the_two_apart(small_outcomes):
    errors = {variant: small_outcomes[variant].results["scipy"]["check_grad"] for variant in VARIANTS}
    assert errors["answered"] < 1e-5 < 1e-2 < errors["asked"]


def test_a_cost_that_ignores_theta_stalls_on_any_digits(small_outcomes):
    results = small_outcomes["asked"].results
    assert results["message"] == "Desired error not necessarily achieved due to precision loss."
    assert results["start_cost"] - results["lowest_cost"] < 1e-3 * results["start_cost"]
    assert results["training_accuracy"] < 0.2
    assert small_outcomes["answered"].results["training_accuracy"] > 0.9


def test_fixing_the_draw_alone_still_stalls_and_fixing_the_cost_alone_trains(small_outcomes):
    results = small_outcomes["answered"].results
    assert "precision loss" in results["draw_fixed_alone"]["message"]
    assert results["draw_fixed_alone"]["start_cost"] == pytest.approx(results["start_cost"], rel=1e-12)
    assert results["cost_fixed_alone"]["training_accuracy"] > 0.9


def test_a_run_that_ends_before_has_no_accuracy_after_20_iterations(small_outcomes):
    assert small_outcomes["asked"].results["iterations_20"] == {"cost": None, "training_accuracy": None}


def test_the_weights_are_drawn_in_the_courses_order_with_the_biases_in_column_0():
    rng = np.random.RandomState(0)
    theta1, theta2 = rng.rand(25, 401), rng.rand(10, 26)
    for spread, low in (("asked", 0.0), ("answered", -0.12)):
        params = unpack(draw(digits_cg.RECIPE, 400, digits_cg_training.SPREADS[spread]), 400)
        width = 0.12 - low
        np.testing.assert_allclose(params["W1"], theta1[:, 1:].T * width + low, rtol=1e-12)
        np.testing.assert_allclose(params["b1"], theta1[:, 0] * width + low, rtol=1e-12)
        np.testing.assert_allclose(params["W2"], theta2[:, 1:].T * width + low, rtol=1e-12)
        np.testing.assert_allclose(params["b2"], theta2[:, 0] * width + low, rtol=1e-12)


def test_packing_undoes_unpacking():
    theta = np.arange(25 * 401 + 10 * 26, dtype=np.float64)
    np.testing.assert_array_equal(pack(unpack(theta, 400)), theta)


def test_the_optimiser_is_fmin_cgs_and_every_evaluation_is_in_the_trace(problem):
    theta = draw(SHORT, 400, digits_cg_training.spread_as_answered)
    evaluate = cost_of_theta(problem, theta)
    ours = train(evaluate, theta, 5)
    theirs, cost, evaluations, _, _ = fmin_cg(
        lambda at: evaluate(at)[0], theta, lambda at: evaluate(at)[1], maxiter=5, full_output=True, disp=False
    )
    np.testing.assert_array_equal(ours.end, theirs)
    assert len(ours.trace) == evaluations
    assert ours.path[-1][0] == cost


def test_the_network_as_asked_ignores_theta_but_for_the_penalty(problem):
    start = draw(SHORT, 400, digits_cg_training.spread_as_asked)
    network = NetworkAsAsked(start, 400, 25, strength=0.0)
    elsewhere = np.random.RandomState(1).randn(len(start))
    assert network.cost(elsewhere, problem.X, problem.y) == network.cost(start, problem.X, problem.y)
    right = cost_of_theta(Problem(sigmoid_network, problem.X, problem.y, Penalty("per_sample", 0.0)), start)
    np.testing.assert_allclose(
        network.gradient(elsewhere, problem.X, problem.y), right(elsewhere)[1], rtol=1e-9, atol=1e-12
    )


@pytest.mark.parametrize("variant", VARIANTS)
def test_training_moves_neither_the_start_nor_the_digits(variant, problem):
    start = draw(SHORT, 400, digits_cg_training.SPREADS[variant])
    theta, X = start.copy(), problem.X.copy()
    train(digits_cg_training.COSTS[variant](problem, start), start, 3)
    np.testing.assert_array_equal(start, theta)
    np.testing.assert_array_equal(problem.X, X)


def test_the_figure_is_a_png_of_both(small_outcomes):
    assert figure.draw(**small_outcomes).startswith(b"\x89PNG")


# What must go red.


@pytest.mark.usefixtures("_on_small_digits")
def test_a_cost_that_ignores_theta_is_seen_in_the_answered_version(monkeypatch):
    monkeypatch.setitem(digits_cg_training.COSTS, "answered", cost_ignoring_theta)
    seen = failed()
    assert "change of the cost by ±δ against g·δ, relative" in seen
    assert "as answered: cost at the end over that at the start" in seen


@pytest.mark.usefixtures("_on_small_digits")
def test_a_cost_of_theta_is_seen_in_the_asked_version(monkeypatch):
    monkeypatch.setitem(digits_cg_training.COSTS, "asked", cost_of_theta)
    seen = failed("asked")
    assert "as asked: the cost falls by" in seen
    assert "change of the cost by δ misses g·δ by, relative" in seen


@pytest.mark.usefixtures("_on_small_digits")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_missing_1_over_m_is_seen(variant, monkeypatch):
    monkeypatch.setattr(manual, "scale", lambda loss, scores, reduction: 1.0)
    seen = failed(variant)
    assert "sigmoid_network: gradient against central differences, relative" in seen
    assert "gradient, vectorised against one sample at a time, relative" in seen


@pytest.mark.usefixtures("_on_small_digits")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_penalty_with_half_too_many_is_seen(variant, monkeypatch):
    right = Penalty.coefficient
    monkeypatch.setattr(Penalty, "coefficient", lambda *given: right(*given) / 2)
    seen = failed(variant)
    assert "cost, vectorised against one sample at a time, relative" in seen
    assert "gradient, vectorised against one sample at a time, relative" in seen
    assert any(says.startswith("MLPClassifier's loss") for says in seen)


@pytest.mark.usefixtures("_on_small_digits")
@pytest.mark.parametrize("variant", VARIANTS)
def test_a_penalised_bias_is_seen(variant, monkeypatch):
    faults.penalise_biases(monkeypatch)
    assert "sigmoid_network: the penalty's gradient is that of the weights alone, relative" in failed(variant)


@pytest.mark.usefixtures("_on_small_digits")
def test_a_missing_derivative_of_the_sigmoid_is_seen(monkeypatch):
    right = sigmoid_network.backward

    def backward(params, X, hidden, dscores, *buffer):
        grads = right(params, X, hidden, dscores, *buffer)
        return {**grads, "b1": (dscores @ params["W2"].T).sum(0)}

    monkeypatch.setattr(sigmoid_network, "backward", backward)
    assert "sigmoid_network: gradient against central differences, relative" in failed()


@pytest.mark.usefixtures("_on_small_digits")
def test_a_wrong_transpose_of_a_compatible_shape_is_seen(monkeypatch):
    right = sigmoid_network.backward

    def backward(params, X, hidden, dscores, *buffer):
        return right({**params, "W2": params["W2"].T}, X, hidden, dscores, *buffer)

    monkeypatch.setattr(sigmoid_network, "backward", backward)
    seen = failed(hidden=10)  # W2 is square
    assert "sigmoid_network: gradient against central differences, relative" in seen


@pytest.mark.usefixtures("_on_small_digits")
def test_inputs_changed_in_place_are_seen(monkeypatch):
    faults.change_inputs(monkeypatch, sigmoid_network)
    assert "sigmoid_network: inputs and parameters stay as they are" in failed()


@pytest.mark.filterwarnings("ignore::RuntimeWarning")
@pytest.mark.usefixtures("_on_small_digits")
def test_a_run_of_numbers_that_are_none_ends_in_claims_and_not_in_an_exception(monkeypatch):
    monkeypatch.setattr(manual, "scale", lambda loss, scores, reduction: np.nan)
    assert "as answered: cost at the end over that at the start" in failed()
