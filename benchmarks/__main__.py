"""Measure everything side by side: `python -m benchmarks`, or only the sections named."""

import platform
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks import growth, networks, nothing_changed, plots, publishing, race, tables
from benchmarks.processes import ROOT, THREADS, answer
from pipeline import machine
from pipeline.datasets import splits
from pipeline.files import write_json

RESULT = ROOT / "results/benchmark.json"
NORMALIZED = ROOT / "data/normalized"
# Asked of a process in the surroundings of those that are timed: in these, NumPy may be told another BLAS.
KIND = "import json; from pipeline import machine; print(json.dumps(machine.kind()))"


def main(chosen: list[str]) -> None:
    """Measure the sections, print their tables, and write results/benchmark.json where all were measured."""
    if not (NORMALIZED / "test").exists():
        sys.exit("bench: data/normalized: no such folder; run `make repro` first")
    with tempfile.TemporaryDirectory(prefix="gradline bench ") as name:
        scratch = Path(name)
        everything = _everything(scratch / "everything")
        sections: dict[str, Callable[[], Any]] = {
            "networks": lambda: networks.measure(everything),
            "steps": lambda: networks.steps(everything),
            "race": lambda: race.measure(NORMALIZED, scratch / "race"),
            "hidden": lambda: growth.with_hidden_units(everything),
            "samples": lambda: growth.with_samples(everything, scratch / "copies"),
            "nothing_changed": lambda: nothing_changed.measure(scratch / "bare"),
            "publishing": lambda: publishing.measure(scratch / "publishing"),
        }
        if unknown := set(chosen) - set(sections):
            sys.exit(f"bench: {', '.join(sorted(unknown))}: choose among {', '.join(sections)}")
        found = {section: sections[section]() for section in (chosen or sections)}
    found = {"machine": _machine(), **found}
    print("\n".join(tables.of(found)))
    if not chosen:
        write_json(RESULT, found)
        tables.write(found)
        plots.write(found)


def _everything(folder: Path) -> Path:
    """Write all 60,000 training images as one split, and link the test images."""
    parts = [splits.read(NORMALIZED / name) for name in ("train", "validation")]
    folder.mkdir()
    splits.write(folder / "train", *(np.concatenate(part) for part in zip(*parts, strict=True)))
    (folder / "test").symlink_to(NORMALIZED / "test")
    return folder


def _machine() -> dict[str, Any]:
    return {
        "processor": machine.processor(),
        "threads": THREADS,
        "blas": answer(["-c", KIND])["architecture"],
        "python": platform.python_version(),
        "numpy": np.__version__,
        "torch": torch.__version__.partition("+")[0],
    }


main(sys.argv[1:])
