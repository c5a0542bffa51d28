"""Seconds that it takes to publish a run into SQLite, and one call for each of its points."""

import os
import time
from pathlib import Path
from typing import Any

import numpy as np

ROWS, METRICS, FIGURES = 2_000, 5, 6
CALLS = 500


def measure(folder: Path) -> dict[str, Any]:
    """Return seconds of publishing 10,000 points, weights and six figures, and what a point costs."""
    folder.mkdir()
    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{folder / 'mlflow.db'}"
    # After the address is known.
    from pipeline.tracking import connection, publish

    os.chdir(folder)
    client = connection.connect()
    experiment = connection.experiment_id(client, "mnist")  # makes the store: once, and no part of a run
    _leave_run(folder)
    started = time.perf_counter()
    publish.publish_missing(Path("results"))
    seconds = time.perf_counter() - started

    run = client.create_run(experiment)
    started = time.perf_counter()
    for step in range(CALLS):
        client.log_metric(run.info.run_id, "loss", 1 / (step + 1), step=step)
    one_by_one = (time.perf_counter() - started) / CALLS
    return {
        "seconds": seconds,
        "seconds_per_point": seconds / (ROWS * METRICS),
        "seconds_per_call": one_by_one,
        "cheaper_per_point": one_by_one / (seconds / (ROWS * METRICS)),
    }


def _leave_run(folder: Path) -> None:
    from pipeline.tracking import run_directory

    rng = np.random.default_rng(0)
    names = ("train/loss", "train/accuracy", "validation/loss", "validation/accuracy", "learning_rate")
    run_directory.write(
        folder / "results/runs/two_layer-manual",
        record={
            "run": "two_layer-manual",
            "experiment": "mnist",
            "parameters": {"seed": 0},
            "dataset": {"name": "random", "train": {"digest": "0" * 64, "samples": 1}},
            "model": "two_layer",
            "gradient": "manual",
            "probabilities": "softmax",
        },
        weights={
            "W1": rng.standard_normal((784, 800), np.float32),
            "b1": np.zeros(800, np.float32),
            "W2": rng.standard_normal((800, 10), np.float32),
            "b2": np.zeros(10, np.float32),
        },
        metrics={"best_epoch": 1},
        history=[{"epoch": row + 1, **dict(zip(names, rng.random(5), strict=True))} for row in range(ROWS)],
        figures={f"figure-{index}.png": rng.bytes(50_000) for index in range(FIGURES)},
        normalization=_normalization(folder),
    )


def _normalization(folder: Path) -> Path:
    from pipeline.datasets.normalization import Standardization

    path = folder / "normalization.safetensors"
    Standardization(np.full(784, 33, np.float32), np.full(784, 78, np.float32)).save(path)
    return path
