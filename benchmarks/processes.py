"""Programs timed fairly: each in a process of its own, taking turns, with the same number of threads."""

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline import machine

ROOT = Path(__file__).parents[1]
THREADS = 2
# A BLAS told to take another processor for this one would slow NumPy alone.
UNSET = ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")


@dataclass(frozen=True)
class Spread:
    """Seconds of one program: the median of its repetitions, and their range."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, seconds: list[float]) -> "Spread":
        """Summarise repetitions."""
        return cls(statistics.median(seconds), min(seconds), max(seconds))

    def as_json(self) -> dict[str, float]:
        """Return it as JSON has it."""
        return {name: round(value, 5) for name, value in asdict(self).items()}


def environment() -> dict[str, str]:
    """Return the surroundings of a timed program."""
    kept = {name: value for name, value in os.environ.items() if name not in UNSET}
    return {
        **kept,
        **dict.fromkeys(machine.THREADS, str(THREADS)),
        "PYTHONPATH": str(ROOT),
        "GRADLINE_TRACKING": "off",
        "DVC_NO_ANALYTICS": "1",
    }


def run(command: list[str], cwd: Path = ROOT) -> tuple[float, str]:
    """Run a Python program and return the seconds of its process and what it printed."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, *command], cwd=cwd, env=environment(), capture_output=True, text=True, check=False
    )
    seconds = time.perf_counter() - started
    if done.returncode:
        sys.exit(f"bench: {' '.join(command)} failed:\n{done.stderr}")
    return seconds, done.stdout


def answer(command: list[str]) -> dict[str, Any]:
    """Run a program that prints one line of JSON, and return that."""
    printed = run(command)[1]
    found: dict[str, Any] = json.loads(printed.splitlines()[-1])
    return found


def in_turn(programs: Mapping[str, Callable[[], Any]], repetitions: int) -> dict[str, list[Any]]:
    """Return what each program gives at each repetition; all take their turn before one comes again."""
    found: dict[str, list[Any]] = {name: [] for name in programs}
    for _ in range(repetitions):
        for name, program in programs.items():
            print(f"bench: {name}", file=sys.stderr, flush=True)
            found[name].append(program())
    return found
