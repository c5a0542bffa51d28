"""How cost grows with the samples, in time and memory, and with the hidden units."""

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.networks import OURS
from benchmarks.processes import answer
from pipeline.datasets import splits
from pipeline.learning.distortions import Distorter, Distortion
from pipeline.learning.randomness import generator

COPIES = (1, 2, 4, 10)
HIDDEN = (100, 200, 400, 800, 1600, 3200)
WINDOW = 32_768
# As published: elastic, besides affine (Simard, Steinkraus and Platt 2003).
DISTORTION = Distortion(rotation=7.5, scaling=0.15, shear=0.1, shift=1.0, elasticity=34.0, smoothness=4.0)
SAMPLES_OF_HIDDEN = 20_000
BLOCK = 2_000


def copies(data: Path, folder: Path, count: int) -> Path:
    """Write `count` distorted copies of the training split, block by block, and return the folder."""
    images, labels = splits.read(data / "train")
    (folder / "train").mkdir(parents=True)
    (folder / "test").symlink_to((data / "test").resolve())
    distort = Distorter(DISTORTION, images.shape[1], generator(0, "copies"))
    shape = (count * len(images), images.shape[1])
    new = np.lib.format.open_memmap(folder / "train" / splits.IMAGES, "w+", np.float32, shape)
    for start in range(0, len(new), BLOCK):
        chosen = np.arange(start, min(start + BLOCK, len(new))) % len(images)
        new[start : start + BLOCK] = distort(images[chosen])
    new.flush()
    np.save(folder / "train" / splits.LABELS, np.tile(labels, count), allow_pickle=False)
    splits.seal(folder / "train")
    return folder


def with_samples(data: Path, folder: Path) -> dict[str, Any]:
    """Return seconds per epoch and anonymous memory of 1 to 10 times the samples, read by windows."""
    samples = len(splits.read(data / "train")[1])
    whole = copies(data, folder, max(COPIES))
    rows = {}
    for factor in COPIES:
        told = ["--data", str(whole), "--hidden", "256", "--samples", str(factor * samples)]
        rows[str(factor * samples)] = _row([*told, "--window", str(WINDOW)])
    in_memory = _row(["--data", str(data), "--hidden", "256"])
    most = str(max(COPIES) * samples)
    return {
        "rows": rows,
        "exponent": _exponent(rows),
        "throughput_against_in_memory": in_memory["seconds"] * max(COPIES) / rows[most]["seconds"],
        "memory_against_fewest": rows[most]["anonymous_mb"] / rows[str(samples)]["anonymous_mb"],
    }


def with_hidden_units(data: Path) -> dict[str, Any]:
    """Return seconds per epoch by the number of hidden units."""
    rows = {}
    for hidden in HIDDEN:
        rows[str(hidden)] = _row(
            ["--data", str(data), "--hidden", str(hidden), "--samples", str(SAMPLES_OF_HIDDEN)]
        )
    return {"rows": rows, "exponent": _exponent(rows)}


def _row(told: list[str]) -> dict[str, float]:
    given = answer([OURS, *told, "--epochs", "3"])
    return {"seconds": min(given["seconds"][1:]), "anonymous_mb": given["anonymous_mb"]}


def _exponent(rows: dict[str, dict[str, float]]) -> float:
    """Fit p of seconds ∝ size^p: the slope of the logarithms."""
    sizes, seconds = [int(size) for size in rows], [row["seconds"] for row in rows.values()]
    slope, _ = np.polyfit(np.log(sizes), np.log(seconds), 1)
    return float(slope)
