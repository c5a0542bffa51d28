"""Exercise 2: the toy network's published numbers, what dW2 is, and what goes red when a part is wrong."""

import numpy as np
import pytest

from pipeline.exercises import two_layer as exercise
from pipeline.exercises import two_layer_products as products
from pipeline.exercises.two_layer_training import ends_epoch
from pipeline.learning.gradients import manual
from pipeline.learning.models import two_layer
from pipeline.learning.penalty import Penalty
from tests.exercises import faults

VARIANTS = ("asked", "answered")


@pytest.fixture(scope="module")
def outcomes():
    return {variant: exercise.run(variant, exercise.RECIPE) for variant in VARIANTS}


@pytest.fixture(scope="module", params=VARIANTS)
def outcome(request, outcomes):
    return outcomes[request.param]


def failed(variant="asked", **changes):
    """The claims that fail at other settings than the published ones."""
    settings = exercise.RECIPE.model_copy(update={"seed": 7, "iterations": 10, **changes})
    return " | ".join(claim.says for claim in exercise.run(variant, settings).claims if not claim.holds)


# cs231n, assignment 1, two_layer_net.ipynb.


def test_the_published_loss_and_scores_of_the_toy_network(outcome):
    assert outcome.results["toy_loss"] == pytest.approx(1.30378789133, abs=0.5e-11)
    assert outcome.printed[1:6] == [
        "-0.81233741  -1.27654624  -0.70335995",
        "-0.17129677  -1.18803311  -0.47310444",
        "-0.51590475  -1.01354314  -0.85042150",
        "-0.15419291  -0.48629638  -0.52901952",
        "-0.00618733  -0.12435261  -0.15226949",
    ]
    missed = outcome.results["toy_loss"] - outcome.results["toy_loss_with_half_the_penalty"]
    assert missed == pytest.approx(0.01896542, abs=0.5e-8)


def test_the_toy_run_ends_at_the_loss_that_the_notebook_prints(outcome):
    assert len(outcome.trace) == 100
    assert f"{outcome.trace[-1]['loss']:.12f}"[:12] == "0.0171496079"


def test_the_rate_decays_after_every_iteration_of_the_toy_run(outcome):
    rates = [row["learning_rate"] for row in outcome.trace]
    np.testing.assert_allclose(rates, 0.1 * 0.95 ** np.arange(100), rtol=1e-12)


def test_the_rate_decays_literally_as_the_course_decays_it():
    assert [at for at in range(7000) if ends_epoch(at, 50_000, 128)] == [0, 3125, 6250]
    assert [at for at in range(12) if ends_epoch(at, 1000, 200)] == [0, 5, 10]
    assert all(ends_epoch(at, 5, 200) for at in range(10))


def test_every_claim_holds(outcome):
    assert [claim.says for claim in outcome.claims if not claim.holds] == []


@pytest.mark.parametrize(
    "change",
    [
        {},
        {"hidden": 3},
        {"samples": 9, "inputs": 2, "classes": 5},
        {"classes": 2},
        {"samples": 1, "hidden": 1},
        {"initial_std": 1.0, "learning_rate": 10.0},
    ],
)
def test_the_claims_that_are_not_about_published_numbers_hold_for_other_settings_too(change):
    assert failed(**change) == ""


def test_a_loss_of_exactly_0_breaks_nothing_but_the_claim_about_differences():
    told = failed(samples=1, initial_std=10.0, checked_penalty=0.0)
    assert told == "two_layer: gradient against central differences, relative"


def test_the_results_are_complete(outcome):
    assert {"toy_scores", "toy_loss", "toy_gradients", "wrong_orders"} <= set(outcome.results)
    gradients = outcome.results["toy_gradients"]
    assert {name: np.shape(grad) for name, grad in gradients.items()} == {
        "W1": (4, 10),
        "b1": (10,),
        "W2": (10, 3),
        "b2": (3,),
    }


def test_the_sum_of_outer_products_is_the_product_of_matrices(outcomes):
    asked, answered = (outcomes[variant].results["toy_gradients"]["W2"] for variant in VARIANTS)
    np.testing.assert_allclose(asked, answered, rtol=1e-12, atol=1e-15)
    rng = np.random.default_rng(0)
    a1, dscores = rng.standard_normal((6, 4)), rng.standard_normal((6, 3))
    np.testing.assert_allclose(products.sum_of_outer_products(a1, dscores), a1.T @ dscores, rtol=1e-12)


