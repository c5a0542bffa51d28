"""The check on eight images: green for the gradients as they are, red for any that is wrong."""

import csv
import json

import numpy as np
import pytest

from pipeline.errors import UserError
from pipeline.learning import models
from pipeline.learning.penalty import Penalty
from pipeline.stages import check_gradients
from pipeline.tracking import run_directory
from tests.stages.conftest import fill, set_parameters

CASES = [(model, name) for model in models.NAMES for name in models.get(model).shapes(784, 10, 4)]


@pytest.fixture
def project(few_pixels):
    return few_pixels


def plant(monkeypatch, model, name, change):
    """Let the model's backward return another gradient of the parameter `name`."""
    module = models.get(model)
    backward = module.backward

    def wrong(*arguments, **named):
        grads = backward(*arguments, **named)
        return {**grads, name: change(grads[name])}

    monkeypatch.setattr(module, "backward", wrong)


def test_every_gradient_of_every_model_is_within_its_bounds_and_reported(project):
    check_gradients.main()
    report = json.loads((project / "results/gradients.json").read_text())
    errors = report["worst_relative_errors"]
    found = [(m, n) for m, checks in errors.items() for n in checks["directions"]]
    assert sorted(found) == sorted(CASES)
    for checks in errors.values():
        assert set(checks) == {"autograd_float64", "autograd_float32", "directions", "coordinates"}
        for kind, by_name in checks.items():
            assert all(error <= report["bounds"][kind] for error in by_name.values())
    # Rounding leaves something: errors of exactly zero everywhere would be of a gradient held to itself.
    assert all(max(checks["directions"].values()) > 0 for checks in errors.values())


def test_the_run_says_in_numbers_a_table_and_a_picture_what_was_found(project):
    check_gradients.main()
    worst = json.loads((project / "results/gradients.json").read_text())["worst_relative_errors"]
    run = run_directory.read(project / "results/runs/gradient-check")
    largest = max(max(checks["autograd_float64"].values()) for checks in worst.values())
    assert run.metrics["error/autograd_float64"] == largest
    assert f"{largest:.1e}" in run.record["description"]
    with (run.path / "tables/errors.csv").open() as lines:
        table = list(csv.DictReader(lines))
    assert len(table) == 4 * len(CASES)
    for row in table:
        assert float(row["error"]) == worst[row["model"]][row["check"]][row["parameter"]]
    assert (run.path / "figures/agreement.png").read_bytes().startswith(b"\x89PNG")


def test_a_second_check_leaves_the_same_bytes(project, contents):
    check_gradients.main()
    first = contents(project / "results")
    check_gradients.main()
    assert contents(project / "results") == first


@pytest.mark.parametrize(("model", "name"), CASES)
def test_a_gradient_with_a_factor_of_two_goes_red_by_the_name_of_parameter_and_file(
    project, monkeypatch, model, name
):
    plant(monkeypatch, model, name, lambda grad: 2 * grad)
    told = (
        rf"^gradient of {name} in {model}: relative error \d\.\de[+-]\d\d against autograd_float64, "
        rf"more than 1e-10; see the backward of pipeline/learning/models/{model}\.py$"
    )
    with pytest.raises(UserError, match=told):
        check_gradients.main()
    assert not (project / "results/gradients.json").exists()


@pytest.mark.parametrize(("samples", "steps"), [(2, [100]), (4, [0, 400]), (8, [3000])])
def test_right_gradients_pass_where_training_has_left_little_of_them(project, samples, steps):
    fill(project)  # all pixels, by which few images are soon fitted
    set_parameters(project / "params.yaml", {"gradients.samples": samples, "gradients.steps": steps})
    check_gradients.main()


@pytest.mark.parametrize(("model", "name"), CASES)
def test_a_gradient_that_is_rough_in_float32_alone_goes_red(project, monkeypatch, model, name):
    def rough(grad):
        return grad * (1 + 1e-3) if grad.dtype == np.float32 else grad

    plant(monkeypatch, model, name, rough)
    with pytest.raises(UserError, match=f"^gradient of {name} in {model}: .* against autograd_float32"):
        check_gradients.main()


@pytest.mark.parametrize(("dtype", "share"), [("float32", 3e-5), ("float64", 5e-12)])
def test_what_is_small_beside_the_gradient_at_the_start_goes_red_where_training_has_left_little_of_it(
    project, monkeypatch, dtype, share
):
    # In float32 beside a tenth of that gradient, in float64 beside what is left.
    fill(project)
    set_parameters(project / "params.yaml", {"gradients.samples": 8, "gradients.steps": [3000]})
    norms = []

    def shifted(grad):
        norms.append(np.linalg.norm(grad))
        return grad + share * norms[0] / np.sqrt(grad.size) if grad.dtype == dtype else grad

    plant(monkeypatch, "softmax", "b", shifted)
    with pytest.raises(UserError, match=f"^gradient of b in softmax: .* against autograd_{dtype}"):
        check_gradients.main()


@pytest.mark.parametrize("model", models.NAMES)
def test_a_missing_mean_and_one_too_many_go_red(project, monkeypatch, model):
    name = "W" if model in ("linear_regression", "softmax") else "W1"
    factor = 8 if models.get(model).REDUCTION == "mean" else 1 / 8  # as many as there are images
    plant(monkeypatch, model, name, lambda grad: factor * grad)
    with pytest.raises(UserError, match=f"^gradient of {name} in {model}: "):
        check_gradients.main()


def test_a_missing_relu_mask_goes_red(project, monkeypatch):
    module = models.get("two_layer")
    backward = module.backward

    def unmasked(params, X, hidden, dscores, *buffer):
        linear = {**hidden, "a1": hidden["a1"] + 1}  # every unit seems to be on
        grads = backward(params, X, linear, dscores, *buffer)
        return {**backward(params, X, hidden, dscores, *buffer), "W1": grads["W1"], "b1": grads["b1"]}

    monkeypatch.setattr(module, "backward", unmasked)
    with pytest.raises(UserError, match=r"^gradient of [Wb]1 in two_layer: "):
        check_gradients.main()


def test_a_penalised_bias_goes_red(project, monkeypatch):
    right = Penalty.add_gradient

    def wrong(self, grads, params, samples):
        right(self, grads, params, samples)
        for name in params:
            if name.startswith("b"):
                grads[name] += 2 * self.coefficient(samples) * params[name]

    monkeypatch.setattr(Penalty, "add_gradient", wrong)
    with pytest.raises(UserError, match="^gradient of b in linear_regression: "):
        check_gradients.main()


@pytest.mark.parametrize("factor", [0, float("nan")])
def test_a_gradient_that_is_zero_or_not_a_number_goes_red_in_one_line(project, monkeypatch, factor):
    plant(monkeypatch, "sigmoid_network", "b2", lambda grad: factor * grad)
    with pytest.raises(UserError, match=r"^gradient of \w+ in sigmoid_network: "):
        check_gradients.main()
