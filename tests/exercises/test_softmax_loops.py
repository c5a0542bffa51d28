"""Exercise 6: loops and matrix products agree, each step of the derivation holds, and what goes red."""

import json

import numpy as np
import pytest
from scipy.special import log_softmax

from pipeline.exercises import softmax_loops, softmax_loops_counterparts, softmax_loops_steps
from pipeline.figures.exercises import softmax_loops as figure
from pipeline.learning import losses
from pipeline.learning.arrays import Workspace
from pipeline.learning.gradients import manual
from pipeline.learning.models import softmax
from pipeline.learning.penalty import Penalty
from tests.exercises import faults

VARIANTS = ("asked", "answered")
SMALL = softmax_loops.RECIPE.model_copy(update={"samples": 60, "inputs": 40, "draws": 2})
SQUARE = SMALL.model_copy(update={"inputs": 10})
AGREE = "loops and matrix products, in both layouts: loss and gradient differ by, relative"
STABLE = "with a score of 1000, loops and matrix products differ by, relative"
STEPS = {name: f"{says}, relative error" for name, (says, _) in softmax_loops_steps.SAYS.items()}


@pytest.fixture(scope="module")
def outcomes():
    return {variant: softmax_loops.run(variant, softmax_loops.RECIPE) for variant in VARIANTS}


@pytest.fixture(scope="module", params=VARIANTS)
def outcome(request, outcomes):
    return outcomes[request.param]


def failed(settings=SMALL, variant="answered"):
    return [claim.says for claim in softmax_loops.run(variant, settings).claims if not claim.holds]


# As the recipe has it: N = 500, D = 3073, C = 10.


def test_every_claim_holds(outcome):
    assert [claim.says for claim in outcome.claims if not claim.holds] == []


def test_loops_and_matrix_products_agree_to_1e_12_in_both_layouts(outcome):
    assert outcome.results["allowed_difference"] == 1e-12
    assert outcome.results["worst_relative_difference"] <= 1e-12
    for layout in ("columns", "rows"):
        assert len(outcome.results["differences"][layout]) == 5
        assert max(outcome.results["differences"][layout]) <= 1e-12


def test_both_variants_leave_the_same_trace(outcomes):
    for key in ("loss", "gradient_norm"):
        asked, answered = ([row[key] for row in outcomes[variant].trace] for variant in VARIANTS)
        np.testing.assert_allclose(asked, answered, rtol=1e-12)


def test_the_trace_has_a_row_for_each_w(outcome):
    assert [list(row) for row in outcome.trace] == [["iteration", "loss", "gradient_norm"]] * 5
    assert [row["iteration"] for row in outcome.trace] == list(range(5))
    assert len({row["loss"] for row in outcome.trace}) == 5


def test_the_loss_at_small_weights_is_about_ln_10(outcome):
    assert outcome.results["ln_C"] == pytest.approx(2.302585, abs=5e-7)
    assert outcome.results["loss_at_small_weights"] == pytest.approx(2.302585, abs=1e-3)
    assert outcome.results["loss_at_small_weights"] == outcome.trace[0]["loss"]
    assert outcome.results["ln_C_bound"] < 3e-3


def test_the_results_are_complete_and_plain(outcome):
    wanted = {"worst_relative_difference", "loss_at_small_weights", "stable_at_large_scores", "steps"}
    assert wanted <= set(outcome.results)
    assert set(outcome.results["steps"]) == set(STEPS)
    text = json.dumps(outcome.results, allow_nan=False)
    assert json.loads(text) == outcome.results
    assert "seconds" not in text


def test_scores_of_a_thousand_overflow_without_the_shift_and_not_with_it(outcome):
    found = outcome.results["stable_at_large_scores"]
    assert found["largest_score"] == pytest.approx(1000)
    assert np.isfinite(found["loss"])
    assert found["samples_lost_without_the_shift"] >= 1


def test_each_step_of_the_derivation_holds(outcome):
    steps = dict(outcome.results["steps"])
    assert steps.pop("all_samples") <= 1e-12
    assert max(steps.values()) <= 1e-8


def test_the_sample_shows_p_minus_one_at_the_label(outcome):
    found = outcome.results["sample"]
    onehot = np.arange(10) == found["label"]
    np.testing.assert_allclose(found["dscores"], found["probabilities"] - onehot, atol=1e-15)
    np.testing.assert_allclose(found["dscores"], found["differences"], atol=1e-9)
    assert sum(found["dscores"]) == pytest.approx(0, abs=1e-15)


