import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from scipy import special

from pipeline.learning import models
from pipeline.learning.gradients import manual
from pipeline.learning.models import Model, softmax
from tests.learning.problems import Case, case, cases


def expected_scores(name: str, params: dict[str, np.ndarray], X: np.ndarray) -> np.ndarray:
    """The forward once more, sample by sample and unit by unit, by NumPy's sum and SciPy's expit."""

    def layer(inputs: np.ndarray, W: np.ndarray, b: np.ndarray) -> np.ndarray:
        return np.array([sum(x * row for x, row in zip(inputs, W, strict=True)) + b])[0]

    unit = special.expit if name == "sigmoid_network" else (lambda z: np.where(z > 0, z, 0))
    rows = []
    for x in X:
        if "W" in params:
            rows.append(layer(x, params["W"], params["b"]))
        else:
            a1 = unit(layer(x, params["W1"], params.get("b1", 0)))
            rows.append(layer(a1, params["W2"], params.get("b2", 0)))
    return np.array(rows)


@pytest.mark.parametrize("name", models.NAMES)
def test_scores_come_before_the_softmax_or_sigmoid(name: str) -> None:
    model, params, X, _ = case(name)
    scores = model.scores(params, X)
    np.testing.assert_allclose(scores, expected_scores(name, params, X), rtol=1e-12, atol=1e-14)
    assert scores.min() < 0  # which no probability is


@settings(max_examples=30, deadline=None)
@given(cases())
def test_scores_are_the_same_on_tensors_as_on_arrays(drawn: Case) -> None:
    tensors = {name: torch.from_numpy(value) for name, value in drawn.params.items()}
    scores = drawn.model.scores(tensors, torch.from_numpy(drawn.X))
    assert isinstance(scores, torch.Tensor)
    np.testing.assert_allclose(
        scores.numpy(), drawn.model.scores(drawn.params, drawn.X), rtol=1e-12, atol=1e-14
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("name", models.NAMES)
def test_scores_have_the_type_of_the_inputs_and_a_row_a_sample(name: str, dtype: type) -> None:
    model, params, X, _ = case(name, N=7, C=4, dtype=dtype)
    scores = model.scores(params, X)
    assert scores.dtype == dtype
    assert scores.shape == (7, 4)


@pytest.mark.parametrize("name", models.NAMES)
def test_a_sample_has_the_same_scores_whatever_stands_beside_it(name: str) -> None:
    model, params, X, _ = case(name)
    alone = np.concatenate([model.scores(params, row[None]) for row in X])
    np.testing.assert_allclose(model.scores(params, X), alone, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("linear_regression", {"W": (7, 3), "b": (3,)}),
        ("softmax", {"W": (7, 3), "b": (3,)}),
        ("two_layer", {"W1": (7, 5), "b1": (5,), "W2": (5, 3), "b2": (3,)}),
        ("two_layer_regression", {"W1": (7, 5), "W2": (5, 3)}),
        ("sigmoid_network", {"W1": (7, 5), "b1": (5,), "W2": (5, 3), "b2": (3,)}),
    ],
)
def test_parameters_have_the_documented_names_shapes_and_order(
    name: str, expected: dict[str, tuple[int, ...]]
) -> None:
    assert list(models.get(name).shapes(7, 3, 5).items()) == list(expected.items())


def loss(model: Model, drawn: Case, X: np.ndarray, y: np.ndarray) -> float:
    return float(manual.loss_and_grads(model, drawn.params, X, y)[0])


@pytest.mark.parametrize("name", models.NAMES)
def test_samples_twice_over_double_the_sum_of_exercise_5_and_leave_every_mean(name: str) -> None:
    drawn = case(name)
    once = loss(drawn.model, drawn, drawn.X, drawn.y)
    twice = loss(drawn.model, drawn, np.tile(drawn.X, (2, 1)), np.concatenate([drawn.y, drawn.y]))
    factor = 2 if name == "two_layer_regression" else 1
    assert twice == pytest.approx(factor * once, rel=1e-13)


def test_linear_regression_averages_over_the_elements_and_not_the_samples() -> None:
    model, params, X, y = case("linear_regression", N=6, C=3)
    squares = (X @ params["W"] + params["b"] - y) ** 2
    assert manual.loss_and_grads(model, params, X, y)[0] == pytest.approx(squares.sum() / 18, rel=1e-13)


@pytest.mark.parametrize("name", ["softmax", "two_layer"])
def test_cross_entropy_of_equal_scores_is_the_logarithm_of_the_classes(name: str) -> None:
    model, params, X, y = case(name, C=5)
    zeros = {key: np.zeros_like(value) for key, value in params.items()}
    assert manual.loss_and_grads(model, zeros, X, y)[0] == pytest.approx(np.log(5), rel=1e-14)


def test_every_output_of_a_sigmoid_network_without_weights_costs_the_logarithm_of_two() -> None:
    model, params, X, y = case("sigmoid_network", C=5)
    zeros = {key: np.zeros_like(value) for key, value in params.items()}
    assert manual.loss_and_grads(model, zeros, X, y)[0] == pytest.approx(5 * np.log(2), rel=1e-14)


def test_an_unknown_model_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(ValueError, match=f"model 'perceptron': choose one of {', '.join(models.NAMES)}"):
        models.get("perceptron")


@pytest.mark.parametrize("name", models.NAMES)
def test_getting_a_model_imports_neither_torch_nor_another_model(name: str) -> None:
    others = [f"pipeline.learning.models.{other}" for other in models.NAMES if other != name]
    unwanted = [*others, "torch", "sklearn", "matplotlib", "mlflow", "pipeline.learning.gradients"]
    program = (
        "import sys\n"
        "from pipeline.learning import models\n"
        f"assert not [m for m in sys.modules if m.startswith('pipeline.learning.models.')]\n"
        f"models.get({name!r})\n"
        f"print([m for m in {unwanted!r} if m in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


def test_two_classes_at_zero_are_as_curved_as_softmax_can_be_and_other_parameters_less() -> None:
    rng = np.random.default_rng(0)
    X, y = rng.normal(0.5, 1, (40, 3)), rng.integers(0, 2, 40)
    bound = softmax.largest_curvature(X)

    def curvature(theta: np.ndarray) -> float:
        """The largest eigenvalue of the Hessian, by central differences of the gradient."""

        def gradient(at: np.ndarray) -> np.ndarray:
            _, grads = manual.loss_and_grads(softmax, {"W": at[:6].reshape(3, 2), "b": at[6:]}, X, y)
            return np.concatenate([grads["W"].ravel(), grads["b"]])

        columns = [(gradient(theta + 1e-4 * e) - gradient(theta - 1e-4 * e)) / 2e-4 for e in np.eye(8)]
        return float(np.linalg.eigvalsh(np.array(columns))[-1])

    assert curvature(np.zeros(8)) == pytest.approx(bound, rel=1e-6)
    assert all(curvature(rng.normal(0, 1, 8)) < bound for _ in range(10))
