"""The model of a run directory, ready to score: what is missing or damaged is told in one line."""

from pathlib import Path

from pipeline.errors import UserError, printable
from pipeline.tracking import evaluated, run_directory
from pipeline.tracking.run_directory import NORMALIZATION, RECORD, WEIGHTS
from pipeline.tracking.scored_model import ScoredModel

# All that a run directory is made of: none of it can hold code, as a pickle can.
KINDS = (".safetensors", ".json", ".csv", ".png")
BRINGS = "`make repro` makes it, `dvc pull` brings it where it is stored"


def load(directory: Path) -> ScoredModel:
    """Return the model of a run directory, tried on two images.

    Raises UserError naming the file and the remedy where one is missing, damaged or doesn't score.
    """
    for name in (RECORD, WEIGHTS, NORMALIZATION):
        if not (directory / name).is_file():
            raise UserError(f"{directory / name}: no such file; {BRINGS}")
    require_harmless(directory)
    try:
        model = ScoredModel(directory)
        model.require_probabilities()
    except (OSError, *run_directory.DAMAGES) as error:
        raise UserError(
            f"{directory}: is damaged ({printable(str(error))}); {run_directory.REMEDY}"
        ) from error
    return model


def require_harmless(directory: Path) -> None:
    """Raise UserError naming a file of another kind than a run's: it may hold code, as a pickle does."""
    for name in foreign(directory):
        raise UserError(f"{directory / name}: is no file of a run, and may hold code; {run_directory.REMEDY}")


def foreign(directory: Path) -> list[str]:
    """Return the paths of the files that are of another kind than a run's."""
    return [name for name in run_directory.files(directory) if not name.endswith(KINDS)]


def require_evaluated(directory: Path, evaluation: Path) -> None:
    """Raise UserError where the files are others than those evaluated: the evaluation keeps their digest."""
    results = evaluated.read(evaluation) if evaluation.exists() else {}
    if directory.name not in results:
        return
    found, expected = run_directory.fingerprint(directory), results[directory.name]["fingerprint"]
    if found != expected:
        raise UserError(
            f"{directory}: its files have the digest {found[:12]}, those evaluated had {expected[:12]} "
            f"({evaluation}); `dvc checkout` brings those back, `dvc repro evaluate` evaluates these"
        )


def find(runs: Path, name: str) -> Path:
    """Return the directory of a run that can score, by its name.

    Raises UserError listing those there are where it isn't one, and with the remedy where there are none.
    """
    found = sorted(file.parent.name for file in runs.glob(f"*/{NORMALIZATION}"))
    if not found:
        raise UserError(f"{runs}: no trained models; {BRINGS}")
    if name not in found:
        raise UserError(f"run {name!r}: choose one of {', '.join(found)}")
    return runs / name