def test_the_lines_say_loss_gradient_and_the_sanity_check(outcome):
    assert outcome.printed[0] == "W 0: loss 2.302404, gradient norm 2.357037"
    assert outcome.printed[5] == "sanity check: ln C = 2.302585"
    assert len(outcome.printed) == 5 + 3 + 10


# The parts, against what others say.


def test_the_inputs_are_drawn_in_the_order_x_y_and_each_w():
    inputs, rng = softmax_loops.draw(SMALL), np.random.RandomState(0)
    X, y = rng.randn(40, 60), rng.randint(10, size=60)
    np.testing.assert_array_equal(inputs.X[:-1], X[:-1])
    np.testing.assert_array_equal(inputs.X[-1], np.ones(60))
    np.testing.assert_array_equal(inputs.y, y)
    for W in inputs.Ws:
        np.testing.assert_array_equal(W, 1e-4 * rng.randn(10, 40))


def test_the_loops_give_the_loss_that_scipy_gives():
    inputs, W = softmax_loops.draw(SMALL), np.random.RandomState(1).randn(10, 40)
    log_p = log_softmax(W @ inputs.X, axis=0)  # (C, N)
    expected = -log_p[inputs.y, np.arange(60)].mean() + 0.25 * (W**2).sum()
    loss, _ = softmax_loops.softmax_loss_with_loops(W, inputs.X, inputs.y, 0.5)
    assert loss == pytest.approx(expected, rel=1e-13)


def test_the_loops_give_the_gradient_of_one_sample_by_hand():
    W, x = np.zeros((2, 2)), np.array([[3.0], [1.0]])
    loss, dW = softmax_loops.softmax_loss_with_loops(W, x, np.array([1]), 0.0)
    assert loss == pytest.approx(np.log(2))
    np.testing.assert_allclose(dW, [[1.5, 0.5], [-1.5, -0.5]])  # p - onehot = (½, -½), times x


def test_the_loops_give_the_gradient_of_the_penalty_with_its_half():
    W = np.array([[2.0], [-4.0]])
    with_penalty, without = (
        softmax_loops.softmax_loss_with_loops(W, np.zeros((1, 1)), np.array([0]), strength)
        for strength in (0.1, 0.0)
    )
    assert with_penalty[0] - without[0] == pytest.approx(0.5 * 0.1 * 20)
    np.testing.assert_allclose(with_penalty[1], 0.1 * W)


def test_what_is_timed_is_what_is_checked():
    inputs, penalty, workspace = softmax_loops.draw(SMALL), Penalty("half", 0.1), Workspace(np.dtype("f8"))
    for W in inputs.Ws:
        fresh = softmax_loops.softmax_loss_of_columns(W, inputs.X, inputs.y, penalty)
        reused = softmax_loops.softmax_loss_of_columns(W, inputs.X, inputs.y, penalty, workspace)
        assert fresh[0] == reused[0]
        np.testing.assert_array_equal(fresh[1], reused[1])


def test_turning_the_layout_copies_nothing(monkeypatch):
    given = []
    right = manual.loss_and_grads

    def watched(model, params, X, y, **options):
        given.append((params["W"], X))
        return right(model, params, X, y, **options)

    monkeypatch.setattr(manual, "loss_and_grads", watched)
    inputs = softmax_loops.draw(SMALL)
    softmax_loops.softmax_loss_of_columns(inputs.Ws[0], inputs.X, inputs.y, Penalty("half", 0.0))
    [(W, X)] = given
    assert np.shares_memory(W, inputs.Ws[0])
    assert np.shares_memory(X, inputs.X)


def test_the_distance_from_ln_c_is_the_one_that_the_bound_was_derived_from():
    """Over many W, the distance's standard deviation is std·‖G‖, an eighth of the bound's main part."""
    settings = SMALL.model_copy(update={"draws": 100, "penalty": 0.0})
    found = [softmax_loops.run("answered", settings.model_copy(update={"seed": s})) for s in range(3)]
    distances = [row["loss"] - outcome.results["ln_C"] for outcome in found for row in outcome.trace]
    bounds = [outcome.results["ln_C_bound"] for outcome in found]
    assert np.std(distances) == pytest.approx(np.mean(bounds) / 8, rel=0.15)


def test_the_bound_of_ln_c_grows_with_the_weights():
    small, large = (
        softmax_loops.run("answered", SMALL.model_copy(update={"initial_std": std})).results["ln_C_bound"]
        for std in (1e-4, 1e-3)
    )
    assert 9.9 < large / small < 20


