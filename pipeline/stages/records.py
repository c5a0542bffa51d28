"""Where stages read and write, and what a run directory's record says of data and parameters."""

from pathlib import Path
from typing import Any

from pipeline import params
from pipeline.datasets import splits
from pipeline.params.seed import SeedParams
from pipeline.params.threads import ThreadsParams

NORMALIZED = Path("data/normalized")
NORMALIZATION = NORMALIZED / "normalization.safetensors"
RUNS = Path("results/runs")
CLASSES = 10


def parameters(**sections: dict[str, Any]) -> dict[str, Any]:
    """Return what a run's record says of params.yaml: these sections, the seed and the threads."""
    common = (params.load_fields(ThreadsParams), params.load_fields(SeedParams))
    return {**common[0].model_dump(), **common[1].model_dump(), **sections}


def record(
    run: str, experiment: str, parameters: dict[str, Any], *used: str, **described: Any
) -> dict[str, Any]:
    """Return the record of a run: what it is, every parameter that made it, and the splits it used."""
    return {
        "run": run,
        "experiment": experiment,
        "parameters": parameters,
        "dataset": dataset(*used),
        **described,
    }


def dataset(*used: str) -> dict[str, Any]:
    """Return of each split the digest and the number of samples."""
    folders = {split: NORMALIZED / split for split in used}
    parts = {
        split: {"digest": splits.digest(folder), "samples": len(splits.read(folder)[1])}
        for split, folder in folders.items()
    }
    return {"name": "mnist", **parts}
