"""A folder as the stages find it: parameters small enough for a second, and images that can be learned."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline import params
from pipeline.datasets import normalization, splits
from tests.repositories import QUICK_CHECK

REPOSITORY = Path(__file__).parents[2]
DESCENT = {
    "momentum": 0.9,
    "batch_size": 64,
    "epochs": 3,
    "schedule": "cosine",
    "decay": 0.95,
    "replacement": False,
    "window": None,
    "distortion": None,
    "penalty": {"kind": "sum", "strength": 3e-4},
    "initial_std": 0.01,
    "device": "cpu",
}
# What the tests' numbers depend on, which another choice for MNIST must not change; the rest is as shipped.
SMALL = {
    "threads": 2,
    "seed": 0,
    "regression.penalty": {"kind": "sum", "strength": 0.05},
    "regression.weaker": [0.005, 0.0005],
    "regression.tolerance": 1e-6,
    "regression.polynomial": {"points": 5, "degree": 2},
    "train.softmax": {**DESCENT, "learning_rate": 0.02},
    "train.two_layer": {**DESCENT, "learning_rate": 0.1, "hidden": 8},
    "baseline.logistic_regression.max_iterations": 10,
    "baseline.sgd_classifier.epochs": 2,
    "baseline.mlp_classifier.epochs": 2,
    **QUICK_CHECK,
}
SetParameter = Callable[[str, Any], None]


def set_parameters(file: Path, changes: dict[str, Any], data: dict[str, Any] | None = None) -> None:
    """Write what stands in the file, or `data`, with these changes, as JSON: that is YAML too."""
    data = data or json.loads(file.read_text())
    for name, value in changes.items():
        *sections, key = name.split(".")
        section = data
        for each in sections:
            section = section[each]
        section[key] = value
    file.write_text(json.dumps(data))


def fill(folder: Path) -> Path:
    """Write params.yaml, 300 training and 60 validation images: a class is a band of brighter pixels."""
    folder.mkdir(parents=True, exist_ok=True)
    set_parameters(folder / "params.yaml", SMALL, params.read(REPOSITORY / "params.yaml"))
    bands = np.pad(np.kron(np.eye(10), np.ones((1, 78))), ((0, 0), (0, 4)))  # (10, 784)
    rng = np.random.default_rng(0)
    for split, samples in (("train", 300), ("validation", 60)):
        labels = rng.permutation(samples) % 10
        images = bands[labels] + rng.normal(0, 1, (samples, 784))
        splits.write(folder / "data/normalized" / split, images.astype(np.float32), labels)
    moments = normalization.Standardization(np.full(784, 33, np.float32), np.full(784, 78, np.float32))
    moments.save(folder / "data/normalized/normalization.safetensors")
    return folder


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working directory: such a folder, without MLflow and as if no DVC had started us."""
    folder = fill(tmp_path / "project")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("GRADLINE_TRACKING", "off")
    monkeypatch.delenv("DVC_STAGE", raising=False)
    return folder


@pytest.fixture
def few_pixels(project: Path) -> Path:
    """The same folder with every tenth pixel: for what takes many steps or many evaluations."""
    for split in ("train", "validation"):
        images, labels = splits.read(project / "data/normalized" / split)
        splits.write(project / "data/normalized" / split, np.array(images[:, ::10]), np.array(labels))
    return project


@pytest.fixture
def set_param(project: Path) -> SetParameter:
    return lambda name, value: set_parameters(project / "params.yaml", {name: value})


@pytest.fixture
def contents() -> Callable[[Path], dict[str, bytes]]:
    """Every file under a folder, by path: also those whose names begin with a dot."""
    return lambda folder: {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }
