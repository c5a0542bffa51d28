import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mlflow.models import Model
from safetensors.numpy import load_file

from pipeline.errors import UserError
from pipeline.learning import probabilities
from pipeline.learning.models import softmax
from pipeline.tracking import logged_model, run_directory
from pipeline.tracking.scored_model import ScoredModel

IMAGES = np.random.default_rng(3).integers(0, 256, (300, 784), np.uint8)


def expected(directory: Path, name: str = "softmax") -> np.ndarray:
    """What the training stages compute, from the same files."""
    weights = run_directory.read(directory).weights()
    inputs = load_file(directory / "normalization.safetensors")
    X = (IMAGES.astype(np.float32) - inputs["mean"]) / inputs["std"]
    return probabilities.get(name)(softmax.scores(weights, X))


@pytest.mark.parametrize("name", ["softmax", "one_vs_rest", "clipped"])
def test_raw_pixels_get_the_probabilities_of_standardised_ones_to_the_bit(
    leave_run: Callable[..., Path], name: str
) -> None:
    record = {"run": "a", "experiment": "mnist", "model": "softmax", "probabilities": name}
    directory = leave_run(record=record)
    model = ScoredModel(directory)
    assert np.array_equal(model.predict(IMAGES), expected(directory, name))
    assert np.array_equal(model.predict(IMAGES.reshape(-1, 28, 28)), expected(directory, name))
    assert np.array_equal(model.predict(IMAGES.astype(float)), expected(directory, name))


def test_of_no_image_there_are_no_probabilities(leave_run: Callable[..., Path]) -> None:
    for none in (IMAGES[:0], IMAGES[:0].reshape(0, 28, 28)):
        assert ScoredModel(leave_run()).predict(none).shape == (0, 10)


def test_an_image_has_the_same_probabilities_alone_and_among_others(leave_run: Callable[..., Path]) -> None:
    model = ScoredModel(leave_run())
    alone = np.concatenate([model.predict(IMAGES[i : i + 1]) for i in range(20)])
    assert np.array_equal(alone, model.predict(IMAGES)[:20])


@pytest.mark.parametrize(
    ("images", "words"),
    [
        (np.zeros((2, 783), np.uint8), "shape"),
        (np.full((1, 784), -1), "0 to 255"),
        (np.full((1, 784), np.nan), "0 to 255"),
        (np.full((1, 784), 256), "0 to 255"),
    ],
)
def test_what_is_no_raw_image_is_refused(
    leave_run: Callable[..., Path], images: np.ndarray, words: str
) -> None:
    with pytest.raises(UserError, match=words):
        ScoredModel(leave_run()).predict(images)


def test_the_code_that_is_stored_is_all_that_any_model_imports() -> None:
    program = f"""
import sys, {logged_model.LOADER}
from pipeline.learning import models
for name in models.NAMES:
    models.get(name)
print(*(m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "pipeline"), sep="\\n")
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=logged_model.PACKAGE.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    stored = {str(path) for pattern in logged_model.CODE for path in logged_model.PACKAGE.glob(pattern)}
    assert set(done.stdout.splitlines()) == stored


def test_a_stored_model_loads_where_the_repository_is_not(
    leave_run: Callable[..., Path], bare_repository: Path
) -> None:
    directory = leave_run()
    path = bare_repository / "model"
    path.mkdir()
    logged_model.save(path, run_directory.read(directory), Model())
    np.save("images.npy", IMAGES)
    program = """
import sys, numpy as np, mlflow
model = mlflow.pyfunc.load_model("model")
np.save("said.npy", model.predict(np.load("images.npy")))
example = model.metadata.load_input_example("model")
assert model.predict(example).shape == (1, 10)
assert model.metadata.get_serving_input("model")
import pipeline
print(pipeline.__file__)
for wrong in (np.zeros((1, 784)), np.zeros((1, 783), np.uint8)):
    try:
        model.predict(wrong)
    except mlflow.exceptions.MlflowException:
        continue
    sys.exit("accepted what the signature forbids")
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(path / "code" / "pipeline" / "__init__.py")
    assert np.array_equal(np.load("said.npy"), expected(directory))
    assert "mlflow==" in (path / "requirements.txt").read_text()
    assert str(bare_repository) not in (path / "MLmodel").read_text()
