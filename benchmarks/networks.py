"""Seconds an epoch of the same network takes in each program, and what of them the matrix products are."""

import shutil
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import without
from benchmarks.processes import ROOT, Spread, answer, in_turn

BENCHMARKS = ROOT / "benchmarks"
OURS = str(BENCHMARKS / "ours.py")
PEERS = BENCHMARKS / "peers"
SIZES = (800, 256)
REPETITIONS = 3
PROGRAMS = {
    "manual": [OURS, "--gradient", "manual"],
    "autograd": [OURS, "--gradient", "autograd"],
    "PyTorch eager": [str(PEERS / "pytorch.py")],
    "PyTorch compiled": [str(PEERS / "pytorch.py"), "--compile"],
    "scikit-learn": [str(PEERS / "scikit_learn.py")],
    "course NumPy": [str(PEERS / "course_numpy.py")],
}


def measure(data: Path) -> dict[str, Any]:
    """Return seconds per epoch by network and program; the first epoch of each process warms it up."""
    programs = dict(PROGRAMS)
    if not shutil.which("c++"):
        del programs["PyTorch compiled"]
    found = {}
    for hidden in SIZES:
        told = ["--data", str(data), "--hidden", str(hidden), "--epochs", "3"]
        calls = {name: partial(answer, [*command, *told]) for name, command in programs.items()}
        answers = in_turn(calls, REPETITIONS)
        rows = {name: Spread.of(_pooled(given, "seconds")) for name, given in answers.items()}
        rows["matrix products alone"] = Spread.of(_pooled(answers["manual"], "products"))
        found[f"784-{hidden}-10"] = {name: spread.as_json() for name, spread in rows.items()}
    return found


def steps(data: Path) -> dict[str, Any]:
    """Return the manual engine's seconds per epoch as it is, and without each thing that makes it fast."""
    told = [*PROGRAMS["manual"], "--data", str(data), "--hidden", str(SIZES[0]), "--epochs", "3"]
    calls = {
        "as it is": partial(answer, told),
        **{name: partial(answer, [*told, "--without", name]) for name in without.STEPS},
    }
    answers = in_turn(calls, REPETITIONS)
    return {name: Spread.of(_pooled(given, "seconds")).as_json() for name, given in answers.items()}


def _pooled(answers: list[dict[str, Any]], key: str) -> list[float]:
    return [seconds for given in answers for seconds in given[key][1:]]
