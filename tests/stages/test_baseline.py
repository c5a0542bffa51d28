"""scikit-learn's estimators on 300 images: what their runs leave, and the check of the conversion."""

import dataclasses
import json

import numpy as np
import pytest
import sklearn.neural_network

from pipeline.datasets import splits
from pipeline.errors import UserError
from pipeline.learning import probabilities
from pipeline.learning.baselines import logistic_regression, mlp_classifier, ridge, sgd_classifier
from pipeline.stages import baseline
from pipeline.tracking import run_directory

# The module, the model that scores what it learned, how, and the penalty that it takes from params.yaml.
ESTIMATORS = {
    "ridge": (ridge, "linear_regression", "clipped", "regression"),
    "logistic_regression": (logistic_regression, "softmax", "softmax", "train.softmax"),
    "sgd_classifier": (sgd_classifier, "softmax", "one_vs_rest", "train.softmax"),
    "mlp_classifier": (mlp_classifier, "two_layer", "softmax", "train.two_layer"),
}


def fitted(project, estimator):
    baseline.main(estimator)
    return run_directory.read(project / "results/runs" / f"baseline-{estimator}")


def spoil(monkeypatch, module, name):
    """Let the estimator's weights of this name be taken over upside down."""
    fit = module.fit

    def wrong(*arguments, **named):
        right = fit(*arguments, **named)
        return dataclasses.replace(right, params={**right.params, name: right.params[name][::-1].copy()})

    monkeypatch.setattr(module, "fit", wrong)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_run_directory_says_what_was_fitted_and_to_what(project, estimator):
    _, model, probability, section = ESTIMATORS[estimator]
    run = fitted(project, estimator)
    assert (run.name, run.experiment) == (f"baseline-{estimator}", "baselines")
    assert (run.record["model"], run.record["probabilities"]) == (model, probability)
    assert (run.record["gradient"], run.record["estimator"]) == ("scikit-learn", estimator)
    data = json.loads((project / "params.yaml").read_text())
    own = run.record["parameters"]["baseline"]
    assert own == {estimator: data["baseline"][estimator]}
    for key in section.split("."):
        data = data[key]
    assert run.record["penalty"] == data["penalty"]
    digest = splits.digest(project / "data/normalized/train")
    assert run.record["dataset"] == {"name": "mnist", "train": {"digest": digest, "samples": 300}}
    assert run.normalization is not None


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_the_accuracy_in_validation_is_that_of_the_weights_it_leaves(project, estimator):
    run = fitted(project, estimator)
    images, labels = splits.read(project / "data/normalized/validation")
    model = ESTIMATORS[estimator][0].fit.__globals__.get(ESTIMATORS[estimator][1])
    predicted = model.scores(run.weights(), np.asarray(images)).argmax(1)
    assert run.metrics == {"validation/accuracy": (predicted == labels).mean()}
    assert run.metrics["validation/accuracy"] > 0.2  # twice what chance would give


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_a_second_run_leaves_the_same_bytes(project, contents, estimator):
    first = contents(fitted(project, estimator).path)
    assert contents(fitted(project, estimator).path) == first


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_spoilt_coefficients_are_refused_and_leave_the_previous_run(
    project, contents, monkeypatch, estimator
):
    module, model, *_ = ESTIMATORS[estimator]
    before = contents(fitted(project, estimator).path)
    spoil(monkeypatch, module, "W1" if model == "two_layer" else "W")
    with pytest.raises(UserError, match=f"^baseline-{estimator}: .* the conversion is wrong"):
        baseline.main(estimator)
    assert contents(project / "results/runs") == {f"baseline-{estimator}/{k}": v for k, v in before.items()}


def test_probabilities_of_the_wrong_kind_are_refused(project, monkeypatch):
    monkeypatch.setattr(probabilities, "get", lambda name: probabilities.clipped)
    with pytest.raises(UserError, match=r"^baseline-logistic_regression: .* differ from scikit-learn's"):
        baseline.main("logistic_regression")


def test_probabilities_that_are_not_numbers_are_refused(project, monkeypatch):
    monkeypatch.setattr(probabilities, "get", lambda name: lambda scores: np.full(scores.shape, np.nan))
    with pytest.raises(UserError, match="the conversion is wrong"):
        baseline.main("ridge")


def test_ridge_solves_the_normal_equations_of_our_loss(project):
    weights = fitted(project, "ridge").weights()
    X, labels = splits.read(project / "data/normalized/train")
    X, Y = X.astype(np.float64), np.eye(10)[labels]
    # The gradient of the mean square over N·C elements plus 0.05·ΣW², set to zero at centred columns.
    centred = X - X.mean(0)
    hessian = centred.T @ centred / Y.size + 0.05 * np.eye(784)
    expected = np.linalg.solve(hessian, centred.T @ (Y - Y.mean(0)) / Y.size)
    np.testing.assert_allclose(weights["W"], expected, atol=1e-5)


def test_mlp_classifier_takes_its_part_of_the_networks_learning_rate_and_the_rest_as_it_is(
    project, set_param, monkeypatch
):
    told = {}

    class Watched(sklearn.neural_network.MLPClassifier):
        def __init__(self, **arguments):
            told.update(arguments)
            super().__init__(**arguments)

    monkeypatch.setattr(mlp_classifier, "MLPClassifier", Watched)
    set_param("train.two_layer.learning_rate", 0.08)
    set_param("train.two_layer.momentum", 0.7)
    set_param("baseline.mlp_classifier.rate_factor", 0.25)
    run = fitted(project, "mlp_classifier")
    assert told["learning_rate_init"] == 0.25 * 0.08
    assert (told["momentum"], told["batch_size"], told["hidden_layer_sizes"]) == (0.7, 64, (8,))
    assert (told["learning_rate"], told["max_iter"]) == ("constant", 2)
    assert told["alpha"] == pytest.approx(2 * 3e-4 * 64)  # its penalty is α/(2n)·ΣW², ours 3e-4·ΣW²
    assert [row["epoch"] for row in run.history] == [1, 2]
    assert run.record["parameters"]["train"]["two_layer"]["learning_rate"] == 0.08


def test_an_unknown_estimator_is_refused_with_the_names_that_there_are(project):
    with pytest.raises(UserError, match="'lasso': choose one of ridge, logistic_regression, sgd_class"):
        baseline.main("lasso")
