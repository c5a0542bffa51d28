"""Commands of the project as processes, in a folder of their own, as a user meets them."""

import os
import subprocess
import sys
import time
from pathlib import Path

from tests.repositories import REPOSITORY, surroundings

# A row's promise: what fails says so within so many seconds.
SOON = 30
TRAIN = ("pipeline", "train", "softmax", "manual")
PUBLISH = ("pipeline", "publish")


def start(folder: Path, *arguments: str, **environment: str | None) -> "subprocess.Popen[str]":
    """Start `python -m …` there; a variable that is None is taken away."""
    variables = {**surroundings(), "PYTHONPATH": str(REPOSITORY), "GRADLINE_TRACKING": None, **environment}
    return subprocess.Popen(
        [sys.executable, "-m", *arguments],
        cwd=folder,
        env={name: value for name, value in variables.items() if value is not None},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="surrogateescape",
    )


def end(process: "subprocess.Popen[str]", seconds: float = 180) -> tuple[int, str, list[str]]:
    """Wait for it to end; return exit status, what it printed, and the lines on stderr that tell no epoch."""
    try:
        out, err = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return process.returncode, out, [line for line in err.splitlines() if ": epoch " not in line]


def run(folder: Path, *arguments: str, **environment: str | None) -> tuple[int, str, list[str]]:
    """Run `python -m …` there to its end."""
    return end(start(folder, *arguments, **environment))


def fails_in_one_line(folder: Path, *arguments: str, **environment: str | None) -> str:
    """Run what must fail as every row promises; return its one line."""
    started = time.monotonic()
    status, _, lines = run(folder, *arguments, **environment)
    assert time.monotonic() - started < SOON
    assert status == 2, lines
    errors = [line for line in lines if not line.startswith("fetch: ")]
    assert len(errors) == 1, lines
    assert errors[0].startswith("error: ")
    return errors[0]


def files(*folders: Path) -> dict[str, bytes]:
    """Every file in these folders, by path, also those whose names begin with a dot."""
    return {
        os.fspath(path): path.read_bytes()
        for folder in folders
        for path in folder.rglob("*")
        if path.is_file()
    }
