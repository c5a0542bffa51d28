"""The networks that the tests show real digits to: trained on MNIST by the pipeline's own stages, in seconds."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from ruamel.yaml import YAML

REPOSITORY = Path(__file__).parents[1]
# Enough to be right about 97 of 100 test images.
QUICK = {
    "threads": 1,  # two processes of tests share the processors
    "train.two_layer.hidden": 100,
    "train.two_layer.epochs": 3,
    "train.two_layer.distortion": None,
    "baseline.mlp_classifier.epochs": 2,
}
MANUAL, AUTOGRAD = ("train", "two_layer", "manual"), ("train", "two_layer", "autograd")
BASELINE = ("baseline", "mlp_classifier")


def train(folder: Path, *stages: tuple[str, ...]) -> Path:
    """Fetch and normalise MNIST in a folder, run these stages there, and return the folder."""
    yaml = YAML()
    parameters = yaml.load(REPOSITORY / "params.yaml")
    for name, value in QUICK.items():
        *sections, key = name.split(".")
        section = parameters
        for each in sections:
            section = section[each]
        section[key] = value
    folder.mkdir(parents=True, exist_ok=True)
    yaml.dump(parameters, folder / "params.yaml")
    for stage in (("fetch",), ("normalize",), *stages):
        pipeline(folder, *stage)
    return folder


def pipeline(folder: Path, *arguments: str) -> None:
    """Run a command of the pipeline in a folder, without MLflow; it must succeed."""
    subprocess.run(
        [sys.executable, "-m", "pipeline", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY), "GRADLINE_TRACKING": "off"},
        check=True,
    )
