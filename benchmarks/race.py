"""From files on disk to a test accuracy of 98%: whole processes, imports and all.

Each program's settings were searched on the validation split, hidden units, minibatch, epochs, rate and
penalty: the quickest that is seen to reach a validation accuracy of 98% in the mean over three seeds or four.
What is matched is the accuracy, not the settings.
"""

import json
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from ruamel.yaml import YAML

from benchmarks.networks import PEERS
from benchmarks.processes import ROOT, Spread, in_turn, run
from pipeline.datasets import splits
from pipeline.learning import models
from pipeline.tracking import run_directory

REPETITIONS = 3


class Settings(NamedTuple):
    """Of one program. All take minibatches of as few epochs as they can, with momentum 0.9."""

    hidden: int
    batch_size: int
    epochs: int
    learning_rate: float
    penalty: float

    def as_arguments(self) -> list[str]:
        """Return them as the peers are told."""
        return [
            argument
            for name, value in self._asdict().items()
            for argument in (f"--{name.replace('_', '-')}", str(value))
        ]


# Both with a cosine schedule.
OURS = Settings(hidden=320, batch_size=128, epochs=4, learning_rate=0.09, penalty=1e-4)
PYTORCH = Settings(hidden=256, batch_size=160, epochs=5, learning_rate=0.13, penalty=2e-4)
# scikit-learn has no such schedule: its rate is constant, and it needs more epochs.
SCIKIT_LEARN = Settings(hidden=320, batch_size=160, epochs=11, learning_rate=0.065, penalty=5e-5)
# Of our weights at the start; the others have their libraries' own, which do as well.
INITIAL_STD = 0.03


def measure(data: Path, folder: Path) -> dict[str, Any]:
    """Return seconds of each program's process, and its test accuracy."""
    project = _project(folder)
    found = in_turn(
        {
            "manual": partial(_ours, project),
            "PyTorch eager": partial(_peer, "pytorch.py", data, PYTORCH),
            "scikit-learn": partial(_peer, "scikit_learn.py", data, SCIKIT_LEARN),
        },
        REPETITIONS,
    )
    return {
        name: {**Spread.of([each[0] for each in given]).as_json(), "accuracy": given[0][1]}
        for name, given in found.items()
    }


def _project(folder: Path) -> Path:
    """Make a folder to train in, with the settings of the race."""
    (folder / "data").mkdir(parents=True)
    (folder / "data/normalized").symlink_to(ROOT / "data/normalized")
    yaml = YAML()
    settings = yaml.load(ROOT / "params.yaml")
    settings["train"]["two_layer"] |= {
        **OURS._asdict(),
        "penalty": {"kind": "sum", "strength": OURS.penalty},
        "schedule": "cosine",
        "momentum": 0.9,
        "distortion": None,
        "initial_std": INITIAL_STD,
    }
    yaml.dump(settings, folder / "params.yaml")
    return folder


def _ours(project: Path) -> tuple[float, float]:
    seconds, _ = run(["-m", "pipeline", "train", "two_layer", "manual"], cwd=project)
    weights = run_directory.read(project / "results/runs/two_layer-manual").weights()
    images, labels = splits.read(ROOT / "data/normalized/test")
    scores = models.get("two_layer").scores(weights, images)
    return seconds, float((scores.argmax(axis=1) == labels).mean())


def _peer(program: str, data: Path, settings: Settings) -> tuple[float, float]:
    seconds, printed = run([str(PEERS / program), "--data", str(data), *settings.as_arguments()])
    return seconds, float(json.loads(printed)["accuracy"])
