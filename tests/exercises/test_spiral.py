"""Exercise 3: its published numbers, what dividing by N does, and what goes red when a part is wrong."""

import numpy as np
import pytest

from pipeline.exercises import spiral
from pipeline.learning import losses
from pipeline.learning.gradients import manual
from pipeline.learning.models import softmax, two_layer
from tests.exercises import faults

# The network is trained long only where its accuracy is the point.
SHORT = spiral.RECIPE.model_copy(update={"network_iterations": 50})
VARIANTS = ("asked", "answered")


@pytest.fixture(scope="module")
def outcomes():
    return {variant: spiral.run(variant, spiral.RECIPE) for variant in VARIANTS}


@pytest.fixture(scope="module", params=VARIANTS)
def outcome(request, outcomes):
    return outcomes[request.param]


def failed(variant="answered", settings=SHORT):
    return [claim.says for claim in spiral.run(variant, settings).claims if not claim.holds]


# cs231n, "Minimal Neural Network Case Study", its notebook with seed(0).


def test_the_published_losses_and_accuracy_of_the_linear_classifier(outcome):
    published = {0: 1.096919, 10: 0.917310, 20: 0.851535, 30: 0.822352, 190: 0.786302}
    assert len(outcome.trace) == 200
    assert {at: round(outcome.trace[at]["loss"], 6) for at in published} == published
    assert f"{outcome.results['accuracy']:.2f}" == "0.49"


def test_the_published_losses_and_accuracy_of_the_network(outcome):
    published = {0: 1.098637, 1000: 0.294416, 2000: 0.266441}
    trace = outcome.results["network"]["trace"]
    assert len(trace) == 10_000
    assert {at: round(trace[at]["loss"], 6) for at in published} == published
    assert outcome.results["network"]["accuracy"] >= 0.97


def test_the_lines_are_those_that_the_notebook_prints(outcome):
    assert outcome.printed[:2] == ["iteration 0: loss 1.096919", "iteration 10: loss 0.917310"]
    assert outcome.printed[20] == "training accuracy: 0.49"
    assert outcome.printed[21] == "iteration 0: loss 1.098637"


def test_every_claim_holds(outcome):
    assert [claim.says for claim in outcome.claims if not claim.holds] == []


def test_the_results_are_complete(outcome):
    batches = {f"batch_{size}_{way}" for size in (30, 100, 300) for way in ("mean", "sum")}
    assert {"accuracy", "network", "sum_over_mean", *batches} <= set(outcome.results)
    for name in (*batches, "network"):
        trace = outcome.results[name]["trace"]
        assert [row["iteration"] for row in trace] == list(range(len(trace)))


def test_summed_and_averaged_gradients_differ_by_exactly_n(outcome):
    assert outcome.results["sum_over_mean"] == pytest.approx(300, rel=1e-12)


def test_dividing_at_the_scores_and_at_the_weights_are_the_same(outcomes):
    asked, answered = ([row["loss"] for row in outcomes[variant].trace] for variant in VARIANTS)
    np.testing.assert_allclose(asked, answered, rtol=1e-12)


def test_the_whole_batch_is_the_trace_itself(outcomes):
    by_batches = [row["loss"] for row in outcomes["asked"].results["batch_300_mean"]["trace"]]
    np.testing.assert_allclose(by_batches, [row["loss"] for row in outcomes["asked"].trace], rtol=1e-12)


def test_by_the_sum_the_first_step_is_as_many_times_longer_as_the_batch_has_samples():
    start = spiral.draw(spiral.RECIPE)
    steps = [
        manual.loss_and_grads(softmax, start.linear, start.X, start.y, reduction=reduction)[1]["W"]
        for reduction in ("sum", "mean")
    ]
    np.testing.assert_allclose(steps[0], 300 * steps[1], rtol=1e-12)


@pytest.mark.parametrize(
    "change",
    [{"seed": 5}, {"points": 40, "hidden": 7}, {"penalty": 0.0}, {"noise": 0.0}, {"initial_std": 2.0}],
)
def test_the_claims_that_are_not_about_published_numbers_hold_for_other_settings_too(change):
    outcome = spiral.run("answered", SHORT.model_copy(update=change))
    assert [claim.says for claim in outcome.claims if not claim.holds] == []
    assert not any("published" in claim.says for claim in outcome.claims)


def test_the_same_settings_give_the_same_trace_to_the_bit():
    first, second = (spiral.run("answered", SHORT) for _ in range(2))
    assert first.trace == second.trace
    assert first.results == second.results


# What must go red.


@pytest.mark.parametrize("variant", VARIANTS)
def test_a_missing_1_over_n_is_seen(variant, monkeypatch):
    monkeypatch.setattr(manual, "scale", lambda loss, scores, reduction: 1.0)
    assert any("relative difference from N" in says for says in failed(variant)) == (variant == "asked")
    assert any("takes the same path" in says for says in failed(variant)) == (variant == "asked")
    assert failed(variant, spiral.RECIPE.model_copy(update={"network_iterations": 1001}))


def test_a_penalty_with_half_too_many_is_seen(monkeypatch):
    faults.halve_the_penalty(monkeypatch)
    assert "softmax: gradient against central differences, relative" in failed()


def test_a_penalised_bias_is_seen(monkeypatch):
    faults.penalise_biases(monkeypatch)
    assert "softmax: the penalty's gradient is that of the weights alone, relative" in failed()


def test_a_missing_relu_mask_is_seen(monkeypatch):
    monkeypatch.setattr(two_layer, "relu_backward", lambda dy, y: dy)
    assert "two_layer: gradient against central differences, relative" in failed()


def test_a_wrong_transpose_of_a_compatible_shape_is_seen(monkeypatch):
    faults.transpose_dW2(monkeypatch, two_layer)
    settings = SHORT.model_copy(update={"hidden": 3})  # W2 is square
    assert "two_layer: gradient against central differences, relative" in failed(settings=settings)


def test_a_forgotten_label_is_seen(monkeypatch):
    def without_the_label(scores, y):
        loss, dscores = losses._cross_entropy_and_gradient(scores, y)
        dscores[np.arange(len(y)), y] += 1
        return loss, dscores

    monkeypatch.setattr(
        softmax, "LOSS", losses.Loss(losses._cross_entropy, without_the_label, "samples", True)
    )
    assert "softmax: gradient against central differences, relative" in failed()


def test_inputs_changed_in_place_are_seen(monkeypatch):
    faults.change_inputs(monkeypatch, softmax)
    assert "softmax: inputs and parameters stay as they are" in failed()
