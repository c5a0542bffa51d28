"""A repository with three runs and a store in which one is the champion, and servers of it as processes."""

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil

from pipeline.datasets import normalization, splits
from pipeline.tracking import run_directory
from pipeline.tracking.scored_model import ScoredModel
from tests.demo import runs
from tests.loopback import free_port
from tests.repositories import REPOSITORY, Repository, surroundings

CHAMPION = "two_layer-manual"
PATIENCE = 60.0
PYTHONPATH = {"PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}


def leave(folder: Path) -> Repository:
    """Leave runs with random weights, validation images that the champion knows, and an evaluation."""
    runs.leave(folder)
    (folder / ".dvc").mkdir()
    images = np.random.default_rng(3).integers(0, 256, (20, 784), np.uint8)
    inputs = folder / "results/runs" / CHAMPION / run_directory.NORMALIZATION
    labels = ScoredModel(inputs.parent).predict(images).argmax(axis=1)
    normalized = folder / "data/normalized"
    splits.write(normalized / "validation", normalization.load(inputs).apply(images), labels)
    (normalized / "normalization.safetensors").write_bytes(inputs.read_bytes())
    evaluated = {
        CHAMPION: {
            "fingerprint": run_directory.fingerprint(inputs.parent),
            "validation/error": 0.0,
            "validation/log_loss": 0.1,
        }
    }
    (folder / "results/evaluation.json").write_text(json.dumps(evaluated))
    return Repository(folder)


def command(repository: Repository, *arguments: str, **environment: str) -> Any:
    """Run a command of the project in the repository."""
    return repository.run(sys.executable, "-m", "pipeline", *arguments, **{**PYTHONPATH, **environment})


def promoted(folder: Path, empty_store: Path) -> Repository:
    """Leave the runs, publish them and promote the champion."""
    repository = leave(folder)
    shutil.copyfile(empty_store, folder / "mlflow.db")
    for arguments in (("publish", CHAMPION), ("promote",)):
        done = command(repository, *arguments)
        assert (done.returncode, done.stderr) == (0, ""), done.stdout + done.stderr
    return repository


@contextmanager
def serving(repository: Repository, name: str, **environment: str) -> Iterator["Server"]:
    """Run `ui`, `team-server`, `serve` or `demo` there: the server, once it answers."""
    port = free_port()
    with (repository.path / f"{name}.log").open("w+", encoding="utf-8") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipeline", name, "--port", str(port)],
            cwd=repository.path,
            env={**surroundings(), **PYTHONPATH, **environment},
            stdout=log,
            stderr=log,
        )
        server = Server(name, f"http://127.0.0.1:{port}", process, Path(log.name))
        try:
            server.wait()
            yield server
        finally:
            process.terminate()
            process.wait(PATIENCE)


@dataclass(frozen=True)
class Server:
    """A server that runs: what it is, its address, its process and what it prints."""

    name: str
    address: str
    process: "subprocess.Popen[bytes]"
    log: Path

    def wait(self) -> None:
        """Wait until it answers."""
        until = time.monotonic() + PATIENCE
        while not self.lives():
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < until, self.log.read_text()
            time.sleep(0.1)

    def lives(self) -> bool:
        """Say whether it answers."""
        path = {"ui": "/health", "team-server": "/health", "serve": "/ping", "demo": "/networks"}[self.name]
        try:
            return httpx.get(self.address + path, timeout=PATIENCE).status_code == 200
        except httpx.TransportError:
            return False

    def processes(self) -> list[psutil.Process]:
        """Its process and all that it started."""
        mine = psutil.Process(self.process.pid)
        return [mine, *mine.children(recursive=True)]

    def memory(self) -> int:
        """The memory that it holds now, in bytes."""
        return sum(process.memory_info().rss for process in self.processes())
