"""Least squares on 300 images and on a parabola, both ways, and what goes red when a part is wrong."""

import json

import numpy as np
import pytest

from pipeline.datasets import splits
from pipeline.errors import UserError
from pipeline.learning import least_squares
from pipeline.learning.models import linear_regression
from pipeline.stages import fit_regression
from pipeline.tracking import run_directory

RUNS = ("linear_regression-closed_form", "linear_regression-manual")


@pytest.fixture
def project(few_pixels):
    return few_pixels


@pytest.fixture
def results(project):
    fit_regression.main()
    return json.loads((project / "results/regression.json").read_text())


def runs(project):
    return [run_directory.read(project / "results/runs" / name) for name in RUNS]


def test_gradient_descent_reaches_the_closed_form_within_tolerance_after_the_predicted_iterations(
    project, results
):
    closed_form, manual = (run.weights() for run in runs(project))
    assert results["digits"]["gap"] <= 1e-6
    distance = np.linalg.norm(manual["W"] - closed_form["W"]) / np.linalg.norm(closed_form["W"])
    assert 0 < distance <= 2e-6  # the tolerance is on weights and bias of centred inputs together
    # The bound of the rate: after k iterations the error is at most ((κ - 1)/(κ + 1))^k of itself.
    condition = results["digits"]["condition_number"]
    k = results["digits"]["iterations"]
    contraction = (condition - 1) / (condition + 1)
    assert contraction**k <= 1e-6 < contraction ** (k - 1)
    last = runs(project)[1].history[-1]
    assert last == {"step": k, "train/relative_distance": results["digits"]["gap"]}


def test_the_closed_form_has_no_gradient_left(project, results):
    weights = runs(project)[0].weights()
    X, labels = splits.read(project / "data/normalized/train")
    X, Y = X.astype(np.float64), np.eye(10)[labels]
    residual = X @ weights["W"] + weights["b"] - Y
    gradient = 2 / Y.size * X.T @ residual + 2 * 0.05 * weights["W"]
    assert np.abs(gradient).max() < 1e-12
    assert np.abs(residual.sum(0)).max() < 1e-9  # the gradient of the bias, which no penalty holds


def test_results_say_how_the_descent_went_and_how_far_it_gets_with_weaker_ridges(results):
    digits = results["digits"]
    figures = {"condition_number", "largest_stable_learning_rate", "learning_rate", "iterations", "gap"}
    assert set(results) == {"digits", "polynomial"}
    assert set(digits) == {"ridge", "weaker"} | figures
    assert digits["ridge"] == 0.05
    # 2/(λmin + λmax) of 2/λmax is κ/(κ + 1).
    condition = digits["condition_number"]
    assert digits["learning_rate"] / digits["largest_stable_learning_rate"] == pytest.approx(
        condition / (condition + 1)
    )
    assert [each["ridge"] for each in digits["weaker"]] == [0.005, 0.0005]
    gaps = [digits["gap"], *(each["gap"] for each in digits["weaker"])]
    conditions = [condition, *(each["condition_number"] for each in digits["weaker"])]
    assert gaps == sorted(gaps)
    assert conditions == sorted(conditions)
    assert gaps[-1] > 1e-6


def test_the_parabola_comes_out_as_one_x_squared_and_nothing_else(results):
    coefficients = results["polynomial"]["coefficients"]
    assert set(coefficients) == {"closed_form", "gradient_descent"}
    for found in coefficients.values():
        assert found == pytest.approx([1, 0, 0], abs=1e-6)  # highest power first


def test_both_runs_are_complete_and_say_their_way(project, results):
    for run, way in zip(runs(project), ("closed_form", "manual"), strict=True):
        assert (run.record["model"], run.record["gradient"]) == ("linear_regression", way)
        assert run.record["penalty"] == {"kind": "sum", "strength": 0.05}
        images, labels = splits.read(project / "data/normalized/validation")
        predicted = linear_regression.scores(run.weights(), images).argmax(1)
        assert run.metrics == {"validation/accuracy": (predicted == labels).mean()}
        assert run.metrics["validation/accuracy"] > 0.5  # by chance it would be 0.1
        assert run.normalization is not None
    assert runs(project)[0].history == ()


def test_a_second_run_leaves_the_same_bytes(project, results, contents):
    first = contents(project / "results")
    fit_regression.main()
    assert contents(project / "results") == first