def test_a_problem_of_two_classes_has_no_logistic_regression_to_compare_with():
    outcome = softmax_loops.run("answered", SMALL.model_copy(update={"classes": 2}))
    assert outcome.results["scikit_learn"]["gradient_at_logistic_regression"] is None
    assert not any("LogisticRegression" in claim.says for claim in outcome.claims)


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 5},
        {"samples": 1},
        {"inputs": 1},
        {"inputs": 10},
        {"classes": 2},
        {"classes": 100},
        {"penalty": 0.0},
        {"draws": 1},
        {"initial_std": 1.0},
    ],
)
@pytest.mark.parametrize("variant", VARIANTS)
def test_the_claims_hold_for_other_settings_too(change, variant):
    assert failed(SMALL.model_copy(update=change), variant) == []


def test_the_claims_hold_for_large_weights_at_full_size():
    assert failed(softmax_loops.RECIPE.model_copy(update={"initial_std": 1.0, "draws": 1})) == []


def test_the_same_settings_give_the_same_outcome_to_the_bit():
    first, second = (softmax_loops.run("answered", SMALL) for _ in range(2))
    assert first.trace == second.trace
    assert first.results == second.results


@pytest.mark.parametrize("change", [{}, {"classes": 2, "draws": 1}, {"classes": 40, "draws": 30}])
def test_the_figure_is_drawn_the_same_every_time(change):
    drawn = [softmax_loops.run("answered", SMALL.model_copy(update=change)) for _ in range(2)]
    first, second = (figure.draw(outcome, outcome) for outcome in drawn)
    assert first == second
    assert first.startswith(b"\x89PNG")


def test_the_timings_are_seconds_and_ratios_of_them():
    found = softmax_loops.timings(SMALL)
    assert found["loops_seconds"] / found["vectorised_seconds"] == pytest.approx(found["speedup"])
    assert found["loops_seconds"] / found["vectorised_in_rows_seconds"] == pytest.approx(
        found["speedup_in_rows"]
    )


# What must go red.


def plant_backward(monkeypatch, fault):
    right = softmax.backward

    def backward(params, X, hidden, dscores, *buffer):
        grads = right(params, X, hidden, dscores, *buffer)
        return {**grads, "W": fault(grads["W"], X)}

    monkeypatch.setattr(softmax, "backward", backward)


def plant_gradient_of_scores(monkeypatch, fault):
    def value_and_gradient(scores, y):
        loss, dscores = losses._cross_entropy_and_gradient(scores, y)
        return loss, fault(dscores, y)

    planted = losses.Loss(losses._cross_entropy, value_and_gradient, "samples", True)
    monkeypatch.setattr(softmax, "LOSS", planted)


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_missing_1_over_n_is_seen(variant, monkeypatch):
    monkeypatch.setattr(manual, "scale", lambda loss, scores, reduction: 1.0)
    assert {AGREE, STEPS["all_samples"]} <= set(failed(variant=variant))


def test_a_missing_1_over_n_in_the_gradient_alone_is_seen(monkeypatch):
    plant_backward(monkeypatch, lambda dW, X: dW * len(X))
    assert {AGREE, STEPS["all_samples"], "softmax: gradient against central differences, relative"} <= set(
        failed()
    )


def test_half_too_many_in_the_penalty_is_seen(monkeypatch):
    faults.halve_the_penalty(monkeypatch)
    assert AGREE in failed()


def test_half_too_many_in_the_gradient_of_the_penalty_is_seen(monkeypatch):
    def add_gradient(penalty, grads, params, samples):
        grads["W"] += penalty.coefficient(samples) * params["W"]

    monkeypatch.setattr(Penalty, "add_gradient", add_gradient)
    assert {AGREE, STEPS["all_samples"]} <= set(failed())


def test_a_penalised_bias_is_seen(monkeypatch):
    faults.penalise_biases(monkeypatch)
    assert "softmax: the penalty's gradient is that of the weights alone, relative" in failed()


def test_a_wrong_transpose_of_a_compatible_shape_is_seen(monkeypatch):
    plant_backward(monkeypatch, lambda dW, X: dW.T)
    assert {AGREE, STEPS["all_samples"]} <= set(failed(SQUARE))


def test_a_wrong_transpose_of_the_weights_is_seen(monkeypatch):
    right = softmax.forward
    monkeypatch.setattr(
        softmax, "forward", lambda params, X, *buffer: right({**params, "W": params["W"].T}, X, *buffer)
    )
    assert {AGREE, STEPS["scores_by_weights"]} <= set(failed(SQUARE))


