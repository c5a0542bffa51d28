"""Run directories of the page's three networks, and the page's server as a process."""

import os
import select
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import safetensors.numpy

from pipeline.demo.networks import SHOWN
from pipeline.tracking import run_directory

REPOSITORY = Path(__file__).parents[2]
HIDDEN = 12


def leave(folder: Path) -> Path:
    """Leave run directories of random weights, different ones for each network, and return the folder."""
    inputs = folder / "normalization.safetensors"
    moments = {"mean": np.full(784, 33, np.float32), "std": np.full(784, 78, np.float32)}
    inputs.write_bytes(safetensors.numpy.save(moments))
    for seed, run in enumerate(SHOWN):
        rng = np.random.default_rng(seed)
        shapes = {"W1": (784, HIDDEN), "b1": HIDDEN, "W2": (HIDDEN, 10), "b2": 10}
        run_directory.write(
            folder / "results/runs" / run,
            record={"run": run, "experiment": "mnist", "model": "two_layer", "probabilities": "softmax"},
            weights={name: rng.normal(0, 0.1, shape).astype(np.float32) for name, shape in shapes.items()},
            metrics={},
            normalization=inputs,
        )
    return folder


def start(folder: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Start the server in a folder."""
    return subprocess.Popen(
        [sys.executable, "-m", "pipeline", "demo", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


@contextmanager
def serving(folder: Path, port: int) -> Iterator["subprocess.Popen[str]"]:
    """Serve a folder's networks: the server, once it has said its address."""
    server = start(folder, "--port", str(port))
    assert server.stdout is not None
    try:
        assert select.select([server.stdout], [], [], 60)[0], "it says nothing"
        said = server.stdout.readline()
        assert said == f"Draw a digit: http://127.0.0.1:{port} (Ctrl-C ends it)\n", (
            said or server.stderr.read()
        )
        yield server
    finally:
        server.kill()
        server.wait()
