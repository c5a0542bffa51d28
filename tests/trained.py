"""A network to show real digits to: trained on MNIST by the pipeline's own stages, in seconds."""

import os
import subprocess
import sys
from pathlib import Path

from pipeline import params
from tests.stages.conftest import set_parameters

REPOSITORY = Path(__file__).parents[1]
RUN = "two_layer-manual"
# Enough for 97 of 100 test images.
QUICK = {
    "threads": 1,  # several processes of tests share the processors
    "train.two_layer.hidden": 100,
    "train.two_layer.epochs": 5,
    "train.two_layer.distortion": None,
}


def train(folder: Path) -> Path:
    """Fetch and normalise MNIST in a folder, train the two-layer network there, and return the folder."""
    set_parameters(folder / "params.yaml", QUICK, params.read(REPOSITORY / "params.yaml"))
    for stage in (("fetch",), ("normalize",), ("train", *RUN.split("-"))):
        subprocess.run(
            [sys.executable, "-m", "pipeline", *stage],
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(REPOSITORY), "GRADLINE_TRACKING": "off"},
            check=True,
        )
    return folder