@pytest.mark.parametrize("kind", ["half", "per_sample"])
def test_a_penalty_of_another_kind_and_the_same_weight_gives_the_same_weights(
    project, set_param, results, kind
):
    before = runs(project)[0].weights()["W"]
    # ½r·ΣW², and λ/(2m)·ΣW² at 300 samples.
    set_param("regression.penalty", {"kind": kind, "strength": 0.1 if kind == "half" else 0.1 * 300})
    fit_regression.main()
    np.testing.assert_allclose(runs(project)[0].weights()["W"], before, rtol=1e-9)


# Everything but the bias is held by the ridge: too strong a one leaves it behind.
@pytest.mark.parametrize(("strength", "remedy"), [(1e-6, "stronger"), (200, "weaker"), (1e6, "weaker")])
def test_a_condition_number_above_a_thousand_is_refused_and_leaves_the_previous_results(
    project, set_param, results, contents, strength, remedy
):
    before = contents(project / "results")
    images, labels = splits.read(project / "data/normalized/train")
    twins = np.hstack([images, images[:, :1]])  # two equal pixels: only the ridge tells them apart
    splits.write(project / "data/normalized/train", twins, np.array(labels))
    set_param("regression.penalty.strength", strength)
    told = rf"^params.yaml: regression.penalty.strength = \S+: condition number \d{{4,}}; a {remedy} one "
    with pytest.raises(UserError, match=told):
        fit_regression.main()
    assert contents(project / "results") == before


@pytest.mark.parametrize("name", ["W", "b"])
@pytest.mark.parametrize("factor", [2, 1 / 300, 1 + 1e-6], ids=["factor 2", "missing 1/N", "a millionth"])
def test_a_wrong_gradient_goes_red(project, monkeypatch, name, factor):
    backward = linear_regression.backward

    def wrong(*arguments, **named):
        grads = backward(*arguments, **named)
        return {**grads, name: factor * grads[name]}

    monkeypatch.setattr(linear_regression, "backward", wrong)
    with pytest.raises(UserError, match="differs from the hand-derived one"):
        fit_regression.main()
    assert not (project / "results").exists()


def test_a_penalised_bias_goes_red(project, monkeypatch):
    right = least_squares.quadratic

    def wrong(data, penalty):
        loss = right(data, penalty)
        loss.hessian[-1, -1] += 2 * penalty.coefficient(data.samples)
        return loss

    monkeypatch.setattr(least_squares, "quadratic", wrong)
    with pytest.raises(UserError, match="differs from the hand-derived one"):
        fit_regression.main()


def test_a_descent_that_falls_short_of_its_prediction_goes_red(project, monkeypatch):
    needed = least_squares.iterations_needed
    monkeypatch.setattr(least_squares, "iterations_needed", lambda *arguments: needed(*arguments) // 4)
    with pytest.raises(UserError, match=r"after the \d+ iterations predicted, .* from the closed form"):
        fit_regression.main()
    assert not (project / "results").exists()


@pytest.mark.parametrize(("kind", "strength"), [("sum", 0), ("sum", 1e-12), ("per_sample", 1e-9)])
def test_a_ridge_too_weak_to_solve_with_is_refused_by_its_name(kind, strength, project, set_param):
    for split in ("train", "validation"):  # a border pixel, as MNIST has many
        images, labels = (np.array(a) for a in splits.read(project / "data/normalized" / split))
        images[:, :3] = -0.4242
        splits.write(project / "data/normalized" / split, images, labels)
    set_param("regression.penalty", {"kind": kind, "strength": strength})
    told = r"regression\.penalty\.strength = .*; a stronger one brings it below 1000"
    with pytest.raises(UserError, match=told):
        fit_regression.main()


def test_a_weaker_ridge_that_nothing_can_be_solved_with_is_refused_by_its_name(project, set_param):
    for split in ("train", "validation"):
        images, labels = (np.array(a) for a in splits.read(project / "data/normalized" / split))
        images[:, :3] = -0.4242
        splits.write(project / "data/normalized" / split, images, labels)
    set_param("regression.weaker", [1e-30])
    with pytest.raises(UserError, match=r"regression\.weaker: 1e-30 is too weak to solve with"):
        fit_regression.main()
