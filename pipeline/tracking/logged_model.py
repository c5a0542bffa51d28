"""The model of a run as MLflow keeps it: code, safetensors and a signature that takes raw pixels.

`mlflow.pyfunc.log_model` would spend more than a second looking through every installed package to check
requirements that are exactly the installed ones, and would score the example twice. The model is therefore
put together with the public parts that it is made of: `Model` and `mlflow.pyfunc.add_to_model`.
"""

import json
import platform
import shutil
import tempfile
from importlib.metadata import version
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from mlflow.models import Model, ModelSignature
from mlflow.types import Schema, TensorSpec

from pipeline.tracking import opening, run_directory
from pipeline.tracking.quiet_mlflow import MlflowClient, Run, mlflow
from pipeline.tracking.run_directory import RunDirectory

LOADER = "pipeline.tracking.scored_model"
PACKAGE = Path(__file__).resolve().parents[1]
# What the loader imports of this package, whatever the model; a test asks Python.
CODE = (
    "__init__.py",
    "errors.py",
    "learning/__init__.py",
    "learning/arrays.py",
    "learning/losses.py",
    "learning/models/*.py",
    "learning/probabilities.py",
    "tracking/__init__.py",
    "tracking/scored_model.py",
)
DATA = (run_directory.RECORD, run_directory.WEIGHTS, run_directory.NORMALIZATION)
REQUIREMENTS = ("array-api-compat", "mlflow", "numpy", "safetensors")
EXAMPLE, SERVING_EXAMPLE = "input_example.json", "serving_input_example.json"

SIGNATURE = ModelSignature(
    inputs=Schema([TensorSpec(np.dtype(np.uint8), (-1, 784))]),
    outputs=Schema([TensorSpec(np.dtype(np.float64), (-1, 10))]),
)

DESCRIPTION = """The model of the run `{run}`: raw pixels in, 0 (paper) to 255 (ink), 784 an image; the
probabilities of the digits 0 to 9 out. How its inputs are standardised is inside of it.

`make promote` may make it the champion, `make serve` serves the champion over HTTP. From Python:
`mlflow.pyfunc.load_model("models:/…").predict(images)`.
"""


def log(client: MlflowClient, run: Run, directory: RunDirectory) -> str:
    """Store the model of a run directory that has a normalisation; return its id."""
    created = client.create_logged_model(
        run.info.experiment_id,
        directory.name,
        source_run_id=run.info.run_id,
        tags={"mlflow.note.content": DESCRIPTION.format(run=directory.name)},
        model_type="classifier",
    )
    opening.delete_other_models(client, run, created.model_id)
    with tempfile.TemporaryDirectory() as temporary:
        save(Path(temporary), directory, Model(model_id=created.model_id, run_id=run.info.run_id))
        client.log_model_artifacts(created.model_id, temporary)
    client.finalize_logged_model(created.model_id, "READY")
    opening.log_output(client, run.info.run_id, created.model_id)
    return str(created.model_id)


def save(path: Path, directory: RunDirectory, model: Model) -> None:
    """Write the model to an empty folder, in MLflow's format."""
    (path / "data").mkdir()
    for name in DATA:
        shutil.copyfile(directory.path / name, path / "data" / name)
    _copy_code(path / "code" / PACKAGE.name)
    _write_requirements(path)
    _write_example(path, model)
    model.signature = SIGNATURE
    mlflow.pyfunc.add_to_model(
        model, loader_module=LOADER, data="data", code="code", python_env="python_env.yaml"
    )
    model.save(str(path / "MLmodel"))


def load(directory: RunDirectory, model_id: str) -> Any:
    """Return the model of a run directory as MLflow serves it.

    It is put together anew: code that a store keeps beside the model is somebody's who can write there.
    """
    with tempfile.TemporaryDirectory() as temporary:
        save(Path(temporary), directory, Model(model_id=model_id))
        return mlflow.pyfunc.load_model(temporary, suppress_warnings=True)


def _copy_code(target: Path) -> None:
    for source in chain.from_iterable(PACKAGE.glob(pattern) for pattern in CODE):
        copy = target / source.relative_to(PACKAGE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source, copy)


def _write_requirements(path: Path) -> None:
    """Write what to install where the model is served: the versions that are installed here."""
    lines = "".join(f"{name}=={version(name)}\n" for name in REQUIREMENTS)
    (path / "requirements.txt").write_text(lines)
    # A list in JSON is a list in YAML.
    python, dependencies = json.dumps(platform.python_version()), json.dumps(["-r requirements.txt"])
    (path / "python_env.yaml").write_text(f"python: {python}\ndependencies: {dependencies}\n")


def _write_example(path: Path, model: Model) -> None:
    """Write one image, a vertical stroke: as an array, and as the body of a request for scoring."""
    image = np.zeros((1, 28, 28), np.uint8)
    image[:, 5:23, 13:16] = 255
    pixels = image.reshape(1, -1).tolist()
    (path / EXAMPLE).write_text(json.dumps(pixels))
    (path / SERVING_EXAMPLE).write_text(json.dumps({"inputs": pixels}))
    model.saved_input_example_info = {
        "artifact_path": EXAMPLE,
        "serving_input_path": SERVING_EXAMPLE,
        "type": "ndarray",
    }
