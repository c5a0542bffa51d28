"""A repository of its own for every test: a path with a space and an é, and an MLflow store in it."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

from pipeline.tracking import run_directory
from tests.tracking.repositories import commit, git

ENVIRONMENT = ("MLFLOW_TRACKING_URI", "DVC_ROOT", "DVC_STAGE", "DVC_EXP_NAME", "DVC_EXP_BASELINE_REV")


@pytest.fixture
def bare_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "a répository"
    (root / ".dvc").mkdir(parents=True)
    for name in (*ENVIRONMENT, "GRADLINE_TRACKING"):
        monkeypatch.delenv(name, raising=False)
    # Whatever repository the tests run in is none of these tests' business.
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    monkeypatch.chdir(root)
    return root


@pytest.fixture
def git_repository(bare_repository: Path) -> Path:
    git("init", "-q")
    commit(_gitignore="/data\n/results/runs\n", code_py="1")
    return bare_repository


@pytest.fixture
def repository(bare_repository: Path, empty_store: Path) -> Path:
    shutil.copyfile(empty_store, bare_repository / "mlflow.db")
    return bare_repository


@pytest.fixture
def client(repository: Path) -> Any:
    from pipeline.tracking import connection

    return connection.connect()


@pytest.fixture
def history() -> list[dict[str, float]]:
    return [
        {"epoch": epoch, "train/loss": 1 / epoch, "validation/accuracy": 0.9 + epoch / 100}
        for epoch in (1, 2, 3)
    ]


@pytest.fixture
def leave_run(bare_repository: Path, history: list[dict[str, float]]) -> Callable[..., Path]:
    """Write a run directory as a stage does: a softmax classifier with random weights."""

    def leave(name: str = "softmax-manual", **changes: Any) -> Path:
        rng = np.random.default_rng(7)
        inputs = bare_repository.parent / "normalization.safetensors"
        mean, std = (np.linspace(*ends, 784, dtype=np.float32) for ends in ((1, 90), (25.5, 110)))
        inputs.write_bytes(safetensors.numpy.save({"mean": mean, "std": std}))
        directory = Path("results/runs") / name
        contents: dict[str, Any] = {
            "record": {
                "run": name,
                "experiment": "mnist",
                "model": "softmax",
                "gradient": "manual",
                "probabilities": "softmax",
                "dataset": {"name": "mnist", "train": {"digest": "0123456789abcdef" * 4, "samples": 50000}},
                "optimiser": {"name": "sgd", "momentum": 0.9},
                "penalty": {"kind": "sum", "strength": 3e-05},
                "parameters": {"seed": 0, "train": {"softmax": {"learning_rate": 0.02, "decay": None}}},
            },
            "weights": {
                "W": rng.standard_normal((784, 10)).astype(np.float32),
                "b": np.ones(10, np.float32),
            },
            "metrics": {"best_epoch": 2, "validation/accuracy": 0.92},
            "history": history,
            "normalization": inputs,
            "figures": {"curves.png": b"\x89PNG"},
        }
        run_directory.write(directory, **{**contents, **changes})
        return directory

    return leave