def test_a_transpose_that_does_not_fit_is_a_claim_that_fails(monkeypatch):
    plant_backward(monkeypatch, lambda dW, X: dW.T.copy())
    monkeypatch.setattr(Penalty, "add_gradient", lambda *given: None)
    assert AGREE in failed()


def test_a_forgotten_label_is_seen(monkeypatch):
    def forgotten(dscores, y):
        dscores[np.arange(len(y)), y] += 1
        return dscores

    plant_gradient_of_scores(monkeypatch, forgotten)
    assert {AGREE, STEPS["loss_by_scores"], STEPS["loss_by_weights"]} <= set(failed())


def test_a_turned_sign_is_seen(monkeypatch):
    plant_gradient_of_scores(monkeypatch, lambda dscores, y: -dscores)
    assert {AGREE, STEPS["loss_by_scores"], STEPS["loss_by_weights"]} <= set(failed())


def test_inputs_changed_in_place_are_seen(monkeypatch):
    right = softmax.backward

    def backward(params, X, hidden, dscores, *buffer):
        X *= 1 + 1e-9
        return right(params, X, hidden, dscores, *buffer)

    monkeypatch.setattr(softmax, "backward", backward)
    assert "softmax: inputs and parameters stay as they are" in failed()
    assert "all inputs and weights are as they were drawn" in failed()


def test_loops_that_change_the_weights_are_seen(monkeypatch):
    right = softmax_loops.softmax_loss_with_loops

    def changing(W, X, y, strength):
        found = right(W, X, y, strength)
        W -= 1e-3 * found[1]
        return found

    monkeypatch.setattr(softmax_loops, "softmax_loss_with_loops", changing)
    assert "all inputs and weights are as they were drawn" in failed()


@pytest.mark.parametrize(
    "fault",
    [
        lambda loss, dW, W, strength: (loss, 2 * dW),
        lambda loss, dW, W, strength: (loss + 0.5 * strength * np.sum(W * W), dW),
        lambda loss, dW, W, strength: (loss, dW + strength * W),
        lambda loss, dW, W, strength: (loss, np.full_like(dW, np.nan)),
    ],
    ids=["twice the gradient", "a penalty without its half", "twice its gradient", "no numbers"],
)
def test_a_fault_in_the_loops_is_seen(fault, monkeypatch):
    right = softmax_loops.softmax_loss_with_loops
    monkeypatch.setattr(
        softmax_loops,
        "softmax_loss_with_loops",
        lambda W, X, y, strength: fault(*right(W, X, y, strength), W, strength),
    )
    assert AGREE in failed()


def test_a_softmax_without_the_shift_is_seen(monkeypatch):
    def unshifted(scores, out=None):
        with np.errstate(over="ignore", invalid="ignore"):
            return scores - np.log(np.exp(scores).sum(axis=1, keepdims=True))

    monkeypatch.setattr(losses, "log_softmax", unshifted)
    assert failed() == [STABLE]


def test_a_wrong_softmax_is_seen_at_the_first_step(monkeypatch):
    def sharper(scores):
        return np.exp(log_softmax(2 * scores, axis=1))

    monkeypatch.setattr(softmax_loops_steps, "probabilities", sharper)
    assert {STEPS["log_probabilities"], STEPS["probabilities"]} <= set(failed())


def test_probabilities_that_are_no_numbers_fail_instead_of_raising(monkeypatch):
    monkeypatch.setattr(
        softmax_loops_counterparts.probabilities, "softmax", lambda scores: np.full(scores.shape, np.nan)
    )
    assert "scikit-learn's log_loss of our probabilities, relative difference" in failed()


def test_a_wrong_factor_of_the_inputs_is_seen_at_the_third_step(monkeypatch):
    right = softmax.forward
    monkeypatch.setattr(softmax, "forward", lambda params, X, *buffer: right(params, 2 * X, *buffer))
    assert {AGREE, STEPS["scores_by_weights"], STEPS["loss_by_weights"]} <= set(failed())


def test_weights_that_are_larger_than_they_are_said_to_be_are_seen(monkeypatch):
    right = softmax_loops.draw

    def larger(settings):
        return right(settings.model_copy(update={"initial_std": 1000 * settings.initial_std}))

    monkeypatch.setattr(softmax_loops, "draw", larger)
    assert "the loss of the first W lies from ln C = 2.302585 by" in failed()
