"""Which digit is in a picture."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.datasets import handwriting, pictures
from pipeline.errors import UserError
from pipeline.stages.records import RUNS
from pipeline.tracking import run_directory, scored_run

EVALUATION = Path("results/evaluation.json")


def show(images: Sequence[Path], run: str, *, as_json: bool) -> None:
    """Print for each picture the digit in it and the runner-up, or all ten as JSON.

    `run` names a run under results/runs; without it the champion of the registry answers. Raises UserError,
    before anything is printed, for a picture that can't be read or is blank, and for a run or a champion
    that there isn't.
    """
    digits = np.stack([_digit(image) for image in images])
    directory = _run(run) if run else _champion()
    probabilities = scored_run.load(directory).predict(digits)
    if as_json:
        name = run_directory.read(directory).name
        print(json.dumps(_object(name, images, probabilities)))
    else:
        print("\n".join(_lines(images, probabilities)))


def _run(name: str) -> Path:
    """Return the directory of a run; UserError where it isn't one, or isn't what was evaluated."""
    directory = scored_run.find(RUNS, name)
    scored_run.require_evaluated(directory, EVALUATION)
    return directory


def _champion() -> Path:
    """Return the folder of the champion's files; UserError without one."""
    from pipeline.tracking import connection, registry

    with connection.answering():
        return registry.champion(connection.connect())


def _digit(path: Path) -> np.ndarray:
    """Return the digit in a picture as MNIST has it, (28, 28) uint8; UserError naming the file."""
    try:
        return handwriting.as_mnist(pictures.read(path))
    except handwriting.NothingDrawnError as error:
        raise UserError(f"{path}: {error}; give a picture of one digit") from None


def _object(name: str, images: Sequence[Path], probabilities: np.ndarray) -> dict[str, Any]:
    return {
        "model": name,
        "images": [
            {"image": str(image), "digit": int(row.argmax()), "probabilities": row.tolist()}
            for image, row in zip(images, probabilities, strict=True)
        ],
    }


def _lines(images: Sequence[Path], probabilities: np.ndarray) -> Iterator[str]:
    for image, row in zip(images, probabilities, strict=True):
        digit, other = np.argsort(-row, kind="stable")[:2]
        yield f"{image}: {digit} ({_percent(row[digit])}), else {other} ({_percent(row[other])})"


def _percent(probability: float) -> str:
    """Return a probability in percent; what would be rounded to certainty is only nearly so."""
    if probability > 0.9995:
        return ">99.9%"
    return f"{probability:.1%}" if probability >= 0.0005 else "<0.1%"