def test_each_of_the_seven_other_orders_is_an_error_or_wrong(outcome):
    for orders in outcome.results["wrong_orders"].values():
        assert len(orders) == 7
        for order in orders:
            assert order["error"] is not None or order["shape"] is not None
            assert order["difference"] is None or order["difference"] > 1e-3
    right_shape = [
        order["order"] for order in outcome.results["wrong_orders"]["H_equals_C"] if order["difference"]
    ]
    assert "dscores.T @ a1" in right_shape


def test_a_row_of_the_trace_holds_the_loss_and_the_rate_of_its_update(outcome):
    assert [row["iteration"] for row in outcome.trace] == list(range(100))
    assert all(row.keys() == {"iteration", "loss", "learning_rate"} for row in outcome.trace)


def test_every_epoch_has_the_accuracies_of_its_minibatch_and_of_the_validation_set(outcome):
    epochs = outcome.results["epochs"]["trace"]
    assert [row["iteration"] for row in epochs] == list(range(100))
    assert epochs[-1]["batch_accuracy"] == epochs[-1]["validation_accuracy"] == 1
    assert all(5 * row["validation_accuracy"] % 1 == 0 for row in epochs)


def test_with_longer_epochs_the_rate_stays_until_the_next_one_ends():
    settings = exercise.RECIPE.model_copy(update={"samples": 20, "batch_size": 5, "iterations": 9})
    rates = [row["learning_rate"] for row in exercise.run("asked", settings).trace]
    np.testing.assert_allclose(rates, [0.1] + 4 * [0.095] + 4 * [0.09025], rtol=1e-12)


def test_the_minibatches_go_on_from_the_stream_of_the_weights(outcome):
    rng = np.random.RandomState(0)
    W1, W2 = 0.1 * rng.randn(4, 10), 0.1 * rng.randn(10, 3)
    X, y = 10 * np.random.RandomState(1).randn(5, 4), np.array([0, 1, 2, 2, 1])
    batch = rng.choice(5, 200)
    scores = np.maximum(X[batch] @ W1, 0) @ W2
    losses = np.log(np.exp(scores).sum(axis=1)) - scores[np.arange(200), y[batch]]
    first = losses.mean() + 5e-6 * ((W1**2).sum() + (W2**2).sum())
    assert outcome.trace[0]["loss"] == pytest.approx(first, rel=1e-12)


def test_the_same_settings_give_the_same_results_to_the_bit(outcomes):
    again = exercise.run("answered", exercise.RECIPE)
    assert again.trace == outcomes["answered"].trace
    assert again.results == outcomes["answered"].results


def test_both_variants_train_alike(outcomes):
    asked, answered = ([row["loss"] for row in outcomes[variant].trace] for variant in VARIANTS)
    np.testing.assert_allclose(asked, answered, rtol=1e-10)


# What must go red.


def test_a_missing_1_over_n_is_seen(monkeypatch):
    monkeypatch.setattr(manual, "scale", lambda loss, scores, reduction: 1.0)
    assert "against autograd" in failed()
    assert "sum of outer products against" in failed()
    assert "gradient against central differences" in failed()


def test_a_missing_relu_mask_is_seen(monkeypatch):
    monkeypatch.setattr(two_layer, "relu_backward", lambda dy, y: dy)
    assert "gradient against autograd" in failed()
    assert "gradient against central differences" in failed()


def test_a_wrong_transpose_of_a_compatible_shape_is_seen(monkeypatch):
    faults.transpose_dW2(monkeypatch, two_layer)
    assert "sum of outer products against" in failed(hidden=3)
    assert "gradient against central differences" in failed(hidden=3)


def test_outer_products_the_wrong_way_round_are_seen(monkeypatch):
    monkeypatch.setattr(products, "sum_of_outer_products", lambda a1, dscores: dscores.T @ a1)
    assert "sum of outer products against" in failed(variant="answered", hidden=3)


def test_a_penalty_with_half_too_many_is_seen(monkeypatch):
    faults.halve_the_penalty(monkeypatch)
    assert "gradient against central differences" in failed()
    published = [c.says for c in exercise.run("asked", exercise.RECIPE).claims if not c.holds]
    assert any(says.startswith("toy loss, published") for says in published)


def test_a_half_in_value_and_gradient_alike_is_seen(monkeypatch):
    coefficient = Penalty.coefficient
    monkeypatch.setattr(
        Penalty, "coefficient", lambda self, n: coefficient(self, n) / (2 if self.kind == "sum" else 1)
    )
    assert "a ½ too many misses the loss" in failed()


def test_a_penalised_bias_is_seen(monkeypatch):
    faults.penalise_biases(monkeypatch)
    assert "the penalty's gradient is that of the weights alone" in failed()


def test_inputs_changed_in_place_are_seen(monkeypatch):
    faults.change_inputs(monkeypatch, two_layer)
    assert "inputs and parameters stay as they are" in failed()
